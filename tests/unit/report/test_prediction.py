"""The sections on diseases say what the tables say, and what is missing leaves no trace."""

from pathlib import Path

import polars as pl
import pytest

from ecgwas import tables
from ecgwas.config import LEADS, Interpret, Outcome, Predict, Study
from ecgwas.report import page
from ecgwas.report.sections import allele_effects, explanation, prediction

STUDY = Study(
    study="s",
    cohorts=["a", "b"],
    models=["net"],
    predict=Predict(outcomes={"af": Outcome(column="af")}),
    interpret=Interpret(methods=["finetuned"]),
)


def write(root: Path, path: str, schema: tables.Table, rows: list[dict]) -> None:
    """A table with these values and nulls elsewhere."""
    kinds = schema.schema
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame([{name: row.get(name) for name in kinds} for row in rows], schema=kinds).write_parquet(root / path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    who = {"method": "finetuned", "outcome": "af", "split": "test"}
    ends = {"value": 0.8125, "low": 0.75, "high": 0.875}
    performance = [
        {**who, **ends, "cohort": c, "label_share": 1.0, "metric": "auroc", "n_cases": 40 if c == "a" else None}
        for c in ("a", "b")
    ]
    performance.append(
        {**who, "cohort": "b", "method": "probe", "label_share": 1.0, "metric": "auroc", "reason": "3 cases"}
    )
    performance.append({**who, **ends, "cohort": "a", "label_share": 0.1, "metric": "auroc", "value": 0.11})
    performance.append({**who, **ends, "cohort": "a", "label_share": 1.0, "metric": "slope", "value": 1.25})
    write(tmp_path, "predict/net/performance.parquet", tables.PREDICT_PERFORMANCE, performance)
    write(tmp_path, "predict/net/thresholds.parquet", tables.PREDICT_THRESHOLDS,
          [{**who, **ends, "cohort": "b", "metric": "sensitivity", "value": 0.66}])  # fmt: skip
    bins = [
        {**who, "cohort": "a", "bin": k, "predicted": k / 10, "observed": k / 9, "low": 0.0, "high": 0.5}
        for k in (1, 2)
    ]
    write(tmp_path, "predict/net/reliability.parquet", tables.PREDICT_RELIABILITY, bins)
    benefit = [{**who, "cohort": "a", "risk": r, "strategy": "advantage", "value": 0.1 - r} for r in (0.01, 0.05)]
    write(tmp_path, "predict/net/decision.parquet", tables.PREDICT_DECISION, benefit)
    who_auroc = {**who, "cohort": "a", "column": "sex", "metric": "auroc", "value": 0.7}
    groups = [
        who_auroc | {"group": g, "gap": gap, "gap_low": gap - 0.05, "gap_high": gap + 0.05}
        for g, gap in (("male", 0.01), ("female", -0.2))
    ]
    write(tmp_path, "predict/net/subgroups.parquet", tables.PREDICT_SUBGROUPS, groups)
    survival = {"cohort": "a", "outcome": "later", "split": "test", "method": "embedding", "head": "cox"}
    write(
        tmp_path,
        "predict/net/survival.parquet",
        tables.SURVIVAL,
        [{**survival, **ends, "metric": "harrell", "n_events": 33}],
    )
    curve = [{**survival, "group": g, "years": float(t), "incidence": g * t / 100, "incidence_low": 0.0,
              "incidence_high": 0.3, "p_log_rank": 0.004} for g in (1, 2, 3) for t in (1, 2)]  # fmt: skip
    write(tmp_path, "predict/net/survival_curves.parquet", tables.SURVIVAL_CURVES, curve)
    cell = {"method": "finetuned", "outcome": "af", "by": "usual", "n": 20}
    cells = [
        cell | {"lead": lead, "segment": s, "delta_logit": -1.5 if (lead, s) == ("V1", "P") else 0.25}
        for lead in LEADS
        for s in explanation.SEGMENTS
    ]
    write(tmp_path, "cohorts/a/interpret/net/finetuned/occlusion.parquet", tables.INTERPRET_OCCLUSION, cells)
    checks = [
        {"method": "finetuned", "outcome": "af", "map": "occlusion_usual", "check": "random_weights", "value": 0.05}
    ]
    write(tmp_path, "cohorts/a/interpret/net/finetuned/checks.parquet", tables.INTERPRET_CHECKS, checks)
    return tmp_path


def test_what_the_tables_say_is_said(root: Path) -> None:
    found = prediction.section(root, STUDY, ["a", "b"])
    here, there = found["auroc"]
    assert here["rows"][0]["cells"][0] == {"value": "0.812", "interval": "0.750 to 0.875"}
    assert here["rows"][0]["cases"] == "40"
    assert there["rows"][0]["cells"][1] == {"value": "–", "interval": "3 cases"}
    assert found["operating_points"][0]["cells"][0]["value"] == "0.66"
    assert found["calibration"][0]["cells"][0]["value"] == "1.25"
    assert [row["group"] for row in found["gaps"]] == ["female", "male"]
    assert found["survival"][0]["events"] == "33"
    assert "0.004" in found["curves"][0]["p"]
    v1 = next(row for row in found["explained"][0]["rows"] if row["lead"] == "V1")
    assert v1["cells"][0] == {"value": "−1.50", "strength": 100, "rises": False}
    assert found["explained"][0]["checks"] == ["correlation after shuffling the weights 0.05 (ideal: 0)"]


def test_the_page_holds_it(root: Path) -> None:
    text = page.render(minimal() | {"predicted": prediction.section(root, STUDY, ["a", "b"])})
    assert 'id="predicted"' in text
    assert "0.750 to 0.875" in text
    assert text.count("<svg") == 3
    assert 'id="predicted"' not in page.render(minimal() | {"predicted": None})


def test_a_study_without_predictions_has_no_section(tmp_path: Path) -> None:
    assert prediction.section(tmp_path, STUDY, ["a"]) is None
    assert allele_effects.locus_effects(tmp_path, "a", "net", 5) == []


def minimal() -> dict:
    """What the template needs of everything else."""
    words = ("title", "study", "label", "model", "p_threshold", "null_contigs", "permutations", "coverage")
    words += ("trait_unit", "trait_unit_short", "settings", "version")
    return {name: "x" for name in words} | {
        "seed": 1,
        "cohorts": [],
        "ungenotyped": [],
        "held": None,
        "history": None,
        "made_with": [],
    }
