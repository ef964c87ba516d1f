"""a .pgen with its .pvar and .psam -> one table of variants and the sample ids."""

from pathlib import Path

import polars as pl

from ecgwas.errors import UserError
from ecgwas.genotypes.sources import must_exist

MAGIC = b"\x6c\x1b"


def _rows(path: Path, what: str, needed: list[str]) -> pl.DataFrame:
    """The table below the ## lines of a .pvar or .psam, whose first column's name starts with #."""
    try:
        table = pl.read_csv(path, separator="\t", comment_prefix="##", infer_schema=False, quote_char=None)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UserError(
            f"{path}: cannot be read as {what} ({error}); write it again with plink2 --make-pgen"
        ) from error
    table = table.rename({table.columns[0]: table.columns[0].removeprefix("#")})
    missing = [name for name in needed if name not in table.columns]
    if missing:
        raise UserError(f"{path}: no column {', '.join(missing)}; write it again with plink2 --make-pgen")
    return table


def read(path: Path, source: int) -> tuple[pl.DataFrame, list[str]]:
    """Variants and sample ids beside one .pgen, which must hold two alleles a variant."""
    import pgenlib

    must_exist(path, ".pgen file")
    packed, plain = path.with_suffix(".pvar.zst"), path.with_suffix(".pvar")
    if packed.is_file() and plain.is_file():
        raise UserError(f"{path}: both {packed.name} and {plain.name} are there; remove the one that is not its own")
    variants = _rows(
        must_exist(packed if packed.is_file() else plain, ".pvar file"), "a .pvar", ["CHROM", "POS", "ID", "REF", "ALT"]
    )
    samples = _rows(must_exist(path.with_suffix(".psam"), ".psam file"), "a .psam", ["IID"])["IID"].to_list()
    several = variants.filter(pl.col("ALT").str.contains(","))
    if several.height:
        raise UserError(
            f"{path}: {several.height} variants have more than one ALT, the first {several['ID'][0]}; split them: "
            f"plink2 --pfile {path.with_suffix('')} --make-pgen multiallelics=- --out split"
        )
    try:
        if path.open("rb").read(2) != MAGIC:
            raise RuntimeError("it does not start as a .pgen")
        with pgenlib.PgenReader(str(path).encode(), raw_sample_ct=len(samples)) as stream:
            found = stream.get_variant_ct()
    except (RuntimeError, OSError) as error:
        raise UserError(
            f"{path}: cannot be read with its {len(samples)} samples ({error}); copy all three again"
        ) from error
    if found != variants.height:
        raise UserError(f"{path}: {found} variants, but the .pvar lists {variants.height}; copy all three files again")
    names = {"CHROM": "contig", "POS": "position", "ID": "rsid", "REF": "ref", "ALT": "alt"}
    table = variants.select(list(names)).rename(names).with_columns(pl.col("position").cast(pl.Int32, strict=False))
    index = {"source": pl.lit(source, pl.Int32), "source_index": pl.int_range(pl.len(), dtype=pl.Int32)}
    return table.with_columns(pl.col("position").fill_null(0), **index), samples
