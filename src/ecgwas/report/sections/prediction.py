"""Tables of evaluated predictions -> the page's section on disease prediction, as values for the template."""

from pathlib import Path
from typing import Any

import polars as pl

from ecgwas import tables
from ecgwas.config import Study
from ecgwas.report import format, inputs
from ecgwas.report.figures import prediction
from ecgwas.report.sections import explanation

GAPS = 12  # groups with the largest gaps that are listed


def section(root: Path, study: Study, cohorts: list[str]) -> dict[str, Any] | None:
    """What the template shows of disease prediction; None where nothing was predicted."""
    model = study.predict.model or study.report.model or study.models[0]
    found = inputs.ResultTables(root, {"model": model})
    performance, survival = found[tables.PREDICT_PERFORMANCE], found[tables.SURVIVAL]
    if performance is None and survival is None:
        return None
    method = study.predict.methods[0]
    return {
        "method": format.METHODS[method],
        "auroc": None if performance is None else [auroc(performance, c) for c in cohorts],
        "operating_points": operating_points(found.rows(tables.PREDICT_THRESHOLDS), method),
        "calibration": calibration(found.rows(tables.PREDICT_PERFORMANCE), method),
        "pictures": pictures(found, method),
        "gaps": gaps(found.rows(tables.PREDICT_SUBGROUPS), method),
        "survival": concordance(found.rows(tables.SURVIVAL)),
        "curves": prediction.survival(found.rows(tables.SURVIVAL_CURVES)),
        "explained": explanation.explained(root, study, model),
    }


def interval(row: dict, digits: int = 3) -> dict[str, str]:
    """A value and its interval as text, or the reason why there is none."""
    if row.get("value") is None:
        return {"value": "–", "interval": row.get("reason") or ""}
    known = row["low"] is not None and row["high"] is not None
    ends = f"{format.decimal(row['low'], digits)} to {format.decimal(row['high'], digits)}" if known else ""
    return {"value": format.decimal(row["value"], digits), "interval": ends}


def auroc(performance: pl.DataFrame, cohort: str) -> dict[str, Any]:
    """One cohort's test split, all labels: one row per outcome, one cell per method."""
    selected = performance.filter(cohort=cohort, split="test", metric="auroc", label_share=1.0)
    methods = selected["method"].unique(maintain_order=True).to_list()
    rows = []
    for outcome in selected["outcome"].unique(maintain_order=True):
        of = {row["method"]: row for row in selected.filter(outcome=outcome).iter_rows(named=True)}
        cases = next((row["n_cases"] for row in of.values()), None)
        rows.append(
            {
                "outcome": outcome,
                "cases": format.count(cases),
                "cells": [interval(of[m]) if m in of else {"value": "–", "interval": ""} for m in methods],
            }
        )
    return {"cohort": cohort, "methods": [format.METHODS.get(m, m) for m in methods], "rows": rows}


def operating_points(thresholds: pl.DataFrame, method: str) -> list[dict]:
    """Performance in each cohort at the operating point selected in the validation split."""
    shown = ("sensitivity", "specificity", "ppv", "npv")
    selected = thresholds.filter(method=method, split="test").filter(pl.col("metric").is_in(shown))
    rows = []
    for (cohort, outcome), group in selected.group_by("cohort", "outcome", maintain_order=True):
        of = {row["metric"]: interval(row, 2) for row in group.iter_rows(named=True)}
        rows.append({"cohort": cohort, "outcome": outcome, "cells": [of.get(name) for name in shown]})
    return rows


def calibration(performance: pl.DataFrame, method: str) -> list[dict]:
    """Slope, intercept and expected calibration error of the probabilities."""
    shown = ("slope", "intercept", "ece", "auprc")
    selected = performance.filter(method=method, split="test", label_share=1.0).filter(pl.col("metric").is_in(shown))
    rows = []
    for (cohort, outcome), group in selected.filter(pl.col("outcome") != "macro").group_by(
        "cohort", "outcome", maintain_order=True
    ):
        of = {row["metric"]: interval(row, 2) for row in group.iter_rows(named=True)}
        rows.append({"cohort": cohort, "outcome": outcome, "cells": [of.get(name) for name in shown]})
    return rows


def pictures(found: inputs.ResultTables, method: str) -> dict[str, str]:
    """Calibration plot and decision curve in the test split of the first cohort."""
    made = {"reliability": "", "decision": ""}
    if found[tables.PREDICT_RELIABILITY] is not None:
        made["reliability"] = prediction.reliability(
            found[tables.PREDICT_RELIABILITY].filter(method=method, split="test")
        )
    if found[tables.PREDICT_DECISION] is not None:
        made["decision"] = prediction.decision(found[tables.PREDICT_DECISION].filter(method=method, split="test"))
    return made


def gaps(subgroups: pl.DataFrame, method: str) -> list[dict]:
    """Subgroups whose AUROC differs most from that of all others; those whose interval excludes 0 first."""
    selected = subgroups.filter(method=method, split="test", metric="auroc").filter(pl.col("gap").is_not_null())
    apart = (pl.col("gap_low") > 0) | (pl.col("gap_high") < 0)
    rows = selected.with_columns(apart=apart.fill_null(False)).sort(
        "apart", pl.col("gap").abs(), descending=True, maintain_order=True
    )
    return [
        row
        | {
            "auroc": interval(row),
            "difference": interval({"value": row["gap"], "low": row["gap_low"], "high": row["gap_high"]}),
            "people": format.count(row["n_people"]),
        }
        for row in rows.head(GAPS).iter_rows(named=True)
    ]


def concordance(survival: pl.DataFrame) -> list[dict]:
    """Harrell's C of the Cox models by covariates, and its increment from the embedding over age and sex."""
    selected = survival.filter(split="test", head="cox", metric="harrell")
    rows = []
    for (cohort, outcome), group in selected.group_by("cohort", "outcome", maintain_order=True):
        for row in group.iter_rows(named=True):
            less = f" less {format.METHODS.get(row['other'], row['other'])}" if row["other"] else ""
            name = format.METHODS.get(row["method"], row["method"]) + less
            rows.append(
                {
                    "cohort": cohort,
                    "outcome": outcome,
                    "model": name,
                    "events": format.count(row["n_events"]),
                    **interval(row),
                }
            )
    return rows
