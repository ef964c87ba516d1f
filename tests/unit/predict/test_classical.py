"""Regressions on tables: those of scikit-learn, with what is missing."""

import numpy as np
import polars as pl
import pytest

from ecgwas.predict import classical, linear
from ecgwas.predict.examples import Examples, labelled
from ecgwas.predict.metrics import auroc

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("penalty", [0.3, 30.0])
def test_the_regression_is_scikit_learns(penalty):
    sklearn = pytest.importorskip("sklearn.linear_model")
    x = RNG.standard_normal((300, 7))
    y = (x @ np.linspace(-1, 1, 7) + RNG.standard_normal(300) > 0.8).astype(float)
    w = linear.logistic(x, y, penalty)
    other = sklearn.LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=1000).fit(x, y)
    np.testing.assert_allclose(w, np.r_[other.intercept_, other.coef_[0]], atol=1e-4)


def test_scaling_is_folded_into_the_weights_and_choice_is_by_those_who_choose():
    x = RNG.standard_normal((400, 5)) * [1, 10, 100, 0.1, 0] + 3
    y = (x[:, [1]] > 3).astype(float)
    train, choose = np.arange(400) < 250, (np.arange(400) >= 250) & (np.arange(400) < 320)
    found, fits = linear.fit(x, y, train, choose)
    eta = found(x[choose])[:, 0]
    assert fits[0].loss == pytest.approx(np.mean(np.logaddexp(0, eta) - y[choose, 0] * eta), rel=1e-9)
    assert found.weight[0, 4] == 0
    turned = y.copy()
    turned[~(train | choose)] = 1 - turned[~(train | choose)]
    assert np.array_equal(linear.fit(x, turned, train, choose)[0].weight, found.weight)
    assert np.isnan(linear.fit(x, np.zeros((400, 1)), train, choose)[0].weight).all()


def test_more_features_than_recordings_give_the_same_regression():
    x = RNG.standard_normal((40, 90))
    y = (x[:, 0] > 0).astype(float)
    wide = linear.fit_one(x, y, x[:0], y[:0])
    mean, width = linear.scales(x)[wide.scale]
    w = linear.logistic((x - mean) / width, y, wide.penalty)
    np.testing.assert_allclose(wide.weight, w[1:] / width, atol=1e-5)


def cohort(n: int = 400) -> tuple[pl.DataFrame, np.ndarray]:
    split = np.array(["train", "choose", "test"])[np.searchsorted([0.6, 0.8], np.arange(n) / n, "right")]
    age, male = RNG.uniform(30, 80, n), RNG.random(n) < 0.5
    pr = 160 + 20 * RNG.standard_normal(n)
    y = (0.08 * (age - 55) + 0.05 * (pr - 160) + RNG.standard_normal(n) > 0.5).astype(float)
    table = pl.DataFrame({"recording_id": [f"r{k}" for k in range(n)], "split": split, "age": age,
                          "sex": np.where(male, "male", "female"), "pr_ms": pr})  # fmt: skip
    return table.with_columns(pl.when(pl.int_range(pl.len()) % 7 == 0).then(None).otherwise("pr_ms").alias("pr_ms")), y


def test_age_and_sex_and_measurements_find_what_they_should(tmp_path):
    table, y = cohort()
    measured = table.select(
        "recording_id", "pr_ms", af=pl.lit(False), machine_pr_ms="pr_ms", p_axis_deg=pl.lit(None, pl.Float64)
    )
    measured.write_parquet(tmp_path / "intervals.parquet")
    examples = Examples(table.drop("pr_ms"), y[:, None], ["x"])
    for method, least in (("demographics", 0.75), ("intervals", 0.7)):
        fitted = {"method": method} | classical.fit(method, examples, tmp_path / "intervals.parquet")
        logits = classical.score(fitted, examples.table, tmp_path / "intervals.parquet")
        test = examples.of("test")
        assert auroc(y[test], logits[test, 0]) > least
        assert np.isfinite(logits).all()
    assert fitted["features"] == ["pr_ms", "af"]
    measured.drop("af").write_parquet(tmp_path / "other.parquet")
    assert np.isfinite(classical.score(fitted, examples.table, tmp_path / "other.parquet")).all()


def test_draws_of_few_labels_hold_each_class():
    y = (RNG.random((500, 3)) < [0.3, 0.02, 0.5]).astype(float)
    rows = labelled(y, 0.05, np.random.default_rng(1))
    assert len(rows) == 25
    assert (y[rows].sum(0) >= 3).all()
    assert ((1 - y[rows]).sum(0) >= 3).all()
    assert np.array_equal(rows, labelled(y, 0.05, np.random.default_rng(1)))
