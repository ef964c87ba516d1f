"""Embeddings and measurements together: both are used where both tell, and neither spoils the other."""

import numpy as np
import polars as pl
import pytest

from ecgwas.errors import UserError
from ecgwas.predict.methods import combined, probe
from ecgwas.stats.discrimination import auroc

TRAIN, CHOOSE, TEST = np.arange(300), np.arange(300, 500), np.arange(500, 1500)


def scored(z: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """AUROC among those tested: of embeddings, of measurements, of both."""
    alone = [probe.fit(v[TRAIN], y[TRAIN], v[CHOOSE], y[CHOOSE]).logits(v) for v in (z, x)]
    both = combined.fit_outcome(z, x, y, TRAIN, CHOOSE)
    logits = [*alone, both.bias + z @ both.embedding + x @ both.measured]
    return tuple(auroc(y[TEST], one[TEST]) for one in logits)


@pytest.mark.parametrize("of_x", [0.0, 1.5])
def test_what_each_alone_knows_both_know(of_x):
    rng = np.random.default_rng(4)
    z = rng.standard_normal((1500, 40)) * np.geomspace(5, 0.05, 40)
    x = np.column_stack([100 + 20 * rng.standard_normal((1500, 6)), np.zeros(1500)])  # one is constant
    eta = 0.4 * z[:, 0] + of_x * (x[:, 0] - 100) / 20
    y = (rng.random(1500) < 1 / (1 + np.exp(-eta))).astype(float)
    y[rng.random(1500) < 0.1] = np.nan
    known = ~np.isnan(y)
    embedding, measured, both = scored(z, x, np.where(known, y, 0))
    if of_x:
        assert both > max(embedding, measured) + 0.03
    else:
        assert both > embedding - 0.02


def test_units_do_not_matter():
    """Another unit of a measurement, another origin of an embedding: the same logits."""
    rng = np.random.default_rng(5)
    z, x = rng.standard_normal((1500, 8)), rng.standard_normal((1500, 5))
    y = (z[:, 0] + x[:, 0] + rng.standard_normal(1500) > 0).astype(float)
    one = combined.fit_outcome(z, x, y, TRAIN, CHOOSE)
    other = combined.fit_outcome(z + 3, 1000 * x - 7, y, TRAIN, CHOOSE)
    logits = one.bias + z @ one.embedding + x @ one.measured
    again = other.bias + (z + 3) @ other.embedding + (1000 * x - 7) @ other.measured
    np.testing.assert_allclose(again, logits, atol=1e-6)
    assert one.told == pytest.approx(other.told)


@pytest.fixture(scope="module")
def intervals(world, tmp_path_factory):
    """A measurement that tells who is slow, of all recordings but the first ten."""
    labels = pl.read_parquet(world.labels)
    rng = np.random.default_rng(6)
    slow = labels["y:slow"].fill_null(0).to_numpy() + 0.3 * rng.standard_normal(labels.height)
    table = labels.select("recording_id", rate_bpm=pl.Series(80 - 20 * slow)).slice(10)
    path = tmp_path_factory.mktemp("measured") / "intervals.parquet"
    table.write_parquet(path)
    return path


def test_a_cohort_is_scored_with_both(world, intervals):
    predictor = world.fit("combined", "both", intervals=intervals)
    scores = world.score(predictor, intervals=intervals)
    assert scores["reason"].null_count() == scores.height == 160  # also without measurements
    labels = pl.read_parquet(world.labels).filter(pl.col("split") == "test", pl.col("y:slow").is_not_null())
    tested = labels.join(scores, on="recording_id")
    assert auroc(tested["y:slow"].to_numpy(), tested["slow"].to_numpy()) > 0.9
    few = world.score(predictor, intervals=intervals, batch=7)
    np.testing.assert_allclose(few["slow"], scores["slow"], rtol=1e-5, atol=1e-5)
    with pytest.raises(UserError, match="reads intervals"):
        world.score(predictor)


def test_those_tested_teach_nothing(world, intervals, tmp_path):
    first = world.fit("combined", "seen", intervals=intervals).read_bytes()
    tested = pl.read_parquet(world.labels).filter(split="test")["recording_id"].implode()
    changed = pl.when(pl.col("recording_id").is_in(tested)).then(-1e3).otherwise("rate_bpm").alias("rate_bpm")
    pl.read_parquet(intervals).with_columns(changed).write_parquet(tmp_path / "intervals.parquet")
    assert world.fit("combined", "unseen", intervals=tmp_path / "intervals.parquet").read_bytes() == first
