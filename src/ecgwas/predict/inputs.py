"""Paths of a cohort and its labels -> what every method is fitted to and scored on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import config, tables
from ecgwas.errors import UserError
from ecgwas.predict.labels.label_subsamples import draw

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class CohortFiles:
    """Where what is known of a cohort lies; a method reads what it needs."""

    recordings: Path
    strips: Sequence[Path] = ()
    beats: Sequence[Path] = ()
    intervals: Path | None = None
    people: Path | None = None

    def need(self, method: str, *names: str) -> None:
        """Stop where a method has not got what it reads."""
        missing = [name for name in names if not getattr(self, name)]
        if missing:
            raise UserError(f"method {method} reads {', '.join(missing)} of a cohort; give --{' --'.join(missing)}")


@dataclass(frozen=True)
class Examples:
    """Labelled recordings, those of the test left out: nothing that is fitted can see them."""

    table: pl.DataFrame  # recording_id, person_id, split (train or validation), age, sex, as in LABELS
    outcomes: tuple[str, ...]
    y: np.ndarray  # float64 [n, O], 0, 1, NaN unknown

    def rows(self, split: str) -> np.ndarray:
        """Places of a part's recordings: int."""
        return np.flatnonzero((self.table["split"] == split).to_numpy())


@dataclass(frozen=True)
class FitInputs:
    """All that a method may use to be fitted."""

    method: str
    settings: config.Predict
    cohort: CohortFiles
    examples: Examples
    unfitted: dict[str, str] = field(default_factory=dict)  # outcome: why there is no predictor of it
    checkpoint: Path | None = None
    embeddings: Path | None = None
    seed: int = 1
    threads: int = 1
    resume: Path | None = None


@dataclass(frozen=True)
class Logits:
    """Logits of recordings, and why some have none."""

    logits: np.ndarray  # float64 [n, O], NaN where it cannot be scored
    reasons: list[str | None]  # of each recording


def read_examples(path: Path, settings: config.Predict, share: float, number: int) -> tuple[Examples, dict[str, str]]:
    """Labels of the training (or of a subsample of its people) and validation splits; outcomes not fitted, and why."""
    table = tables.LABELS.read(path)
    names = [name for name, outcome in settings.outcomes.items() if outcome.kind == "prevalent"]
    if not names:
        raise UserError("predict.outcomes: no outcome of kind prevalent, which this step predicts; name one")
    if missing := [name for name in names if f"y:{name}" not in table.columns]:
        raise UserError(f"{path}: no columns for {', '.join(missing)}; make the labels again with these outcomes")
    table = table.filter(pl.col("split").is_in(["train", "validation"]))
    train = table.filter(split="train")
    if not train.height:
        raise UserError(f"{path}: nobody of split train; name the cohort that is learnt from in predict.train")
    if share < 1:
        kept = draw(train, names, share, number)
        table = table.filter((pl.col("split") == "validation") | pl.col("person_id").is_in(kept))
        train = table.filter(split="train")
    unfitted = {name: reason for name in names if (reason := lacking(train[f"y:{name}"]))}
    fitted = tuple(name for name in names if name not in unfitted)
    if not fitted:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in unfitted.items())
        raise UserError(f"{path}: no outcome can be learnt ({reasons}); check the codes of predict.outcomes")
    y = table.select(pl.col(f"y:{name}").cast(pl.Float64) for name in fitted)
    return Examples(table, fitted, y.fill_null(np.nan).to_numpy().copy()), unfitted


def lacking(y: pl.Series) -> str | None:
    """Why an outcome's training labels 0/1/null are not enough."""
    cases, controls = int((y == 1).sum()), int((y == 0).sum())
    return None if cases and controls else f"{cases} cases and {controls} controls to learn from"
