"""explain: a fitted predictor and a cohort -> four tables that say what they should."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.unit.predict.conftest import World, make_world, predict

from ecgwas import config, tables
from ecgwas.errors import UserError
from ecgwas.interpret.predictors import explain

NAMES = ("occlusion", "attributions", "beat_maps", "checks")


def run(world: World, predictor: Any, scores: pl.DataFrame, **options: Any) -> dict[str, pl.DataFrame]:
    """Tables of a predictor."""
    scores.write_parquet(world.folder / "s.parquet")
    out = {name: world.folder / f"{name}.parquet" for name in NAMES}
    paths = {name if name != "checks" else "checks_table": path for name, path in out.items()}
    settings = config.Interpret(recordings=4, steps=4, checked=2)
    explain.main(
        predictor, labels=world.labels, scores=world.folder / "s.parquet", settings=settings, **world.signals, **paths,
        **options,
    )  # fmt: skip
    return {name: pl.read_parquet(path) for name, path in out.items()}


def test_tables_of_a_predictor(tmp_path):
    world = make_world(tmp_path, 32)
    predictor, other = world.fit("probe"), world.fit("random", "other")
    scores = world.score(predictor)
    found = run(world, predictor, scores, others=[other])
    for name in NAMES:
        assert found[name].schema == getattr(tables, f"INTERPRET_{name.upper()}").schema
    occlusion = found["occlusion"]
    assert occlusion.height == 2 * 2 * 12 * 6  # outcomes, what is put there
    told = occlusion.filter(pl.col("n") > 0)
    assert told.height > 100
    assert (told["reason"].is_null()).all()
    sums = told.group_by("outcome", "by").agg(pl.col("share").sum())["share"]
    np.testing.assert_allclose(sums, 1)
    shares = found["attributions"].group_by("outcome", "map").agg(pl.col("share").sum(), pl.col("time_share").sum())
    np.testing.assert_allclose(shares["share"], 1)
    assert set(shares["map"]) == {"integrated_flat", "integrated_usual", "attention"}
    checks = found["checks"]
    kinds = {"deletion", "insertion", "deletion_random", "insertion_random", "random_weights", "seeds"}
    assert kinds < set(checks["check"])
    assert set(checks.filter(check="residual")["map"]) == {"integrated_flat", "integrated_usual"}


def test_without_scores_there_is_a_reason(tmp_path):
    world = make_world(tmp_path, 32)
    predictor = world.fit("probe")
    scores = world.score(predictor).with_columns(pl.lit(None, pl.Float64).alias("big_t"))
    found = run(world, predictor, scores)
    lost = found["occlusion"].filter(outcome="big_t")
    assert set(lost["reason"]) == {"no_scored_recording"}
    assert lost["delta_logit"].is_null().all()
    with pytest.raises(UserError, match="slow"):
        run(world, predictor, scores.drop("slow"))


def test_a_network_without_attention_says_so(tmp_path):
    world = make_world(tmp_path, 32)
    predictor = world.fit("xresnet1d", settings=predict(epochs=1))
    found = run(world, predictor, world.score(predictor))
    assert set(found["attributions"]["map"]) == {"integrated_flat", "integrated_usual"}
    assert set(found["checks"].filter(map="attention")["reason"]) == {"no_attention"}
