"""Real recordings and real genotypes through the whole workflow: a stratified null, and a spike of known effects."""

import json
import subprocess
import sys

import polars as pl
import pytest
from tests.conftest import PROJECT, run_study

pytestmark = [pytest.mark.workflow, pytest.mark.realdata]

NULL, SPIKE = "cohorts/realdata-null", "cohorts/realdata-spike"


@pytest.fixture(scope="module")
def study(realdata):
    """Results of config/realdata.yaml with the models that need no training."""
    overrides = ["study=realdata-test", "models=[pca, intervals]", "report={model: pca}"]
    finished = run_study("config/realdata.yaml", "--config", *overrides)
    assert finished.returncode == 0, finished.stderr[-5000:]
    return PROJECT / "results" / "realdata-test"


def mean_lambda(folder):
    table = pl.read_parquet(folder / "calibration.parquet")
    return table.filter(trait="mean", variants="all", mac="any")["lambda_gc"].item()


def test_components_calm_a_stratified_null(study):
    for model in ("pca", "intervals"):
        assert mean_lambda(study / NULL / "gwas" / model) == pytest.approx(1.0, abs=0.05)
        assert pl.read_parquet(study / NULL / "gwas" / model / "loci.parquet").height <= 1


def test_without_components_the_planted_offset_inflates(study):
    command = [sys.executable, "benchmarks/stratification.py", "--results", str(study), "--models", "intervals"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["intervals_0_pcs"]["planted"] > 2
    assert told["intervals_10_pcs"]["planted"] == pytest.approx(1.0, abs=0.06)


def test_every_planted_variant_is_found(study):
    found = {
        model: json.loads((study / f"recovery/realdata-spike/{model}.json").read_text())["n_found"]
        for model in ("pca", "intervals")
    }
    assert found["intervals"] == 5
    # Sixteen components of median beats hold QT less well than its measurement.
    assert found["pca"] >= 3


def test_what_the_challenge_calls_unacceptable_is_mostly_excluded(study, realdata):
    labels = pl.read_csv(realdata / "ecg_challenge2011_seta/records.csv", infer_schema=False)
    excluded = pl.read_parquet(study / NULL / "ecg/excluded.parquet").filter(pl.col("reason") != "duplicate")
    share = dict(
        labels.with_columns(out=pl.col("record_id").is_in(excluded["recording_id"].to_list()))
        .group_by("quality")
        .agg(pl.col("out").mean())
        .iter_rows()
    )
    assert share["unacceptable"] > 0.75
    assert share["acceptable"] < 0.06
    assert excluded["reason"].null_count() == 0
