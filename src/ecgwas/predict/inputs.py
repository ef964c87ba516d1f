"""Paths of a cohort and its labels -> the inputs of every method."""

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
    """Paths of a cohort's results; a method reads those that it needs."""

    recordings: Path
    strips: Sequence[Path] = ()
    beats: Sequence[Path] = ()
    intervals: Path | None = None
    people: Path | None = None

    def need(self, method: str, *names: str) -> None:
        """Raise `UserError` where an input of the method is missing."""
        missing = [name for name in names if not getattr(self, name)]
        if missing:
            raise UserError(f"method {method} reads {', '.join(missing)} of a cohort; give --{' --'.join(missing)}")


@dataclass(frozen=True)
class Examples:
    """Labelled recordings of the training and validation splits; no fit sees a test recording."""

    table: pl.DataFrame  # recording_id, person_id, split (train or validation), age, sex, as in LABELS
    outcomes: tuple[str, ...]
    y: np.ndarray  # float64 [n, O], 0, 1, NaN unknown

    def rows(self, split: str) -> np.ndarray:
        """Indices of the recordings of a split: int."""
        return np.flatnonzero((self.table["split"] == split).to_numpy())


@dataclass(frozen=True)
class FitInputs:
    """Inputs of the fit of a method."""

    method: str
    settings: config.Predict
    cohort: CohortFiles
    examples: Examples
    unfitted: dict[str, str] = field(default_factory=dict)  # outcome: why it has no predictor
    checkpoint: Path | None = None
    embeddings: Path | None = None
    seed: int = 1
    threads: int = 1
    resume: Path | None = None


@dataclass(frozen=True)
class Logits:
    """Logits of recordings, and the reason of each missing one."""

    logits: np.ndarray  # float64 [n, O], NaN where not scored
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
    """Reason why training labels 0/1/null do not suffice, or None."""
    cases, controls = int((y == 1).sum()), int((y == 0).sum())
    return None if cases and controls else f"{cases} cases and {controls} controls to learn from"
