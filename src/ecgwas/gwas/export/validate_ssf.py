"""A GWAS-SSF v1.0 file -> what is wrong with it: the rules of the format, checked row by row.

Format: Hayhurst et al. 2022 (bioRxiv 2022.07.15.500230) and the GWAS Catalog's documentation of GWAS-SSF v1.0.
"""

from pathlib import Path

import polars as pl
import yaml

from ecgwas.cli import run
from ecgwas.errors import UserError
from ecgwas.gwas.export.formats import md5

EFFECTS = ("beta", "odds_ratio", "hazard_ratio")
P_VALUES = ("p_value", "neg_log_10_p_value")
HEAD = ("chromosome", "base_pair_location", "effect_allele", "other_allele", EFFECTS, "standard_error",
        "effect_allele_frequency", P_VALUES)  # fmt: skip
ALLELE = r"^([ACGT]+|LONG_STRING)$"
METADATA = ("file_type", "data_file_name", "data_file_md5sum", "genome_assembly", "coordinate_system",
            "is_harmonised", "is_sorted", "date_metadata_last_modified", "trait_description", "samples",
            "genotyping_technology")  # fmt: skip


def header_faults(columns: list[str]) -> list[str]:
    """Mandatory columns that are absent or out of their order."""
    faults = []
    for place, wanted in enumerate(HEAD):
        names = (wanted,) if isinstance(wanted, str) else wanted
        if place >= len(columns) or columns[place] not in names:
            seen = columns[place] if place < len(columns) else "nothing"
            faults.append(f"column {place + 1} is {seen}, expected {' or '.join(names)}")
    return faults


def row_rules(columns: list[str]) -> dict[str, pl.Expr]:
    """What must hold in every row of text columns: description -> expression, false or null where it does not."""
    p, effect = columns[7], columns[4]
    numbers = {name: pl.col(name).cast(pl.Float64, strict=False) for name in columns[4:8]}
    position = pl.col("base_pair_location").cast(pl.Int64, strict=False)
    rules = {
        "chromosome is a whole number from 1 to 25": pl.col("chromosome")
        .cast(pl.Int64, strict=False)
        .is_between(1, 25),
        "base_pair_location is a whole number, 0 at least": position >= 0,
        "effect_allele is of A, C, G, T": pl.col("effect_allele").str.contains(ALLELE),
        "other_allele is of A, C, G, T": pl.col("other_allele").str.contains(ALLELE),
        f"{effect} is a number": numbers[effect].is_finite(),
        "standard_error is a number, not negative": numbers["standard_error"] >= 0,
        "effect_allele_frequency is from 0 to 1": numbers["effect_allele_frequency"].is_between(0, 1),
        f"{p} is in its range": numbers[p].is_between(0, 1, "right")
        if p == "p_value"
        else numbers[p].is_between(0, 1e6),
    }
    if effect != "beta":
        rules[f"{effect} is positive"] = numbers[effect] > 0
    if "variant_id" in columns:
        rules["variant_id is letters, digits and _"] = pl.col("variant_id").str.contains(r"^([A-Za-z0-9_]+|#NA)$")
    if "rsid" in columns:
        rules["rsid is rs and a number, or #NA"] = pl.col("rsid").str.contains(r"^(rs\d+|#NA)$")
    if "ref_allele" in columns:
        rules["ref_allele is EA, OA or #NA"] = pl.col("ref_allele").is_in(["EA", "OA", "#NA"])
    if "info" in columns:
        info = pl.col("info").cast(pl.Float64, strict=False)
        rules["info is from 0 to 1, or #NA"] = (pl.col("info") == "#NA") | info.is_between(0, 1)
    return rules


def faults(path: Path, min_rows: int = 100_000) -> list[str]:
    """What is wrong with the table at `path`; nothing where it is valid."""
    try:
        table = pl.read_csv(path, separator="\t", infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        return [f"cannot be read as a table split by tabs: {error}"]
    messages = header_faults(table.columns)
    if messages:
        return messages
    if table.height < min_rows:
        messages.append(f"{table.height} rows, fewer than {min_rows}")
    for rule, holds in row_rules(table.columns).items():
        bad = table.with_row_index("line", offset=2).filter(~holds.fill_null(False))
        if bad.height:
            row = ", ".join(f"{value}" for value in bad.row(0)[1:9])
            messages.append(f"{bad.height} rows break '{rule}'; line {bad['line'][0]}: {row}")
    order = table.select(pl.col("chromosome", "base_pair_location").cast(pl.Int64, strict=False))
    if not order.equals(order.sort("chromosome", "base_pair_location")):
        messages.append("rows are not sorted by chromosome and base_pair_location")
    return messages


def metadata_faults(path: Path) -> list[str]:
    """What is wrong with the metadata file beside the table at `path`."""
    beside = path.with_name(f"{path.name}-meta.yaml")
    if not beside.is_file():
        return [f"{beside.name} is missing"]
    try:
        metadata = yaml.safe_load(beside.read_text())
    except yaml.YAMLError as error:
        return [f"{beside.name} is not YAML: {error}"]
    if not isinstance(metadata, dict):
        return [f"{beside.name} is not keys and values"]
    messages = [f"{beside.name}: {name} is missing" for name in METADATA if metadata.get(name) in (None, "", [])]
    if metadata.get("data_file_md5sum") != md5(path):
        messages.append(f"{beside.name}: data_file_md5sum is not that of {path.name}")
    return messages


def main(file: Path, min_rows: int = 100_000, check_metadata: bool = True) -> None:
    """Check one GWAS-SSF file; ends with status 1 where something is wrong.

    Args:
        file: the table, .tsv or .tsv.gz.
        min_rows: fewer rows are an error (the GWAS Catalog requires 100,000).
        check_metadata: also check {file}-meta.yaml.
    """
    if not file.is_file():
        raise UserError(f"{file} does not exist; give a GWAS-SSF table")
    messages = faults(file, min_rows) + (metadata_faults(file) if check_metadata else [])
    if messages:
        raise UserError(f"{file} is not valid GWAS-SSF v1.0:\n  " + "\n  ".join(messages))
    print(f"{file}: valid GWAS-SSF v1.0", flush=True)


if __name__ == "__main__":
    run(main)
