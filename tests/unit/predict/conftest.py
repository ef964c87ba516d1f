"""A small cohort with a planted disease, an encoder of it, and its labels, as files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import scipy.signal
from tests.unit.conftest import make_cohort
from tests.unit.predict.evaluated import study  # noqa: F401, a fixture

from ecgwas import config
from ecgwas.predict import fit, score
from ecgwas.pretrain import train

TINY = config.Transformer(width=16, depth=2, heads=2, embedding=16, head_rank=8, steps=6, batch=16)


@dataclass(frozen=True)
class World:
    """Files of a cohort whose people have `big_t` (a taller T wave) and `slow` (heart rate), 1 in 20 of these null."""

    cohort: Any
    checkpoint: Path
    labels: Path
    folder: Path

    @property
    def signals(self) -> dict[str, Any]:
        return {"recordings": self.cohort.recordings, "strips": self.cohort.strips, "beats": self.cohort.beats}

    def fit(self, method: str, name: str = "predictor", **options: Any) -> Path:
        """Path of a fitted predictor."""
        settings = options.pop("settings", predict())
        path = self.folder / f"{name}-{method}.pt"
        paths = {"labels": self.labels, "predictor": path, "checkpoint": self.checkpoint} | self.signals
        fit.main(method, settings=settings, **paths | options)
        return path

    def score(self, predictor: Path, **options: Any) -> pl.DataFrame:
        """Scores of a predictor."""
        path = self.folder / "scores.parquet"
        score.main(predictor, scores=path, **self.signals | options)
        return pl.read_parquet(path)


def predict(**changed: Any) -> config.Predict:
    """Settings of a quick fit."""
    outcomes = {name: config.Outcome(codes=[name]) for name in ("big_t", "slow")}
    quick = {"epochs": 2, "learning_rates": [3e-3], "batch": 16, "min_cases": 2}
    return config.Predict(outcomes=outcomes, **quick | changed)


def plant(cohort: Any, rng: np.random.Generator) -> np.ndarray:
    """Double the T wave of half of the people's median beats and strips: who they are, bool [n]."""
    table = pl.read_parquet(cohort.recordings).sort("shard", "row")
    case = rng.random(table.height) < 0.5
    at = np.arange(220) / 250 - 0.32
    for shard, path in enumerate(cohort.beats):
        beat, chosen = np.load(path), case[table["shard"].to_numpy() == shard]
        wave = 300 * np.exp(-0.5 * ((at[: beat.shape[2]] - 0.3) / 0.045) ** 2)
        there = (beat != -32768) & chosen[:, None, None]
        np.save(path, np.where(there, beat + wave[: beat.shape[2]].round().astype(np.int16), beat).astype(np.int16))
    for shard, path in enumerate(cohort.strips):
        strip, chosen = np.load(path), case[table["shard"].to_numpy() == shard]
        for one in (strip[k] for k in np.flatnonzero(chosen)):
            peaks = scipy.signal.find_peaks(one[0], height=0.5 * one[0].max(), distance=40)[0]
            since = np.arange(one.shape[1]) - peaks[:, None]
            wave = 300 * np.exp(-0.5 * ((since / 100 - 0.3) / 0.045) ** 2).sum(0)
            one += np.where(one == -32768, 0, wave.round().astype(np.int16))
        np.save(path, strip)
    return case


def write_labels(cohort: Any, case: np.ndarray, rng: np.random.Generator, path: Path) -> None:
    """labels.parquet: half train, a quarter chooses, a quarter is tested."""
    table = pl.read_parquet(cohort.recordings).sort("shard", "row")
    n = table.height
    slow = (cohort.parameters["rr"].to_numpy() > 0.9).astype(float)
    split = np.resize(["train", "validation", "train", "test"], n)
    labels = table.select("recording_id", "person_id").with_columns(
        split=pl.Series(split),
        time=pl.lit(None, pl.String),
        age=pl.Series(rng.uniform(40, 80, n)),
        sex=pl.lit("female"),
    )
    known = rng.random(n) > 0.05
    y = {"y:big_t": case.astype(float), "y:slow": slow}
    labels = labels.with_columns(pl.Series(name, values) for name, values in y.items())
    labels.with_columns(pl.when(pl.Series(known)).then("y:slow").alias("y:slow")).write_parquet(path)


def make_world(folder: Path, n: int) -> World:
    """A cohort of n people, its encoder and labels."""
    rng, cohort = np.random.default_rng([5]), make_cohort(folder / "toy" / "ecg", n, no_beat=2)
    case = plant(cohort, rng)
    paths = {"checkpoint": folder / "checkpoint.pt", "history": folder / "history.parquet", "resume": folder / "resume"}
    train.main([cohort.recordings], cohort.strips, cohort.beats, TINY, config.Ingest(), **paths)
    write_labels(cohort, case, rng, folder / "labels.parquet")
    return World(cohort, paths["checkpoint"], folder / "labels.parquet", folder)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """160 people; tests write predictors beside its files and change nothing."""
    return make_world(tmp_path_factory.mktemp("world"), 160)


@pytest.fixture
def small_world(tmp_path: Path) -> World:
    """48 people, for a test of its own."""
    return make_world(tmp_path, 48)
