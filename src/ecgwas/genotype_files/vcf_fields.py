"""FILTER and INFO of a VCF or .pvar -> which records the file itself marks as failed or poorly imputed."""

import re

import polars as pl

# FILTER values that say how a variant was typed, not that it failed (Minimac, Michigan and TOPMed imputation servers).
NO_FAILURE = {"PASS", ".", "", "GENOTYPED", "GENOTYPED_ONLY", "IMPUTED", "TYPED", "TYPED_ONLY"}
# INFO fields with the imputation r² or INFO of a record: Minimac, Beagle 5, IMPUTE5 and GLIMPSE, SHAPEIT, Beagle 4.
QUALITY = ("R2", "DR2", "INFO", "IMP", "RSQ", "Rsq", "AR2")
# What files say of their own records: FILTER where it fails, the measure of imputation and its name.
FLAGS = {"filter": pl.String(), "quality": pl.Float64(), "quality_name": pl.String()}


def failed_filter(text: str) -> str | None:
    """FILTER where a value of it says that the record failed, else nothing."""
    return text if set(text.split(";")) - NO_FAILURE else None


def quality(info: str, allele: int) -> tuple[str, float] | None:
    """Name and value of the first imputation measure in INFO, of ALT number `allele` from 0."""
    for name in QUALITY:
        found = re.search(rf"(?:^|;){name}=([^;]+)", info)
        values = found[1].split(",") if found else []
        try:
            return name, float(values[allele if len(values) > 1 else 0])
        except (ValueError, IndexError):
            continue
    return None


def flags(table: pl.DataFrame) -> dict[str, pl.Expr | pl.Series]:
    """The columns of FLAGS of a table with FILTER and INFO, or without; of INFO the value of the first ALT."""
    found: dict[str, pl.Expr | pl.Series] = {name: pl.lit(None, dtype) for name, dtype in FLAGS.items()}
    if "FILTER" in table.columns:
        words = table["FILTER"].drop_nulls().unique().to_list()
        failed = {word: word for word in words if failed_filter(word)}
        found["filter"] = table["FILTER"].replace_strict(failed, default=None, return_dtype=pl.String)
    if "INFO" in table.columns:
        values = [
            pl.col("INFO").str.extract(rf"(?:^|;){name}=([^;,]+)").cast(pl.Float64, strict=False) for name in QUALITY
        ]
        names = [pl.when(value.is_not_null()).then(pl.lit(name)) for name, value in zip(QUALITY, values, strict=True)]
        found |= {"quality": pl.coalesce(values), "quality_name": pl.coalesce(names)}
    return found
