"""Incident disease from labels to tables: planted ratios found, carried to another cohort, small groups hidden."""

import numpy as np
import polars as pl
import pytest

from ecgwas import config, tables
from ecgwas.errors import UserError
from ecgwas.predict.survival import survival

OUTPUTS = ("survival", "hazard_ratios", "curves", "calibration", "risks")
PLANTED = {"age": 0.3, "male": 0.2, "axis_1": 0.8}


def cohort(folder, name, n, seed, external=False):
    """Files of people whose hazard rises with age, sex and the first axis; death competes; times are whole days."""
    rng = np.random.default_rng(seed)
    ids = [f"{name}{k:05d}" for k in range(n)]
    age, male = rng.uniform(40, 80, n), rng.random(n) < 0.5
    z = rng.standard_normal((n, 4)) * [3, 2, 1, 0.5]
    score = PLANTED["age"] * (age - 60) / 11.5 + PLANTED["male"] * male * 2 + PLANTED["axis_1"] * z[:, 0] / 3
    ends = [rng.uniform(3, 14, n), rng.exponential(1 / (0.06 * np.exp(score))), rng.exponential(1 / 0.03, n)]
    ends = np.ceil(np.column_stack(ends) * 365.25) / 365.25
    event = ends.argmin(1)
    split = np.full(n, "test") if external else rng.choice(["train", "validation", "test"], n, p=[0.6, 0.15, 0.25])
    labels = pl.DataFrame({"recording_id": ids, "person_id": ids, "split": split, "age": age})
    labels = labels.with_columns(sex=pl.Series(np.where(male, "male", "female")), time=pl.lit(None, pl.String))
    labels = labels.with_columns(pl.Series("years:af", ends.min(1)), pl.Series("event:af", event.astype(np.int8)))
    labels = labels.with_columns(pl.Series("years:rare", ends.min(1)), pl.lit(0, pl.Int8).alias("event:rare"))
    labels.write_parquet(folder / f"{name}-labels.parquet")
    told = pl.DataFrame(z.astype(np.float32), schema=[f"e{k:04d}" for k in range(4)])
    told.with_columns(pl.Series("recording_id", ids)).sample(fraction=1, shuffle=True, seed=1).write_parquet(
        folder / f"{name}-embeddings.parquet"
    )
    pr = pl.Series("pr_ms", 160 + 10 * z[:, 1] + 5 * rng.standard_normal(n))
    pl.DataFrame({"recording_id": ids}).with_columns(pr).write_parquet(folder / f"{name}-intervals.parquet")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("survival")
    cohort(folder, "here", 2000, 1)
    cohort(folder, "there", 500, 2, external=True)
    return ran(folder, ["here", "there"])


def ran(folder, names, **changed):
    outcomes = {name: config.Outcome(codes=["I48*"], kind="incident") for name in ("af", "rare")}
    settings = config.Predict(outcomes=outcomes, resamples=100, horizons_years=[2, 6, 30], axes=3, **changed)
    files = {kind: [folder / f"{n}-{kind}.parquet" for n in names] for kind in ("labels", "embeddings", "intervals")}
    paths = {f"{name}_out": folder / f"{name}.parquet" for name in OUTPUTS}
    survival.main(names, **files, **paths, settings=settings)
    return {name: pl.read_parquet(folder / f"{name}.parquet") for name in OUTPUTS}


def test_planted_hazard_ratios_lie_inside_their_intervals(made):
    found = made["hazard_ratios"].filter(method="embedding", penalty=0.0)
    assert found["covariate"].to_list() == ["age", "male", "axis_1", "axis_2", "axis_3"]
    assert (found["p_proportional_all"] > 0.001).all()
    for name in found["covariate"]:
        row = found.row(by_predicate=pl.col("covariate") == name, named=True)
        low, high = sorted(np.log([row["low"], row["high"]]))
        # An axis has no sign of its own.
        signs = (1, -1) if name.startswith("axis") else (1,)
        assert any(low <= sign * PLANTED.get(name, 0.0) <= high for sign in signs), name


@pytest.mark.parametrize("name", ["here", "there"])
def test_the_embedding_is_better_than_age_and_sex_and_calibrated_in_both_cohorts(made, name):
    table = made["survival"].filter(cohort=name, outcome="af", method="embedding")
    for head in ("cox", "discrete"):
        for metric in ("harrell", "uno"):
            better = table.filter(head=head, metric=metric, other="demographics").row(0, named=True)
            assert better["low"] > 0
        slope = table.filter(head=head, metric="slope", horizon_years=6.0).row(0, named=True)
        # Resampled are the people judged, not those who train: the interval leaves out what the fit itself errs by.
        assert slope["low"] - 0.25 < 1 < slope["high"] + 0.25
        told = made["calibration"].filter(cohort=name, method="embedding", head=head, horizon_years=6.0)
        inside = told.filter((pl.col("low") <= pl.col("predicted")) & (pl.col("predicted") <= pl.col("high")))
        assert inside.height >= 0.6 * told.height > 0
    assert 30.0 not in table["horizon_years"].to_list()


def test_what_is_rare_has_a_reason_and_small_groups_no_row(made):
    rare = made["survival"].filter(outcome="rare")
    assert rare["value"].null_count() == rare.height == 1
    assert "fewer than 5" in rare["reason"][0]
    shown = made["curves"]
    assert shown["n_at_risk"].min() >= 5
    for group in shown.partition_by("cohort", "outcome", "method", "head", "group"):
        left = -group.sort("years")["n_at_risk"].diff().drop_nulls()
        assert not left.is_between(1, 4).any()  # a difference of rows is a cell too
    assert (shown.filter(method="embedding", head="cox")["p_log_rank"] < 1e-4).all()
    high, low = (shown.filter(cohort="here", method="embedding", head="cox", group=g) for g in (3, 1))
    assert high["incidence"].max() > 2 * low["incidence"].max()


def test_a_horizon_that_nobody_reaches_has_a_row_that_says_so(made):
    for name in ("here", "there"):
        row = made["survival"].filter(cohort=name, outcome="af", horizon_years=30.0).row(0, named=True)
        assert row["value"] is None
        assert row["reason"] == "not estimable: fewer than 5 people followed past 30 years"


def test_people_without_an_embedding_are_told_of(made, tmp_path):
    for name in ("here", "there"):
        cohort(tmp_path, name, 500, 1, external=name == "there")
    path = tmp_path / "there-embeddings.parquet"
    pl.read_parquet(path).filter(~pl.col("recording_id").is_in(["there00003", "there00004"])).write_parquet(path)
    path = tmp_path / "here-embeddings.parquet"
    taught = pl.read_parquet(tmp_path / "here-labels.parquet").filter(split="train")["recording_id"][0]
    pl.read_parquet(path).filter(pl.col("recording_id") != taught).write_parquet(path)
    found = ran(tmp_path, ["here", "there"])["risks"].filter(outcome="af")
    lost = found.filter(pl.col("reason").is_not_null())
    assert sorted(lost.select("recording_id", "split").rows()) == [
        (taught, "train"), ("there00003", "test"), ("there00004", "test")
    ]  # fmt: skip
    assert lost["risk"].null_count() == 3
    assert set(lost["reason"]) == {"no_embedding"}
    told = found.filter(pl.col("reason").is_null(), cohort="there")
    assert told["person_id"].n_unique() == 498
    assert made["risks"]["reason"].null_count() == made["risks"].height


def test_the_external_cohort_teaches_nothing(made, tmp_path):
    cohort(tmp_path, "here", 2000, 1)
    again = ran(tmp_path, ["here"])
    assert again["hazard_ratios"].equals(made["hazard_ratios"])
    alone = made["risks"].filter(cohort="here")
    assert again["risks"].equals(alone)
    assert (alone.filter(horizon_years=30.0)["risk"].null_count()) == alone.filter(horizon_years=30.0).height


def test_tables_have_their_columns_and_settings_are_checked(made, tmp_path):
    names = ("SURVIVAL", "SURVIVAL_HAZARD_RATIOS", "SURVIVAL_CURVES", "SURVIVAL_CALIBRATION", "SURVIVAL_RISKS")
    for name, schema in zip(OUTPUTS, names, strict=True):
        assert made[name].columns == list(getattr(tables, schema).columns)
    cohort(tmp_path, "here", 50, 1)
    with pytest.raises(UserError, match=r"predict\.train names 'nowhere'"):
        ran(tmp_path, ["here"], train="nowhere")
