"""Which positions do common SNPs have in GRCh37 and GRCh38? Makes src/ecgwas/genotypes/common_snps.tsv, once.

SNPs with an rs number of 1000 Genomes phase 1 (public), MAF >= 0.2, spread over the autosomes; GRCh37 positions are its
own, GRCh38's are lifted with UCSC's hg19ToHg38 chain. Those that two places or another chromosome come of are left out.
GRCh38 positions of the GWAS Catalog are compared.
"""

import bisect
import gzip
import json
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas.cli import run
from ecgwas.config import GenotypeSource
from ecgwas.genotype_files import sources
from ecgwas.genotype_files.reader import GenotypeReader

Block = tuple[int, int, str, int]  # start and end (from 0) in the old build, contig and start in the new


def blocks(chain: Path) -> dict[str, list[Block]]:
    """Contig -> ungapped blocks of forward chains (genome.ucsc.edu/goldenPath/help/chain.html), sorted."""
    found: dict[str, list[Block]] = {}
    with gzip.open(chain, "rt") as stream:
        for line in stream:
            words = line.split()
            if words and words[0] == "chain":
                old, start, new, strand, to = words[2], int(words[5]), words[7], words[9], int(words[10])
            elif words:
                size = int(words[0])
                if strand == "+":
                    found.setdefault(old, []).append((start, start + size, new, to))
                if len(words) == 3:
                    start, to = start + size + int(words[1]), to + size + int(words[2])
    return {contig: sorted(rows) for contig, rows in found.items()}


def lifted(rows: list[Block], contig: str, position: int) -> int | None:
    """1-based position in the new build, where exactly one forward block of the same contig holds it."""
    last = bisect.bisect_right(rows, (position, 0, "", 0))
    hits = [row for row in rows[max(0, last - 50) : last] if row[0] < position <= row[1]]
    return hits[0][3] + position - hits[0][0] if len(hits) == 1 and hits[0][2] == contig else None


def main(data: Path, table: Path = Path("src/ecgwas/genotypes/common_snps.tsv"), per_contig: int = 100) -> None:
    """Make the table.

    Args:
        data: folder with geno_1kg_phase1/1kg_phase1.bed and ref/hg19ToHg38.over.chain.gz.
        table: where to write it.
        per_contig: SNPs on each autosome at most.
    """
    bed = data / "geno_1kg_phase1/1kg_phase1.bed"
    files = sources.open_files(GenotypeSource(format="plink", paths=[bed], build="GRCh37"))
    with GenotypeReader(files.manifest(), files.variants, np.arange(len(files.sample_ids))) as reader:
        frequency = np.concatenate([np.nanmean(x, 1) / 2 for _, x in reader.blocks()])
    known = files.variants.with_columns(maf=np.minimum(frequency, 1 - frequency))
    known = known.filter(pl.col("rsid").str.contains(r"^rs\d+$") & (pl.col("maf") >= 0.2))
    chain = blocks(data / "ref/hg19ToHg38.over.chain.gz")
    places = [lifted(chain[f"chr{c}"], f"chr{c}", p) for c, p in known.select("contig", "position").iter_rows()]
    known = (
        known.with_columns(grch38=pl.Series(places)).drop_nulls("grch38").filter(pl.col("grch38") != pl.col("position"))
    )
    catalog = data / "ref/gwas_catalog_ecg_traits_2015.GRCh38.tsv"
    columns = ["SNPS", "CHR_ID", "CHR_POS"]
    theirs = pl.read_csv(catalog, separator="\t", infer_schema=False, quote_char=None, columns=columns).unique("SNPS")
    both = known.join(theirs, left_on=["rsid", "contig"], right_on=["SNPS", "CHR_ID"])
    same = int((both["grch38"] == both["CHR_POS"].cast(pl.Int64)).sum())
    step = pl.int_range(pl.len()) * per_contig // pl.len()
    known = known.filter(step.is_first_distinct().over("contig"))
    known.select("rsid", "contig", grch37="position", grch38="grch38").write_csv(table, separator="\t")
    print(json.dumps({"snps": known.height, "in_catalog": both.height, "same_in_catalog": same}))


if __name__ == "__main__":
    run(main)
