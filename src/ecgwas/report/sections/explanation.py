"""Occlusion maps of predictors and their checks -> tables of leads by segments, as values for the template."""

from pathlib import Path

import polars as pl

from ecgwas import tables
from ecgwas.config import LEADS, Study
from ecgwas.report import format, inputs

SEGMENTS = ("P", "PR", "QRS", "ST", "T", "TP")


def explained(root: Path, study: Study, model: str) -> list[dict]:
    """The occlusion table of each outcome, 12 leads by 6 segments, and the checks of its faithfulness."""
    made = []
    train = study.predict.train or study.cohorts[0]
    for method in study.interpret.methods:
        found = inputs.ResultTables(root, {"cohort": train, "model": model, "method": method})
        occlusion, checks = found.rows(tables.INTERPRET_OCCLUSION), found.rows(tables.INTERPRET_CHECKS)
        for outcome in occlusion["outcome"].unique(maintain_order=True):
            table = occlusion.filter(outcome=outcome, by="usual")
            made.append(
                {
                    "method": format.METHODS[method],
                    "outcome": outcome,
                    "rows": heat(table),
                    "n": format.count(table["n"].max()),
                    "checks": checked(checks.filter(outcome=outcome, map="occlusion_usual")),
                }
            )
    return made


def heat(occlusion: pl.DataFrame) -> list[dict]:
    """One row per lead, one cell per segment: change of the logit, and its size relative to the largest, 0 to 100."""
    of = {(row["lead"], row["segment"]): row for row in occlusion.iter_rows(named=True)}
    largest = max((abs(row["delta_logit"]) for row in of.values() if row["delta_logit"] is not None), default=1.0)
    rows = []
    for lead in LEADS:
        cells = []
        for segment in SEGMENTS:
            value = of.get((lead, segment), {}).get("delta_logit")
            strength = 0 if value is None else round(100 * abs(value) / (largest or 1.0))
            cells.append({"value": format.decimal(value, 2), "strength": strength, "rises": (value or 0) > 0})
        rows.append({"lead": lead, "cells": cells})
    return rows


def checked(checks: pl.DataFrame) -> list[str]:
    """Results of the checks of a map, as text."""
    of = {row["check"]: row["value"] for row in checks.iter_rows(named=True) if row["value"] is not None}
    lines = []
    if {"deletion", "deletion_random"} <= set(of):
        lines.append(
            f"deletion {format.decimal(of['deletion'])}, in random order {format.decimal(of['deletion_random'])}"
            " (mean logit; lower is better)"
        )
    if "random_weights" in of:
        lines.append(f"correlation after shuffling the weights {format.decimal(of['random_weights'])} (ideal: 0)")
    if "seeds" in of:
        lines.append(f"correlation between seeds {format.decimal(of['seeds'])} (ideal: 1)")
    return lines
