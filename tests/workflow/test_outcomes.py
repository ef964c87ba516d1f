"""0/1 outcomes through the whole workflow, relatives kept: the diseases of the tiny cohort."""

import shutil

import polars as pl
import pytest
from tests.conftest import PROJECT, run_study

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def study():
    """Results of the tiny study with model `outcomes` alone; its cohort has few cases."""
    folder = PROJECT / "results" / "tiny-outcomes"
    shutil.rmtree(folder, ignore_errors=True)
    overrides = ["study=tiny-outcomes", "models=[outcomes]", "report={model: outcomes}", "exports={formats: [regenie]}"]
    overrides += ["phenotypes={pcs: 2, min_cases: 8, relatives: keep}"]
    finished = run_study("config/tiny.yaml", "--config", *overrides)
    assert finished.returncode == 0, finished.stderr[-5000:]
    return folder / "cohorts" / "demo-tiny" / "gwas" / "outcomes", folder


def test_every_outcome_is_scanned_checked_by_hail_and_exported(study):
    gwas, folder = study
    traits = pl.read_parquet(gwas / "sumstats" / "traits-000.parquet")
    assert traits["trait"].to_list() == ["af", "hf", "mi", "conduction"]
    assert (traits["cases"] >= 8).all()
    part = pl.read_parquet(gwas / "sumstats" / "part-000.parquet")
    assert set(part["test:af"].unique()) >= {1, 2}
    apart = pl.read_parquet(gwas / "crosscheck.parquet")
    assert apart.select("score_difference", "lrt_difference", "firth_difference").max_horizontal().max() < 1e-3
    assert (gwas / "exports" / "regenie" / "hf.regenie.gz").stat().st_size > 10_000
    page = (folder / "report" / "index.html").read_text()
    assert "Manhattan plot, axis-wise minimum" in page
    assert "Manhattan plot, joint test" not in page
