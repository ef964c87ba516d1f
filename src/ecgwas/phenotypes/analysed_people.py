"""Trait values, people, samples and PCs -> who is analysed, with which covariates, and why others are not."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import tables, user_tables
from ecgwas.config import FLAGS
from ecgwas.errors import UserError
from ecgwas.people import NOBODY, Withdrawn
from ecgwas.people.values import not_traits, of_others


@dataclass(frozen=True)
class Recordings:
    """Values of recordings, or of people where the table has one row per person."""

    person: np.ndarray  # [recording]
    values: np.ndarray  # [recording, column], NaN missing
    names: list[str]  # [column]
    excluded: pl.DataFrame = field(default_factory=lambda: tables.TRAITS_EXCLUDED.empty())  # columns not used
    ids: np.ndarray | None = None  # [recording] recording_id, where the table has one
    flags: dict[str, np.ndarray] = field(default_factory=dict)  # bool [recording], False where not known


def chosen(names: list[str], wanted: list[str] | str, path: Path) -> list[str]:
    """Of the numeric columns `names` those `wanted`, in the table's order; "all": every one but machine_*."""
    if wanted == "all":
        return [name for name in names if not name.startswith("machine_")]
    missing = [name for name in wanted if name not in names]
    if missing:
        raise UserError(
            f"{path}: phenotypes.intervals names {', '.join(missing)}, which the table does not have as numbers;"
            f" it has {', '.join(names)}"
        )
    return [name for name in names if name in wanted]


def recordings(
    path: Path, whole: bool, wanted: list[str] | str | None = None, withdrawn: Withdrawn = NOBODY
) -> Recordings:
    """The recordings of a table with their values.

    Every numeric column is a trait, or those `wanted` of the classical measurements, but for `machine_…`: what the
    recorder measured itself is kept beside ours for comparison. Other columns, and those that are ids or row numbers,
    are reported in `excluded`. `whole`: a recording with any value missing is excluded (an embedding is used whole);
    otherwise only one with all values missing. Rows of people who withdrew consent are not read.
    """
    user_table = of_others(user_tables.read(path).need(["person_id"]).complete("person_id"), withdrawn)
    if user_table.frame.is_empty():
        raise UserError(f"{path}: everyone in the table withdrew consent; see the cohort's `withdrawn`")
    if "recording_id" in user_table.frame.columns:
        user_table.once("recording_id", "recording")
    unused = not_traits(user_table, whole) if wanted is None else {}
    table = user_table.frame
    numeric = [name for name, dtype in table.schema.items() if dtype.is_numeric() and name not in user_tables.IDS]
    names = [name for name in numeric if not name.startswith("machine_") and name not in unused]
    for name, (_, detail) in unused.items():
        print(f"{path}: {name} is no trait: {detail}", flush=True)
    if not names:
        raise UserError(f"{path}: no numeric column, so no trait; the table has {', '.join(table.columns)}")
    names = names if wanted is None else chosen([name for name in names if name not in FLAGS], wanted, path)
    by = [name for name in ("person_id", "recording_id") if name in table.columns]
    table = table.sort(by, maintain_order=True)  # sums must not depend on the order of the file
    values = table.select(names).cast(pl.Float64).to_numpy(writable=True)
    values[~np.isfinite(values)] = np.nan
    seen = np.isfinite(values).all(axis=1) if whole else np.isfinite(values).any(axis=1)
    if not seen.any():
        raise UserError(f"{path}: no recording has a value among {', '.join(names[:8])}")
    excluded = [row("trait", name, *why) for name, why in unused.items()]
    rows = pl.concat([tables.TRAITS_EXCLUDED.empty(), *excluded])
    ids = table["recording_id"].to_numpy()[seen] if "recording_id" in table.columns else None
    marked = {name: user_tables.as_numbers(table[name]) == 1 for name in FLAGS if name in table.columns}
    flags = {name: flag.fill_null(False).to_numpy()[seen] for name, flag in marked.items()}
    return Recordings(table["person_id"].to_numpy()[seen], values[seen], names, rows, ids, flags)


DETAIL = {
    "no_genotypes": "no sample in the genotype files",
    "no_ecg": "kept and unrelated, but without a value of any trait",
    "genotype_qc": "no sample passed quality control",
    "duplicate": "another person has the same genotypes (a twin, or one person twice) and stands for both",
    "related": "a relative in the unrelated set stands for the family",
    "no_person": "neither the table of people nor the id_bridge names its person",
}


def reasons(with_trait: np.ndarray, samples: pl.DataFrame) -> pl.DataFrame:
    """tables.TRAITS_EXCLUDED of people who lack genotypes, passed no quality control, are related, or lack a trait.

    Everyone genotyped who is not analysed has a row, and so has a sample of which no person is known.
    """
    people = samples.filter(pl.col("person_id").is_not_null()).group_by("person_id")
    copy = pl.col("copy_of").is_not_null().any()
    state = people.agg(
        pl.col("keep").any(), (pl.col("keep") & pl.col("unrelated")).any().alias("free"), copy.alias("copy")
    )
    joined = pl.DataFrame({"person_id": with_trait}).join(state, on="person_id", how="full", coalesce=True)
    traits = pl.Series("person_id", with_trait)
    excluded_rows = joined.with_columns(has=pl.col("person_id").is_in(traits.implode())).with_columns(
        reason=pl.when(pl.col("keep").is_null())
        .then(pl.lit("no_genotypes"))
        .when(~pl.col("has"))
        .then(pl.lit("no_ecg"))
        .when(pl.col("has") & ~pl.col("keep"))
        .then(pl.lit("genotype_qc"))
        .when(pl.col("has") & ~pl.col("free") & pl.col("copy"))
        .then(pl.lit("duplicate"))
        .when(pl.col("has") & ~pl.col("free"))
        .then(pl.lit("related"))
    )
    excluded_rows = excluded_rows.filter(pl.col("reason").is_not_null()).with_columns(
        detail=pl.col("reason").replace_strict(DETAIL)
    )
    outside = pl.col("reason") == "no_ecg"
    twin = pl.when(pl.col("copy")).then(pl.lit("duplicate")).otherwise(pl.lit("related"))
    genotypes = pl.when(~pl.col("keep")).then(pl.lit("genotype_qc")).when(~pl.col("free")).then(twin)
    also = pl.lit("no value of any trait; ") + genotypes.replace_strict(DETAIL, default=None)
    excluded_rows = excluded_rows.with_columns(
        detail=pl.when(outside).then(pl.coalesce(also, "detail")).otherwise("detail")
    )
    return pl.concat(
        [
            _rows("person", excluded_rows["person_id"], excluded_rows["reason"], excluded_rows["detail"]),
            _unknown(samples),
        ]
    )


def _unknown(samples: pl.DataFrame) -> pl.DataFrame:
    """Rows of the samples whose person is not known."""
    ids = samples.filter(pl.col("person_id").is_null())["sample_id"]
    why = [pl.Series([text] * len(ids), dtype=pl.String) for text in ("no_person", DETAIL["no_person"])]
    return _rows("sample", ids, *why)


def _rows(kind: str, ids: pl.Series, why: pl.Series, detail: pl.Series) -> pl.DataFrame:
    rows = pl.DataFrame(
        {"kind": pl.Series([kind] * len(ids), dtype=pl.String), "id": ids, "reason": why, "detail": detail}
    )
    return tables.TRAITS_EXCLUDED.typed(rows.with_columns(n=pl.lit(None, pl.Int32)))


def row(kind: str, name: str, reason: str, detail: str) -> pl.DataFrame:
    """One row of tables.TRAITS_EXCLUDED."""
    return _rows(kind, pl.Series([name]), pl.Series([reason]), pl.Series([detail]))


def analysable(with_trait: np.ndarray, samples: pl.DataFrame, where: str) -> pl.DataFrame:
    """person_id, sample_id, index of people with a trait and a kept, unrelated sample, by index."""
    free = samples.filter(pl.col("keep") & pl.col("unrelated") & pl.col("person_id").is_not_null())
    known = pl.Series("person_id", with_trait)
    analysed = free.filter(pl.col("person_id").is_in(known.implode())).sort("index").unique("person_id", keep="first")
    if analysed.is_empty():
        named = samples["person_id"].drop_nulls()
        shared = int(named.is_in(known.implode()).sum())
        raise UserError(
            f"{where}: no person to analyse: {len(known)} people have a trait (such as {known.head(3).to_list()}),"
            f" {len(named)} have genotypes (such as {named.head(3).to_list()}), {shared} have both,"
            " none of them kept and unrelated. Where ids differ, name a table of person_id, sample_id in the cohort's"
            " `id_bridge`."
        )
    return analysed.sort("index").select("person_id", "sample_id", "index")


def complete(
    chosen: pl.DataFrame, base: pl.DataFrame, pcs: pl.DataFrame, shown: dict[str, str], n_pcs: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`chosen` with the columns of `base` and PCs, of people complete in all; and the excluded of the others.

    Columns of `base` are aliases of those that `shown` names, so that none of a user's meets pc1, … of the genotypes.
    """
    components = [f"pc{k + 1}" for k in range(n_pcs)]
    absent = [name for name in components if name not in pcs.columns]
    if absent:
        raise UserError(f"{n_pcs} PCs asked (`phenotypes.pcs`), but the PC table has {', '.join(pcs.columns)}")
    joined = chosen.join(base, on="person_id", how="left", maintain_order="left")
    joined = joined.join(pcs.select("sample_id", *components), on="sample_id", how="left", maintain_order="left")
    names = shown | {name: name for name in components}
    if not names:
        return joined, tables.TRAITS_EXCLUDED.empty()
    absent_of = [pl.when(pl.col(c).is_null()).then(pl.lit(name)) for c, name in names.items()]
    detail = joined.select(pl.concat_list(absent_of).list.drop_nulls().list.unique(maintain_order=True).list.join(", "))
    detail = detail.to_series().rename("detail")
    excluded_rows = detail != ""
    why = pl.Series(["missing_covariate"] * int(excluded_rows.sum()), dtype=pl.String)
    excluded = _rows("person", joined["person_id"].filter(excluded_rows), why, detail.filter(excluded_rows))
    return joined.filter(~excluded_rows), excluded
