"""variants.parquet of the genotypes: the kept variants, in genome order, and their dosages."""

from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import tables
from ecgwas.errors import UserError
from ecgwas.genotype_files import contigs
from ecgwas.genotype_files.reader import GenotypeReader

VARIANT = ["contig", "position", "ref", "alt"]
PLACES = ("source", "source_index", "flipped")  # where the reader of genotypes finds a variant


def read_variants(variants: Path) -> pl.DataFrame:
    """Kept variants in genome order."""
    table = tables.VARIANTS.read(variants)
    order = [contigs.genome_order(), pl.col("position"), pl.col("source"), pl.col("source_index")]
    return table.sort(order)


def read_part(variants: Path, build: str, part: int, parts: int) -> pl.DataFrame:
    """Kept variants, in genome order, in span `part` of `parts` equal spans of the genome of `build`.

    A span is fixed by the build: adding a variant to one chromosome leaves the other parts unchanged.
    """
    span = (contigs.place(build) - 1) * parts // (contigs.total(build) + 1)
    table = tables.VARIANTS.scan(variants).filter(span == part)
    columns = table.collect_schema().names()
    info = pl.lit(None, pl.Float64) if "info" not in columns else pl.col("info").cast(pl.Float64)
    places = [name for name in PLACES if name in columns]
    found = table.select(*VARIANT, "rsid", *places, info.alias("info")).collect()
    return found.sort(contigs.genome_order(), "position", "source", "source_index")


def contigs_of(variants: Path) -> list[str]:
    """Contigs of the kept variants, in genome order."""
    names = tables.VARIANTS.scan(variants, ["contig"]).unique().collect()
    return names.sort(contigs.genome_order(), "contig")["contig"].to_list()


def read_places(variants: Path) -> pl.DataFrame:
    """The kept variants as `read_dosages` needs them: contig, position, ref, alt, and their places in the files."""
    lazy = tables.VARIANTS.scan(variants)
    columns = lazy.collect_schema().names()
    return lazy.select([name for name in (*VARIANT, *PLACES) if name in columns]).collect()


def read_dosages(manifest: Path, variants: pl.DataFrame, wanted: pl.DataFrame, samples: np.ndarray) -> np.ndarray:
    """ALT dosages float32 [variant, sample], NaN missing, of `wanted` (contig, position, ref, alt).

    `variants`: those of `read_places`; `samples` [sample]: positions in the genotype files. Raises `UserError` where a
    variant is not among them.
    """
    near = pl.col("contig").is_in(wanted["contig"].unique().implode())
    if wanted.height:
        near &= pl.col("position").is_between(wanted["position"].min(), wanted["position"].max())
    known = variants.filter(near).unique(VARIANT, keep="first", maintain_order=True)
    known = known.with_columns(pl.lit(True).alias("known"))
    rows = wanted.select(VARIANT).join(known, on=VARIANT, how="left", maintain_order="left")
    if rows["known"].null_count():
        absent = ":".join(map(str, rows.filter(pl.col("known").is_null()).row(0)[:4]))
        raise UserError(f"variant {absent} of the association results is not in variants.parquet; rerun the gwas stage")
    with GenotypeReader(manifest, rows, samples) as reader:
        return reader.read(slice(None))
