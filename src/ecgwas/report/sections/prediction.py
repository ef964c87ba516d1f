"""Tables of predictions and their explanations -> the page's sections on diseases, as values for the template."""

from pathlib import Path
from typing import Any

import polars as pl

from ecgwas import tables
from ecgwas.config import LEADS, Study
from ecgwas.report import format, inputs
from ecgwas.report.figures import allele_effects, prediction

JUDGED = {
    "performance": ("predict/{model}/performance.parquet", tables.PREDICT_PERFORMANCE),
    "thresholds": ("predict/{model}/thresholds.parquet", tables.PREDICT_THRESHOLDS),
    "reliability": ("predict/{model}/reliability.parquet", tables.PREDICT_RELIABILITY),
    "decision": ("predict/{model}/decision.parquet", tables.PREDICT_DECISION),
    "subgroups": ("predict/{model}/subgroups.parquet", tables.PREDICT_SUBGROUPS),
    "survival": ("predict/{model}/survival.parquet", tables.SURVIVAL),
    "survival_curves": ("predict/{model}/survival_curves.parquet", tables.SURVIVAL_CURVES),
}
EXPLAINED = {
    "occlusion": ("cohorts/{cohort}/interpret/{model}/{method}/occlusion.parquet", tables.INTERPRET_OCCLUSION),
    "checks": ("cohorts/{cohort}/interpret/{model}/{method}/checks.parquet", tables.INTERPRET_CHECKS),
}
LOCI = {
    "beats": ("cohorts/{cohort}/interpret/{model}/allele_beats.parquet", tables.ALLELE_BEATS),
    "traits": ("cohorts/{cohort}/interpret/{model}/allele_traits.parquet", tables.ALLELE_TRAITS),
}
SEGMENTS = ("P", "PR", "QRS", "ST", "T", "TP")
TITLES = {
    "finetuned": "fine-tuned",
    "attention": "attention pooling",
    "probe": "linear probe",
    "combined": "probe and classical intervals",
    "random": "untrained encoder",
    "supervised": "supervised, same size",
    "xresnet1d": "xresnet1d",
    "intervals": "classical intervals",
    "demographics": "age and sex",
    "embedding": "embedding, age, sex",
}
GAPS = 12  # groups with the largest gaps that are listed


def section(root: Path, study: Study, cohorts: list[str]) -> dict[str, Any] | None:
    """All that the template says of diseases; None where nothing was predicted."""
    model = study.predict.model or study.report.model or study.models[0]
    found = {name: inputs.read(root / path.format(model=model), schema) for name, (path, schema) in JUDGED.items()}
    if found["performance"] is None and found["survival"] is None:
        return None
    method = study.predict.methods[0]
    return {
        "method": TITLES[method],
        "auroc": None if found["performance"] is None else [auroc(found["performance"], c) for c in cohorts],
        "carried": [] if found["thresholds"] is None else carried(found["thresholds"], method),
        "calibration": [] if found["performance"] is None else calibration(found["performance"], method),
        "pictures": pictures(found, method),
        "gaps": [] if found["subgroups"] is None else gaps(found["subgroups"], method),
        "survival": [] if found["survival"] is None else concordance(found["survival"]),
        "curves": [] if found["survival_curves"] is None else prediction.survival(found["survival_curves"]),
        "explained": explained(root, study, model),
    }


def interval(row: dict, digits: int = 3) -> dict[str, str]:
    """A value and its interval in words, or why there is none."""
    if row.get("value") is None:
        return {"value": "–", "interval": row.get("reason") or ""}
    known = row["low"] is not None and row["high"] is not None
    ends = f"{format.decimal(row['low'], digits)} to {format.decimal(row['high'], digits)}" if known else ""
    return {"value": format.decimal(row["value"], digits), "interval": ends}


def auroc(performance: pl.DataFrame, cohort: str) -> dict[str, Any]:
    """One cohort: a row an outcome, a cell a method; all labels, the test split."""
    here = performance.filter(cohort=cohort, split="test", metric="auroc", label_share=1.0)
    methods = here["method"].unique(maintain_order=True).to_list()
    rows = []
    for outcome in here["outcome"].unique(maintain_order=True):
        of = {row["method"]: row for row in here.filter(outcome=outcome).iter_rows(named=True)}
        cases = next((row["n_cases"] for row in of.values()), None)
        rows.append(
            {
                "outcome": outcome,
                "cases": format.count(cases),
                "cells": [interval(of[m]) if m in of else {"value": "–", "interval": ""} for m in methods],
            }
        )
    return {"cohort": cohort, "methods": [TITLES.get(m, m) for m in methods], "rows": rows}


def carried(thresholds: pl.DataFrame, method: str) -> list[dict]:
    """What the threshold of those who choose is worth in each cohort."""
    shown = ("sensitivity", "specificity", "ppv", "npv")
    here = thresholds.filter(method=method, split="test").filter(pl.col("metric").is_in(shown))
    rows = []
    for (cohort, outcome), group in here.group_by("cohort", "outcome", maintain_order=True):
        of = {row["metric"]: interval(row, 2) for row in group.iter_rows(named=True)}
        rows.append({"cohort": cohort, "outcome": outcome, "cells": [of.get(name) for name in shown]})
    return rows


def calibration(performance: pl.DataFrame, method: str) -> list[dict]:
    """Slope, intercept and expected calibration error of the probabilities."""
    shown = ("slope", "intercept", "ece", "auprc")
    here = performance.filter(method=method, split="test", label_share=1.0).filter(pl.col("metric").is_in(shown))
    rows = []
    for (cohort, outcome), group in here.filter(pl.col("outcome") != "macro").group_by(
        "cohort", "outcome", maintain_order=True
    ):
        of = {row["metric"]: interval(row, 2) for row in group.iter_rows(named=True)}
        rows.append({"cohort": cohort, "outcome": outcome, "cells": [of.get(name) for name in shown]})
    return rows


def pictures(found: dict[str, pl.DataFrame | None], method: str) -> dict[str, str]:
    """Told against seen risk, and net benefit, of the first cohort's test people."""
    made = {"reliability": "", "decision": ""}
    if found["reliability"] is not None:
        made["reliability"] = prediction.reliability(found["reliability"].filter(method=method, split="test"))
    if found["decision"] is not None:
        made["decision"] = prediction.decision(found["decision"].filter(method=method, split="test"))
    return made


def gaps(subgroups: pl.DataFrame, method: str) -> list[dict]:
    """Groups whose AUROC differs most from everybody else's, those whose interval excludes 0 first."""
    here = subgroups.filter(method=method, split="test", metric="auroc").filter(pl.col("gap").is_not_null())
    apart = (pl.col("gap_low") > 0) | (pl.col("gap_high") < 0)
    rows = here.with_columns(apart=apart.fill_null(False)).sort(
        "apart", pl.col("gap").abs(), descending=True, maintain_order=True
    )
    return [
        row
        | {
            "here": interval(row),
            "difference": interval({"value": row["gap"], "low": row["gap_low"], "high": row["gap_high"]}),
            "people": format.count(row["n_people"]),
        }
        for row in rows.head(GAPS).iter_rows(named=True)
    ]


def concordance(survival: pl.DataFrame) -> list[dict]:
    """Harrell's C of the Cox models by covariates, beside what the embedding adds to age and sex."""
    here = survival.filter(split="test", head="cox", metric="harrell")
    rows = []
    for (cohort, outcome), group in here.group_by("cohort", "outcome", maintain_order=True):
        for row in group.iter_rows(named=True):
            less = f" less {TITLES.get(row['other'], row['other'])}" if row["other"] else ""
            name = TITLES.get(row["method"], row["method"]) + less
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


def explained(root: Path, study: Study, model: str) -> list[dict]:
    """The occlusion table of each outcome, 12 leads by 6 segments, and the checks of the maps."""
    made = []
    train = study.predict.train or study.cohorts[0]
    for method in study.interpret.methods:
        found = {
            name: inputs.read(root / path.format(cohort=train, model=model, method=method), schema)
            for name, (path, schema) in EXPLAINED.items()
        }
        if found["occlusion"] is None:
            continue
        for outcome in found["occlusion"]["outcome"].unique(maintain_order=True):
            table = found["occlusion"].filter(outcome=outcome, by="usual")
            checks = tables.empty(tables.INTERPRET_CHECKS) if found["checks"] is None else found["checks"]
            made.append(
                {
                    "method": TITLES[method],
                    "outcome": outcome,
                    "rows": heat(table),
                    "n": format.count(table["n"].max()),
                    "checks": checked(checks.filter(outcome=outcome, map="occlusion_usual")),
                }
            )
    return made


def heat(occlusion: pl.DataFrame) -> list[dict]:
    """A row a lead, a cell a segment: change of the logit, and how strong it is among all, 0 to 100."""
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
    """What the checks say of a map, in words."""
    of = {row["check"]: row["value"] for row in checks.iter_rows(named=True) if row["value"] is not None}
    told = []
    if {"deletion", "deletion_random"} <= set(of):
        told.append(
            f"deletion {format.decimal(of['deletion'])}, in random order {format.decimal(of['deletion_random'])}"
            " (mean logit; lower is better)"
        )
    if "random_weights" in of:
        told.append(f"correlation with the map of shuffled weights {format.decimal(of['random_weights'])} (0 is good)")
    if "seeds" in of:
        told.append(f"between seeds {format.decimal(of['seeds'])} (1 is good)")
    return told


def loci(root: Path, cohort: str, model: str, limit: int) -> list[dict]:
    """What each locus does to the ECG: the beat per allele, and the measurements that it changes most."""
    found = {
        name: inputs.read(root / path.format(cohort=cohort, model=model), schema)
        for name, (path, schema) in LOCI.items()
    }
    if found["beats"] is None or found["traits"] is None:
        return []
    made = []
    for locus in found["beats"]["locus"].unique(maintain_order=True).to_list()[:limit]:
        strongest = found["traits"].filter(locus=locus).sort("neg_log10_p", descending=True, nulls_last=True).head(3)
        traits = [
            f"{format.parameter(row['trait'])} {format.estimate(row['beta'], row['se'])},"
            f" p = {format.p_value(row['neg_log10_p'])}"
            for row in strongest.iter_rows(named=True)
        ]
        made.append({"locus": locus, "picture": allele_effects.beat_change(found["beats"], locus), "traits": traits})
    return made
