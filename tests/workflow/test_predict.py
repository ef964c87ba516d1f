"""Diseases through the whole workflow, with a second cohort that nothing was trained on, of another device, without
genotypes: labels, predictors, judgement, explanations, a bundle that scores files.
"""

import re
import shutil

import polars as pl
import pytest
from tests.conftest import PROJECT, run_study
from tests.contract.catalogue import described

from ecgwas import tables
from ecgwas.predict.release import apply

pytestmark = pytest.mark.workflow

COHORT = "cohorts/demo-tiny"
ABROAD = "demo-abroad"
COHORTS = ["cohorts=[demo-tiny,demo-abroad]", "pretrain=[demo-tiny]"]
INTERPRET = "interpret={methods: [probe], recordings: 4, steps: 4, checked: 2}"
PREDICT = (
    "predict={outcomes: {mi: {column: mi}, later: {codes: ['I48*'], kind: incident}},"
    " methods: [probe, combined, intervals, demographics], label_shares: [0.5], label_draws: 1, min_cases: 2,"
    " min_cell: 2, resamples: 100, horizons_years: [3], axes: 4}"
)
WRITTEN = {
    f"{COHORT}/predict/labels.parquet": tables.LABELS,
    f"{COHORT}/predict/excluded.parquet": tables.LABELS_EXCLUDED,
    f"{COHORT}/predict/tiny/scores-probe.parquet": tables.SCORES,
    f"{COHORT}/predict/tiny/scores-intervals-0500-0.parquet": tables.SCORES,
    "predict/tiny/performance.parquet": tables.PREDICT_PERFORMANCE,
    "predict/tiny/differences.parquet": tables.PREDICT_DIFFERENCES,
    "predict/tiny/thresholds.parquet": tables.PREDICT_THRESHOLDS,
    "predict/tiny/population.parquet": tables.PREDICT_POPULATION,
    "predict/tiny/survival.parquet": tables.SURVIVAL,
    "predict/tiny/hazard_ratios.parquet": tables.SURVIVAL_HAZARD_RATIOS,
    f"{COHORT}/interpret/tiny/probe/occlusion.parquet": tables.INTERPRET_OCCLUSION,
    f"{COHORT}/interpret/tiny/probe/checks.parquet": tables.INTERPRET_CHECKS,
    f"{COHORT}/interpret/tiny/allele_beats.parquet": tables.ALLELE_BEATS,
    f"{COHORT}/interpret/tiny/allele_traits.parquet": tables.ALLELE_TRAITS,
    f"{COHORT}/interpret/tiny/traversal.parquet": tables.TRAVERSAL,
}


@pytest.fixture(scope="module")
def study(tiny):
    """The tiny study, run already, with predictions added."""
    folder = PROJECT / "results" / "tiny-predict"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(tiny, folder, symlinks=True)
    overrides = ["study=tiny-predict", *COHORTS, PREDICT, INTERPRET]
    finished = run_study("config/tiny.yaml", "--config", *overrides, "release={licence: CC-BY-4.0}")
    assert finished.returncode == 0, finished.stderr[-5000:]
    assert not {"rule scan", "rule pretrain"} & set(re.findall(r"rule [a-z]+", finished.stderr))  # not made again
    return folder


def test_tables_keep_their_promise_and_the_page_tells(study):
    for name, schema in WRITTEN.items():
        written = pl.read_parquet_schema(study / name)
        promised = dict(schema.schema)
        assert {column: written.get(column) for column in promised} == promised, name
    assert described(study) > 80
    page = (study / "report" / "index.html").read_text()
    assert 'id="predicted"' in page
    loci = pl.read_parquet(study / COHORT / "gwas/tiny/loci.parquet")
    assert ("Effects of the loci on the ECG" in page) == (loci.height > 0)


def test_the_cohort_abroad_is_scored_whole_at_thresholds_it_did_not_choose(study):
    labels = pl.read_parquet(study / f"cohorts/{ABROAD}/predict/labels.parquet")
    assert set(labels["split"]) == {"test"}
    table = pl.read_parquet(study / "predict/tiny/thresholds.parquet").filter(outcome="mi", rule="youden")
    used = table.filter(pl.col("threshold").is_not_null()).unique(["cohort", "method", "threshold"])
    assert set(used["cohort"]) == {"demo-tiny", ABROAD}
    assert used.group_by("method").agg(pl.col("threshold").n_unique())["threshold"].max() == 1
    performance = pl.read_parquet(study / "predict/tiny/performance.parquet").filter(cohort=ABROAD, metric="auroc")
    assert {"probe", "combined", "intervals"} <= set(performance.filter(pl.col("value").is_not_null())["method"])
    assert ABROAD in (study / "report" / "index.html").read_text()
    assert not (study / f"cohorts/{ABROAD}/gwas").exists()


def test_everyone_counts_or_has_a_reason(study):
    recordings = set(pl.read_parquet(study / COHORT / "ecg/recordings.parquet")["recording_id"])
    labels = pl.read_parquet(study / COHORT / "predict/labels.parquet")
    gone = pl.read_parquet(study / COHORT / "predict/excluded.parquet")
    assert recordings == set(labels["recording_id"]) | set(gone["recording_id"])
    for name in ("mi", "later"):
        unlabelled = set(labels.filter(pl.col(f"y:{name}").is_null())["recording_id"])
        assert unlabelled <= set(gone.filter(outcome=name)["recording_id"])
    assert labels.group_by("person_id").agg(pl.col("split").n_unique())["split"].max() == 1


def test_the_bundle_scores_files_as_the_pipeline_does(study, tmp_path):
    ecgs = study / "simulated/demo-tiny/ecg"
    scores = pl.read_parquet(study / COHORT / "predict/tiny/scores-probe.parquet").sort("recording_id").head(5)
    for name in scores["recording_id"]:
        for path in ecgs.glob(f"{name}.*"):
            shutil.copy(path, tmp_path)
    (tmp_path / "notes.txt").write_text("not an ECG")
    apply.main(study / "predict/tiny/bundle-probe", tmp_path, tmp_path / "out.csv")
    found = pl.read_csv(tmp_path / "out.csv")
    known = found.filter(pl.col("logit:mi").is_not_null()).sort("recording_id")
    assert known["recording_id"].to_list() == scores["recording_id"].to_list()
    assert (known["logit:mi"] - scores["mi"]).abs().max() < 1e-3
    assert found.filter(pl.col("file").str.ends_with("notes.txt"))["reason"].item()
