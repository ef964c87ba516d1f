"""A .bgen with its .sample -> one table of variants, the sample ids, and how its genotypes are stored."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas.errors import UserError, reading
from ecgwas.genotype_files import bgen_layout, contigs
from ecgwas.genotype_files.listing import must_exist, text_table

AGAIN = "the file may be truncated: copy it again, or write it anew: plink2 --export bgen-1.2 ref-first bits=8"
PROBED = 20  # variants, spread over a file, whose ploidy and phase are looked at


@dataclass(frozen=True)
class Bgen:
    """One BGEN file."""

    variants: pl.DataFrame  # first allele REF, second ALT; more are joined by commas
    sample_ids: list[str]
    layout: bgen_layout.Layout  # ploidies and phase are those of all variants looked at


def read_sample_file(path: Path) -> list[str]:
    """Sample ids of an Oxford .sample file: two header lines (names, then types, the ids' 0), then one a sample.

    ID_2 where there are two columns of ids, as Hail and UK Biobank have it, else the one there is.
    """
    must_exist(path, ".sample file")
    lines = text_table(path, ["id_1", "id_2", "rest"], needed=1)
    if lines.height < 3 or lines["id_1"][1] != "0":
        raise UserError(
            f"{path}: not an Oxford .sample file: two header lines, the second of column types that starts with 0,"
            " then one line a sample"
        )
    two = lines["id_2"][1] == "0" and (lines["id_2"][0] or "").lower() != "missing"
    ids = lines["id_2" if two else "id_1"][2:]
    if ids.null_count():
        line = lines["line"][2 + int(ids.is_null().arg_max() or 0)]
        raise UserError(f"{path}: line {line} has no second id; write two ids on every line, or one column of ids")
    return ids.to_list()


def _probe(path: Path, n: int, on_x: int | None) -> tuple[set[int], bool]:
    """Ploidies, and whether some are phased, of variants spread over the file and of its first on X."""
    from bgen import BgenReader

    chosen = {*np.linspace(0, n - 1, min(n, PROBED)).astype(int).tolist(), *([] if on_x is None else [on_x])}
    ploidies: set[int] = set()
    phased = False
    with BgenReader(str(path)) as stream:
        for row in sorted(chosen):
            variant = stream[row]
            ploidies |= set(np.unique(variant.ploidy).tolist())
            phased |= bool(variant.is_phased)
    return ploidies - {0}, phased


def _variants(path: Path, source: int) -> tuple[pl.DataFrame, int, list[str] | None]:
    """Variants of a BGEN file, how many samples it declares, and their ids where it holds them."""
    from bgen import BgenReader

    with BgenReader(str(path), delay_parsing=True) as stream:
        declared, expected = stream.header.nsamples, stream.header.nvariants
        ids = list(stream.samples) if stream.header.has_sample_ids else None
        rows = [(v.chrom, v.pos, v.rsid or v.varid, v.alleles) for v in stream]
    if len(rows) != expected:
        raise UserError(f"{path}: {len(rows)} variants of {expected}: the file is truncated; copy it again")
    if not rows:
        raise UserError(f"{path}: it holds no variants; is it the right file?")
    table = pl.DataFrame(
        [(c, p, i, ",".join(a[1:]), a[0]) for c, p, i, a in rows],
        schema={"contig": pl.String, "position": pl.Int64, "rsid": pl.String, "alt": pl.String, "ref": pl.String},
        orient="row",
    )
    index = {"source": pl.lit(source, pl.Int32), "source_index": pl.int_range(pl.len(), dtype=pl.Int32)}
    return table.with_columns(pl.col("position").cast(pl.Int32), **index), declared, ids


def read(path: Path, source: int, sample_file: Path | None, build: str) -> Bgen:
    """Variants, sample ids (of the .sample file, or the BGEN's own) and storage of one BGEN file."""
    layout = bgen_layout.read(must_exist(path, "BGEN file"))
    with reading(path, "BGEN", AGAIN):
        variants, declared, own = _variants(path, source)
        table = variants.with_columns(contig=contigs.normalise(pl.col("contig")))
        two = table.filter(~pl.col("alt").str.contains(","))
        on_x = two.filter(contigs.haploid_in_males(build))["source_index"]
        ploidies, phased = _probe(path, table.height, int(on_x[0]) if len(on_x) else None)
    if sample_file is None and own is None:
        raise UserError(f"{path}: BGEN without a .sample file, nor ids of its own; set `sample_file` beside `paths`")
    ids = own if sample_file is None else read_sample_file(sample_file)
    if declared != len(ids or []):
        raise UserError(
            f"{path}: {declared} samples, but {sample_file} lists {len(ids or [])}; give the .sample file of this BGEN"
        )
    ploidies = ploidies or {2}
    layout = replace(layout, ploidy=(min(ploidies), max(ploidies)), phased=phased)
    return Bgen(variants, ids or [], layout)
