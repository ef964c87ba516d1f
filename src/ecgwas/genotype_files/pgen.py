"""a .pgen with its .pvar and .psam -> one table of variants and the sample ids, and which variants have dosages."""

from pathlib import Path
from struct import unpack

import numpy as np
import polars as pl

from ecgwas.errors import UserError, reading
from ecgwas.genotype_files import vcf_fields
from ecgwas.genotype_files.listing import must_exist

MAGIC = b"\x6c\x1b"
CALLS, DOSAGES, VARIABLE = 0x02, (0x03, 0x04), 0x10  # storage modes
HAS_DOSAGE = 0x60  # bits of a variant's record type
PER_BLOCK = 65536  # variants a block of the header
AGAIN = "write it again with plink2 --make-pgen"


def _rows(path: Path, what: str, needed: list[str], optional: tuple[str, ...] = ()) -> pl.DataFrame:
    """Columns of the table below the ## lines of a .pvar or .psam, whose first column's name starts with #."""
    with reading(path, what, AGAIN):
        table = pl.read_csv(path, separator="\t", comment_prefix="##", infer_schema=False, quote_char=None)
    table = table.rename({table.columns[0]: table.columns[0].removeprefix("#")})
    missing = [name for name in needed if name not in table.columns]
    if missing:
        raise UserError(f"{path}: no column {', '.join(missing)} in its header line (#…); {AGAIN}")
    return table.select(*needed, *(name for name in optional if name in table.columns))


def have_dosages(path: Path) -> np.ndarray | None:
    """Bool [variant]: whether a variant of a .pgen has dosages; None where its header does not say.

    PGEN specification (github.com/chrchang/plink-ng, pgen_spec): bits 5 and 6 of the record types, by block of 65,536.
    """
    with path.open("rb") as stream:
        mode, n, _, control = unpack("<2xBIIB", stream.read(12))
        if mode in DOSAGES or mode != VARIABLE:
            return None if mode not in (CALLS, *DOSAGES) else np.full(n, mode in DOSAGES)
        if control & 15 > 7:
            return None
        if control & 15 < 4:  # four bits a record type: no room for dosages
            return np.zeros(n, bool)
        length, alleles, flags = (control & 3) + 1, control >> 4 & 3, control >> 6 == 3
        blocks, found = -(-n // PER_BLOCK), [np.zeros(0, bool)]
        stream.seek(8 * blocks, 1)
        for k in range(blocks):
            here = min(PER_BLOCK, n - k * PER_BLOCK)
            kinds = np.frombuffer(stream.read(here), np.uint8)
            found.append((kinds & HAS_DOSAGE) > 0)
            stream.seek(here * length + here * alleles + (-(-here // 8) if flags else 0), 1)
    return np.concatenate(found)


def with_dosages(path: Path) -> int | None:
    """How many variants of a .pgen have dosages; None where its header does not say."""
    found = have_dosages(path)
    return None if found is None else int(found.sum())


def _variants(path: Path, source: int) -> pl.DataFrame:
    """Variants of a .pvar, with FILTER where it fails and the imputation measure of INFO."""
    names = {"CHROM": "contig", "POS": "position", "ID": "rsid", "REF": "ref", "ALT": "alt"}
    table = _rows(path, "a .pvar", list(names), ("FILTER", "INFO")).rename(names)
    table = table.with_columns(number=pl.col("position").cast(pl.Int32, strict=False))
    bad = table.with_row_index("row", offset=1).filter(pl.any_horizontal(pl.col(*names.values(), "number").is_null()))
    if bad.height:
        raise UserError(f"{path}: variant {bad['row'][0]} is none: position {bad['position'][0]!r}; {AGAIN}")
    index = {"source": pl.lit(source, pl.Int32), "source_index": pl.int_range(pl.len(), dtype=pl.Int32)}
    table = table.with_columns(**vcf_fields.flags(table), position="number", **index)
    return table.drop("FILTER", "INFO", "number", strict=False)


def read(path: Path, source: int) -> tuple[pl.DataFrame, list[str]]:
    """Variants and sample ids beside one .pgen, which must hold two alleles a variant."""
    import pgenlib

    must_exist(path, ".pgen file")
    packed, plain = path.with_suffix(".pvar.zst"), path.with_suffix(".pvar")
    if packed.is_file() and plain.is_file():
        raise UserError(f"{path}: both {packed.name} and {plain.name} are there; remove the one that is not its own")
    variants = _variants(must_exist(packed if packed.is_file() else plain, ".pvar file"), source)
    samples = _rows(must_exist(path.with_suffix(".psam"), ".psam file"), "a .psam", ["IID"])["IID"].to_list()
    several = variants.filter(pl.col("alt").str.contains(","))
    if several.height:
        raise UserError(
            f"{path}: {several.height} variants have more than one ALT, the first {several['rsid'][0]}; split them: "
            f"plink2 --pfile {path.with_suffix('')} --make-pgen multiallelics=- --out split"
        )
    with reading(path, f"a .pgen of {len(samples)} samples", "copy all three files again"):
        if path.open("rb").read(2) != MAGIC:
            raise ValueError("it does not start as a .pgen")
        with pgenlib.PgenReader(str(path).encode(), raw_sample_ct=len(samples)) as stream:
            found = stream.get_variant_ct()
    if found != variants.height:
        raise UserError(f"{path}: {found} variants, but the .pvar lists {variants.height}; copy all three files again")
    return variants, [name or "" for name in samples]
