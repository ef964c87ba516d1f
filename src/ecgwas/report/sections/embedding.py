"""Probing results and distances of every model -> the section of the page on the embedding."""

from typing import Any

import polars as pl

from ecgwas.report import format, inputs
from ecgwas.report.inputs import StudyResults

QUANTITIES = {
    "repeatability": "repeatability",
    "cohort": "cohort (source)",
    "device": "device",
    "native_lowpass_hz": "low-pass of the machine (bandwidth)",
    "native_highpass_hz": "high-pass of the machine",
    "rate_hz": "sampling rate",
    "unit": "unit",
}
SCORES = {"R2": "R²", "AUROC": "AUROC", "ICC": "ICC"}
# Baselines, and the configuration that adds each.
BASELINES = {
    "random": ("the untrained encoder", "models: [..., random] (config/models/random.yaml: the model with steps: 0)"),
    "pca": ("principal components of median beats and RR", "models: [..., pca]"),
    "intervals": ("the classical intervals", "models: [..., intervals]"),
}


def section(results: StudyResults, roles: dict[str, str]) -> dict[str, Any] | None:
    """What the template shows of the embeddings; None where no model was probed.

    `roles`: kind of each model, random where it is untrained; without it, no missing baseline is reported.
    """
    cohorts, models, labels = results.study.cohorts, results.study.models, results.study.report.labels
    readouts = inputs.read_readouts(results.root, models)
    ood = inputs.read_ood(results.root, cohorts, models)
    if not readouts and not ood:
        return None
    places = [place for place in ("all", *cohorts) if any(place in table["cohort"] for table in readouts.values())]
    return {
        "labels": [labels.get(name, name) for name in readouts],
        "groups": [{"cohort": place, "rows": rows(readouts, place)} for place in places],
        "distances": distances(ood, cohorts, models, labels),
        "absent": [BASELINES[role] for role in BASELINES if roles and role not in roles.values()],
    }


def rows(readouts: dict[str, pl.DataFrame], cohort: str) -> list[dict]:
    """One row per quantity, wanted ones first, one cell per model; the reason where no model has a score."""
    of_cohort = {model: table.filter(cohort=cohort) for model, table in readouts.items()}
    order = pl.concat(of_cohort.values()).unique(["quantity", "kind"], maintain_order=True)
    made = []
    for kind in ("wanted", "unwanted"):
        for name, score in order.filter(kind=kind).select("quantity", "score").rows():
            found = [table.filter(quantity=name).to_dicts()[:1] for table in of_cohort.values()]
            reasons = [row[0]["reason"] for row in found if row and row[0]["reason"]]
            unscored = not any(row and row[0]["value"] is not None for row in found)
            made.append(
                {
                    "name": QUANTITIES.get(name, format.parameter(name)),
                    "kind": kind,
                    "score": SCORES[score],
                    "cells": [cell(row[0] if row else None) for row in found],
                    "reason": f"not estimable: {reasons[0]}" if unscored and reasons else None,
                }
            )
    return made


def cell(row: dict | None) -> dict:
    """Score, interval and number of recordings; the reason where there is no score."""
    if row is None or row["value"] is None:
        return {"value": "–", "interval": (row or {}).get("reason") or "", "warn": False}
    interval = f"{format.decimal(row['low'])} to {format.decimal(row['high'])}"
    confounded = row["kind"] == "unwanted" and row["low"] is not None and row["low"] > 0.5
    return {
        "value": format.decimal(row["value"]),
        "interval": f"{interval}; n = {format.count(row['n'])}",
        "warn": confounded,
    }


def distances(
    ood: dict[tuple[str, str], pl.DataFrame], cohorts: list[str], models: list[str], labels: dict[str, str]
) -> dict[str, Any] | None:
    """Share of each cohort's recordings beyond the 99th and 99.9th percentile of the training recordings."""
    named = [model for model in models if any((cohort, model) in ood for cohort in cohorts)]
    if not named:
        return None
    lines = [{"cohort": c, "cells": [_beyond(ood.get((c, m))) for m in named]} for c in cohorts]
    return {"labels": [labels.get(name, name) for name in named], "rows": lines}


def _beyond(table: pl.DataFrame | None) -> str:
    if table is None or table.is_empty():
        return "–"
    shares = [format.percent((table["percentile"] > limit).sum(), table.height) for limit in (99, 99.9)]
    return " / ".join(shares)
