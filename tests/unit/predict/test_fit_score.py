"""A predictor from labels to logits: what it may see, what it finds, and the same numbers again."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.unit.conftest import make_cohort

from ecgwas.config import Ingest, Predict, Transformer
from ecgwas.predict import fit, networks, score
from ecgwas.predict.metrics import auroc
from ecgwas.pretrain import checkpoint, train

N = 240
RECIPE = Transformer(width=16, depth=2, heads=2, embedding=16, steps=40, batch=32, learning_rate=3e-3, rank_floor=1)
SETTINGS = Predict(
    outcomes={"tall": {"column": "tall"}, "long": {"column": "long"}}, epochs=8, patience=8, batch=16, min_cases=3,
    learning_rates=[1e-3, 3e-3],
)  # fmt: skip
NETWORKS = ("finetuned", "attention", "probe", "random", "supervised", "xresnet1d")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A cohort whose outcomes are a tall T wave and a long PR, labels, and a model pretrained on it."""
    folder = tmp_path_factory.mktemp("study")
    cohort = make_cohort(folder / "toy" / "ecg", N, no_beat=2)
    paths = {name: folder / name for name in ("checkpoint", "history", "resume")}
    train.main([cohort.recordings], cohort.strips, cohort.beats, RECIPE, Ingest(), **paths)
    labels(cohort, folder / "labels.parquet")
    return folder, cohort


def labels(cohort, path: Path) -> None:
    rng = np.random.default_rng([1])
    split = np.array(["train", "choose", "test"])[np.searchsorted([0.6, 0.8], np.arange(N) / N, "right")]
    p = cohort.parameters
    y = {"tall": p["t_mv"] > p["t_mv"].median(), "long": p["pr"] > p["pr"].quantile(0.7)}
    table = pl.read_parquet(cohort.recordings).select("recording_id", "person_id").with_columns(split=pl.Series(split))
    table = table.with_columns(pl.Series(f"y:{name}", x.cast(pl.Float64)) for name, x in y.items())
    lost = pl.Series(rng.random(N) < 0.1)
    table.with_columns(pl.when(lost).then(None).otherwise(pl.col("y:long")).alias("y:long")).write_parquet(path)


def fitted(study, name: str, method: str, labels: Path | None = None, settings: Predict = SETTINGS, **options) -> Path:
    folder, cohort = study
    path = folder / f"{name}.pt"
    fit.main(method, folder / "checkpoint", cohort.recordings, cohort.strips, cohort.beats,
             labels or folder / "labels.parquet", settings, path, folder / f"{name}-resume", **options)  # fmt: skip
    return path


def scored(study, predictor: Path, batch: int = 64) -> pl.DataFrame:
    folder, cohort = study
    out = predictor.with_suffix(f".{batch}.parquet")
    score.main(predictor, cohort.recordings, cohort.strips, cohort.beats, folder / "labels.parquet", out, batch=batch)
    return pl.read_parquet(out)


@pytest.mark.parametrize("method", NETWORKS)
def test_every_network_finds_a_planted_wave_whatever_the_batch(study, method):
    path = fitted(study, method, method)
    one, other = scored(study, path), scored(study, path, 7)
    np.testing.assert_allclose(one["tall"].to_numpy(), other["tall"].to_numpy(), atol=1e-5)
    truth = pl.read_parquet(study[0] / "labels.parquet").filter(split="test")
    test = truth.join(one, on="recording_id", how="left", maintain_order="left")
    found = auroc(test["y:tall"].to_numpy(), test["tall"].to_numpy())
    assert found > (0.6 if method in ("random", "xresnet1d", "supervised", "attention") else 0.8), found


def test_what_is_not_to_be_learnt_from_changes_no_byte(study, tmp_path):
    folder = study[0]
    table = pl.read_parquet(folder / "labels.parquet")
    turned = pl.when(pl.col("split") == "test").then(1 - pl.col("y:tall")).otherwise(pl.col("y:tall"))
    table.with_columns(turned.alias("y:tall")).write_parquet(tmp_path / "labels.parquet")
    a, b = fitted(study, "a", "finetuned"), fitted(study, "b", "finetuned", tmp_path / "labels.parquet")
    assert a.read_bytes() == b.read_bytes()


def test_a_killed_run_goes_on_to_the_same_bytes(study, monkeypatch):
    whole = fitted(study, "whole", "supervised")
    real, calls = fit.training.train_once, []

    def dies(*args):
        calls.append(args[3])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(fit.training, "train_once", dies)
    with pytest.raises(KeyboardInterrupt):
        fitted(study, "killed", "supervised")
    again = fitted(study, "killed", "supervised")
    assert calls == [1e-3, 3e-3, 3e-3]
    assert again.read_bytes() == whole.read_bytes()


def test_one_network_each_has_the_outcomes_in_order(study):
    path = fitted(study, "apart", "supervised", settings=SETTINGS.model_copy(update={"together": False}))
    parts = checkpoint.load(path)["parts"]
    assert [part["outcomes"] for part in parts] == [["tall"], ["long"]]
    assert isinstance(networks.load(path), networks.Several)
    assert scored(study, path).columns[-2:] == ["tall", "long"]
    assert json.dumps(parts[0]["trials"])
