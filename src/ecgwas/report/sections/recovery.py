"""Recovery tables of a simulated cohort -> planted loci found or missed, by model."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ecgwas import tables
from ecgwas.report import format

TRUE_WORDS = ["true", "1", "yes"]


@dataclass(frozen=True)
class Recovery:
    """Rows of recovery tables by model, and their summaries by model; the main model first."""

    tables: dict[str, pl.DataFrame]
    summaries: dict[str, dict]


def section(truth: Recovery | None, labels: dict[str, str]) -> dict[str, Any] | None:
    """The table of planted loci; None for a real cohort."""
    if truth is None:
        return None
    rows = comparison(truth)
    return {
        "planted": next(iter(truth.summaries.values()))["n_planted"],
        "labels": [labels.get(name, name) for name in truth.tables],
        "rows": rows,
        "totals": [found_words(truth.summaries[name]) for name in truth.tables],
        "has_maf": any(row["maf"] != "–" for row in rows),
        "has_power": any(row["power"] != "–" for row in rows),
    }


def read_recovery(root: Path, cohort: str, models: list[str], model: str) -> Recovery | None:
    """Recovery of `cohort` by every model that has `recovery/{cohort}/{model}.tsv`; None for a real cohort."""
    order = [model, *(other for other in models if other != model)]
    paths = {name: tables.RECOVERY.at(root, cohort=cohort, model=name) for name in order}
    found = {name: read_table(path) for name, path in paths.items() if path.is_file()}
    if not found:
        return None
    summaries = {name: tables.RECOVERY_SUMMARY.at(root, cohort=cohort, model=name) for name in found}
    return Recovery(found, {name: _summary(summaries[name], table) for name, table in found.items()})


def read_table(path: Path) -> pl.DataFrame:
    """A recovery table, with `found` and `in_credible_set` as booleans (null where unknown)."""
    table = pl.read_csv(path, separator="\t", infer_schema_length=None, null_values=["", "NA", "null"])
    flags = [name for name in ("found", "in_credible_set") if name in table.columns]
    return table.with_columns(pl.col(flags).cast(pl.String).str.to_lowercase().is_in(TRUE_WORDS))


def _summary(path: Path, table: pl.DataFrame) -> dict:
    """The summary file; counts missing from it are taken from the table."""
    written = json.loads(path.read_text()) if path.is_file() else {}
    return {"n_planted": table.height, "n_found": int(table["found"].sum() or 0)} | written


def comparison(recovery: Recovery) -> list[dict]:
    """One row per planted locus; for every model found or not, −log10 p, distance of the lead, credible set."""
    first = next(iter(recovery.tables.values()))
    keyed = {
        name: {row["locus"]: row for row in table.iter_rows(named=True)} for name, table in recovery.tables.items()
    }
    return [
        {
            "locus": planted["locus"],
            "parameter": format.parameter(str(planted["parameter"])),
            "variance": format.percent(planted.get("variance_explained"), 1),
            "maf": format.percent(planted.get("maf"), 1),
            "power": format.percent(planted.get("analytic_power"), 1),
            "cells": [_cell(rows.get(planted["locus"])) for rows in keyed.values()],
        }
        for planted in first.iter_rows(named=True)
    ]


def _cell(row: dict | None) -> dict:
    if row is None:
        return {"found": None}
    return {
        "found": bool(row["found"]),
        "p": format.decimal(row.get("best_neg_log10_p"), 1),
        "away": format.distance(row.get("lead_distance_bp")),
        "in_set": row.get("in_credible_set"),
        "n_sets": row.get("n_credible_sets"),
        "set_size": row.get("credible_set_size"),
    }


def found_words(summary: dict) -> str:
    """7 of 8."""
    return f"{summary['n_found']} of {summary['n_planted']}"
