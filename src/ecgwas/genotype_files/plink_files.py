"""A .bed with its .bim and .fam -> one table of variants and the sample ids."""

from pathlib import Path

import polars as pl

from ecgwas.errors import UserError
from ecgwas.genotype_files.listing import LINE, must_exist, text_table

BED_MAGIC = b"\x6c\x1b\x01"


def read_bim(path: Path, source: int) -> pl.DataFrame:
    """Variants of a .bim file; A1 (column 5) is taken as ALT and effect allele, A2 as REF, as Hail and pgenlib do."""
    table = text_table(path, ["contig", "rsid", "cm", "position", "alt", "ref"], needed=1)
    table = table.with_columns(pl.col("position").cast(pl.Int32, strict=False))
    bad = table.filter(pl.any_horizontal(pl.all().is_null()))
    if bad.height:
        raise UserError(f"{path}: line {bad[LINE][0]} is not a variant: six columns, the fourth a position")
    index = {"source": pl.lit(source, pl.Int32), "source_index": pl.int_range(pl.len(), dtype=pl.Int32)}
    return table.drop(LINE).with_columns(**index)


def read_fam(path: Path) -> list[str]:
    """Sample ids, the second column of a .fam; sex and phenotype are not read."""
    return text_table(path, ["fid", "iid"])["iid"].to_list()


def read(path: Path, source: int) -> tuple[pl.DataFrame, list[str]]:
    """Variants and sample ids beside one .bed, whose size must be what they make it."""
    must_exist(path, ".bed file")
    bim, fam = must_exist(path.with_suffix(".bim"), ".bim file"), must_exist(path.with_suffix(".fam"), ".fam file")
    with path.open("rb") as stream:
        magic = stream.read(3)
    if magic != BED_MAGIC:
        raise UserError(f"{path}: not a variant-major PLINK 1 .bed file; convert it with plink2 --make-bed")
    variants, samples = read_bim(bim, source), read_fam(fam)
    expected = 3 + variants.height * ((len(samples) + 3) // 4)
    size = path.stat().st_size
    if size != expected:
        raise UserError(
            f"{path}: {size} bytes, but {variants.height} variants x {len(samples)} samples take {expected}: "
            "the file is truncated or .bim/.fam belong to another; copy all three again"
        )
    return variants, samples
