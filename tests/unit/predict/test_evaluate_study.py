"""The tables of a study: operating points fixed in the validation split, the same rows for all, small cells hidden."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from ecgwas import tables
from ecgwas.config import Outcome, Predict
from ecgwas.errors import UserError
from ecgwas.predict.evaluate import evaluate_study, operating_point
from ecgwas.stats import calibration, thresholds

METHODS = ["finetuned", "probe", "finetuned"]
FILES = ("finetuned", "probe", "few")
WRITTEN = {
    "performance": tables.PREDICT_PERFORMANCE,
    "differences": tables.PREDICT_DIFFERENCES,
    "thresholds": tables.PREDICT_THRESHOLDS,
    "reliability": tables.PREDICT_RELIABILITY,
    "decision": tables.PREDICT_DECISION,
    "subgroups": tables.PREDICT_SUBGROUPS,
    "population": tables.PREDICT_POPULATION,
}


def run(folder, out, cohorts="ab", settings=None, **changes):
    files = [f"{c}-{m}" for c in cohorts for m in FILES]
    inputs = {
        "labels": [folder / f"{c}-labels.parquet" for c in cohorts],
        "scores": [folder / f"{name}.parquet" for name in files],
        "recordings": [folder / f"{c}-recordings.parquet" for c in cohorts],
    } | changes
    outputs = {f"{name}_out": out / f"{name}.parquet" for name in WRITTEN}
    none = [None] * len(cohorts)
    settings = settings or Predict(resamples=100, subgroups=["sex", "age", "device", "leads", "ancestry"])
    evaluate_study.main(list(cohorts), METHODS, people=none, samples=none, settings=settings, **inputs, **outputs)
    return {name: pl.read_parquet(path) for name, path in zip(WRITTEN, outputs.values(), strict=True)}


@pytest.fixture(scope="module")
def made(study, tmp_path_factory):
    return run(study, tmp_path_factory.mktemp("tables"))


def scored(study, cohort, split="test", method="finetuned", outcome="af"):
    labels = pl.read_parquet(study / f"{cohort}-labels.parquet").filter(pl.col("split") == split)
    scores = pl.read_parquet(study / f"{cohort}-{method}.parquet").select("recording_id", outcome)
    both = labels.join(scores, on="recording_id").filter(pl.col(f"y:{outcome}").is_not_null())
    return both[f"y:{outcome}"].to_numpy(), both[outcome].to_numpy()


def one(table, **wanted):
    rows = table.filter(*(pl.col(name) == value for name, value in wanted.items()))
    assert rows.height == 1
    return rows.row(0, named=True)


def test_tables_have_their_schemas(made):
    for name, table in made.items():
        assert table.schema == WRITTEN[name].schema
        assert WRITTEN[name].typed(table).height > 0


def test_performance_is_scikit_learns_by_outcome_and_macro(made, study):
    for cohort in "ab":
        values = []
        for outcome in ("af", "mi"):
            y, s = scored(study, cohort, outcome=outcome)
            about = {"cohort": cohort, "split": "test", "method": "finetuned", "label_share": 1.0, "metric": "auroc"}
            row = one(made["performance"], outcome=outcome, **about)
            values.append(roc_auc_score(y, s))
            assert row["value"] == pytest.approx(values[-1], abs=1e-14)
            assert row["low"] < row["value"] < row["high"]
            assert (row["n"], row["n_cases"]) == (len(y), y.sum())
        macro = one(made["performance"], outcome="macro", **about)
        assert macro["value"] == pytest.approx(np.mean(values), abs=1e-14)
        assert macro["reason"] == "without rare: not estimable"


def test_an_outcome_with_few_cases_is_not_estimable_and_its_count_not_told(made):
    rows = made["performance"].filter(pl.col("outcome") == "rare")
    assert rows["value"].is_null().all()
    assert rows["n_cases"].is_null().all()
    assert rows["reason"].str.starts_with("not estimable").all()


def test_few_labels_are_the_mean_over_draws(made, study):
    labels = pl.read_parquet(study / "b-labels.parquet")
    few = pl.read_parquet(study / "b-few.parquet").join(labels, on="recording_id")
    each = [roc_auc_score(part["y:af"], part["af"]) for part in few.partition_by("draw")]
    row = one(made["performance"], cohort="b", outcome="af", label_share=0.1, metric="auroc", split="test")
    assert row["value"] == pytest.approx(np.mean(each), abs=1e-12)


def test_thresholds_are_fixed_by_those_who_choose_and_carried_over(made, study):
    y, s = scored(study, "a", "validation")
    fixed = thresholds.select(y, s, "youden").value
    rows = made["thresholds"].filter(method="finetuned", outcome="af")
    assert rows["threshold"].unique().to_list() == [fixed]
    y, s = scored(study, "b")
    sensitivity = one(rows, cohort="b", split="test", metric="sensitivity")
    assert sensitivity["value"] == pytest.approx((s[y == 1] >= fixed).mean())
    assert sensitivity["n"] == y.sum()
    ppv, screened = (one(rows, cohort="b", split="test", metric=metric) for metric in ("ppv", "screened"))
    ends = [screened[name] for name in ("value", "low", "high")]
    assert ends == pytest.approx([1 / ppv["value"], 1 / ppv["high"], 1 / ppv["low"]])


def test_probabilities_are_fitted_by_those_who_choose(made, study):
    y, s = scored(study, "a", "validation")
    intercept, slope = calibration.recalibration(s, y)
    rows = made["performance"].filter(method="finetuned", outcome="af", label_share=1.0, split="test")
    for cohort in "ab":
        assert one(rows, cohort=cohort, metric="platt_slope")["value"] == pytest.approx(slope)
    y, s = scored(study, "b")
    expected = calibration.slope_and_intercept(y, 1 / (1 + np.exp(-(intercept + slope * s))))
    found = [one(rows, cohort="b", metric=metric)["value"] for metric in ("slope", "intercept")]
    assert found == pytest.approx(expected)


def test_differences_are_paired(made, study):
    y, ours = scored(study, "b")
    _, theirs = scored(study, "b", method="probe")
    rows = made["differences"].filter(cohort="b", outcome="af", metric="auroc", split="test")
    for row in rows.iter_rows(named=True):
        assert row["value"] == pytest.approx(roc_auc_score(y, ours) - roc_auc_score(y, theirs))
    ends = {row["test"]: (row["low"], row["high"]) for row in rows.iter_rows(named=True)}
    assert ends["bootstrap"] == pytest.approx(ends["delong"], abs=0.02)


def test_no_table_shows_a_small_count(made):
    for table in made.values():
        for column in ("n", "n_people", "n_cases"):
            if column in table.columns:
                assert (table[column].drop_nulls() >= 5).all()
    cases = made["population"].drop_nulls(["n_people", "n_cases"])
    assert (cases["n_people"] - cases["n_cases"] >= 5).all()


def test_no_statistic_of_fewer_cases_than_a_cell_may_show(study, tmp_path):
    made = run(study, tmp_path, "a", Predict(resamples=100, min_cases=1, min_cell=200, subgroups=[]))
    assert made["performance"].filter(split="test", outcome="af")["value"].is_null().all()
    for name in ("decision", "reliability", "subgroups"):
        assert made[name].filter(outcome="af").is_empty()


def test_a_column_that_a_cohort_lacks_has_a_row(made):
    rows = made["subgroups"].filter(column="ancestry", outcome="af", method="probe", cohort="b")
    assert rows["reason"].to_list() == ["the cohort has no column ancestry"]


def test_every_method_is_judged_on_the_recordings_that_all_scored(study, tmp_path):
    probe = pl.read_parquet(study / "b-probe.parquet")
    lost = pl.when(pl.arange(probe.height) < 20).then(None).otherwise("af").alias("af")
    probe.with_columns(lost).write_parquet(tmp_path / "probe.parquet")
    files = [study / "b-finetuned.parquet", tmp_path / "probe.parquet", study / "b-few.parquet"]
    scores = [study / f"a-{name}.parquet" for name in ("finetuned", "probe", "few")] + files
    rows = run(study, tmp_path, scores=scores)["performance"]
    assert rows.filter(cohort="b", outcome="af", split="test")["n"].unique().to_list() == [380]
    lost = pl.when(pl.arange(probe.height) < 200).then(None).otherwise("af").alias("af")
    probe.with_columns(lost).write_parquet(tmp_path / "probe.parquet")
    rows = run(study, tmp_path, scores=scores)["performance"].filter(cohort="b", outcome="af", metric="auroc")
    left = one(rows, method="probe")
    assert left["value"] is None
    assert "scored 200 of 400 recordings" in left["reason"]
    assert one(rows, method="finetuned", label_share=1.0)["n"] == 400


def test_the_order_of_the_files_rows_does_not_matter(made, study, tmp_path):
    shuffled = []
    for cohort in "ab":
        shuffled.append(tmp_path / f"{cohort}-labels.parquet")
        table = pl.read_parquet(study / f"{cohort}-labels.parquet")
        table.sample(fraction=1, shuffle=True, seed=3).write_parquet(shuffled[-1])
    again = run(study, tmp_path, labels=shuffled)
    assert all(again[name].equals(made[name]) for name in made)


def test_incident_outcomes_stay_out_of_the_macro_mean(study, tmp_path):
    labels = pl.read_parquet(study / "a-labels.parquet").with_columns(pl.lit(1.0).alias("years:mi"))
    labels.write_parquet(tmp_path / "incident.parquet")
    rows = run(study, tmp_path, "a", labels=[tmp_path / "incident.parquet"])["performance"]
    about = {"method": "probe", "metric": "auroc", "split": "test"}
    assert one(rows, outcome="macro", **about)["value"] == one(rows, outcome="af", **about)["value"]


def test_only_the_prevalent_outcomes_of_the_study_are_judged(study, tmp_path):
    outcomes = {"af": Outcome(column="af"), "mi": Outcome(codes=["I21"], kind="incident")}
    rows = run(study, tmp_path, "a", settings=Predict(resamples=100, outcomes=outcomes))["performance"]
    assert set(rows["outcome"]) == {"af", "macro"}


def test_without_those_who_choose_there_is_no_threshold_and_the_logit_is_the_risk(study, tmp_path):
    labels = pl.read_parquet(study / "a-labels.parquet").with_columns(split=pl.lit("test"))
    labels.write_parquet(tmp_path / "labels.parquet")
    made = run(study, tmp_path, "a", labels=[tmp_path / "labels.parquet"])
    assert made["thresholds"].filter(split="test")["value"].is_null().all()
    assert made["thresholds"].filter(split="test")["reason"].is_not_null().all()
    rows = made["performance"].filter(outcome="af", method="probe", split="test", label_share=1.0)
    assert one(rows, metric="auroc")["value"] > 0.7
    assert "too few cases in the validation split" in one(rows, metric="slope")["reason"]


def test_bad_tables_are_refused(study, tmp_path):
    labels = pl.read_parquet(study / "a-labels.parquet")
    bad = tmp_path / "labels.parquet"
    labels.with_columns(pl.lit(2.0).alias("y:af")).write_parquet(bad)
    with pytest.raises(UserError, match=r"column y:af has 2\.0; labels are 0, 1 or empty"):
        run(study, tmp_path, "a", labels=[bad])
    labels.drop("split").write_parquet(bad)
    with pytest.raises(UserError, match=r"columns \['split'\] are missing"):
        run(study, tmp_path, "a", labels=[bad])
    pl.concat([labels, labels.head(1)]).write_parquet(bad)
    with pytest.raises(UserError, match="appears more than once"):
        run(study, tmp_path, "a", labels=[bad])
    with pytest.raises(UserError, match="give one a method, cohort by cohort"):
        run(study, tmp_path, "a", scores=[study / "a-probe.parquet"])
    pl.read_parquet(study / "a-probe.parquet").with_columns(method=pl.lit("probe")).write_parquet(bad)
    with pytest.raises(UserError, match="scores of probe, given as finetuned"):
        run(study, tmp_path, "a", scores=[bad] * 3)
    with pytest.raises(UserError, match="no such file"):
        run(study, tmp_path, "a", scores=[tmp_path / "none.parquet"] * 3)


def test_a_cohort_in_which_nobody_has_a_label_is_told_of_and_stops_nobody(made, study, tmp_path):
    for name in ("labels", "finetuned", "probe", "few"):
        pl.read_parquet(study / f"b-{name}.parquet").head(0).write_parquet(tmp_path / f"b-{name}.parquet")
    labels = [study / "a-labels.parquet", tmp_path / "b-labels.parquet"]
    scores = [place / f"{c}-{m}.parquet" for c, place in (("a", study), ("b", tmp_path)) for m in FILES]
    again = run(study, tmp_path, labels=labels, scores=scores)
    told = again["performance"].filter(cohort="b")
    assert told.height
    assert told["value"].is_null().all()
    assert told["reason"].is_not_null().all()
    here = made["performance"].filter(cohort="a", metric="auroc")
    assert again["performance"].filter(cohort="a", metric="auroc").equals(here)


def test_a_hidden_denominator_does_not_come_back_by_the_share_called():
    y, person = np.r_[np.ones(20), np.zeros(80)], np.array([f"p{k}" for k in range(100)])
    fixed = operating_point.OperatingPoint(
        thresholds.Threshold(0.5, "youden", 0.5, 0.5), calibration.Platt(0.0, 1.0, None)
    )

    def rows(s: np.ndarray, whose: np.ndarray) -> dict:
        part = SimpleNamespace(name="af", y=y, methods={"probe": s}, person=whose, reason=None)
        return {row["metric"]: row for row in operating_point.threshold_rows(part, "probe", fixed, Predict())}

    few = rows((np.arange(100) < 3).astype(float), person)  # three are called
    assert few["ppv"]["n"] is few["flagged"]["n"] is few["flagged"]["value"] is None
    assert "fewer than 5 people" in few["flagged"]["reason"]
    assert few["sensitivity"]["value"] == 3 / 20
    one = np.where(np.arange(100) < 8, "p0", person)  # eight recordings, of one person
    assert rows((np.arange(100) < 8).astype(float), one)["ppv"]["value"] is None
    many = rows((np.arange(100) < 8).astype(float), person)
    assert (many["flagged"]["value"], many["ppv"]["n"]) == (0.08, 8)
