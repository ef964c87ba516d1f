"""Labels, embeddings and intervals of a cohort -> people with times, and the covariates of each model on one scale."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import tables
from ecgwas.errors import UserError

MODELS = ("demographics", "intervals", "embedding")
FEWEST = 0.05  # share of the training people that must have a measurement
NOT_MEASURED = ("recording_id", "person_id", "n_beats")


@dataclass(frozen=True)
class FollowedCohort:
    """A cohort with follow-up: the first recording of each person; tables row by row."""

    name: str
    table: pl.DataFrame  # LABELS
    measured: pl.DataFrame  # one column per measurement, null where missing
    embedding: np.ndarray  # [n, E], NaN where missing

    def followed(self, outcome: str, split: str) -> np.ndarray:
        """Indices of a split's people with an embedding and a time."""
        return np.flatnonzero(self._timed(outcome, split) & np.isfinite(self.embedding).all(1))

    def without_embedding(self, outcome: str, split: str) -> np.ndarray:
        """Indices of a split's people with a time, but no embedding: excluded from fit and evaluation."""
        return np.flatnonzero(self._timed(outcome, split) & ~np.isfinite(self.embedding).all(1))

    def _timed(self, outcome: str, split: str) -> np.ndarray:
        if f"years:{outcome}" not in self.table.columns:
            return np.zeros(self.table.height, bool)
        times = pl.col(f"years:{outcome}").is_not_null() & pl.col(f"event:{outcome}").is_not_null()
        return self.table.select(times & (pl.col("split") == split)).to_series().fill_null(False).to_numpy()

    def times(self, outcome: str, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Years and event of the people at these indices."""
        years, event = (self.table[f"{name}:{outcome}"][rows.tolist()] for name in ("years", "event"))
        return years.to_numpy().astype(float), event.to_numpy().astype(int)


def read(name: str, labels: Path, embeddings: Path, intervals: Path) -> FollowedCohort:
    """Read a cohort's labels, embeddings and intervals."""
    for path in (labels, embeddings, intervals):
        if not path.exists():
            raise UserError(f"{path}: no such file; cohort {name} needs labels, embeddings and intervals")
    table = tables.LABELS.read(labels).sort("time", "recording_id", nulls_last=True)
    table = table.unique("person_id", keep="first", maintain_order=True).sort("recording_id")
    told = tables.EMBEDDINGS.read(embeddings)
    axes = [c for c in told.columns if c[0] == "e" and c[1:].isdigit()]
    if not axes:
        raise UserError(f"{embeddings}: no columns e0000, …; give the embeddings of the model's encoder")
    ids = table.select("recording_id")
    joined = ids.join(told.select("recording_id", *axes), on="recording_id", how="left", maintain_order="left")
    embedding = joined.select(pl.col(axes).cast(pl.Float64)).fill_null(np.nan).to_numpy()
    measured = ids.join(tables.INTERVALS.read(intervals), on="recording_id", how="left", maintain_order="left")
    kept = [
        n
        for n, d in measured.schema.items()
        if n not in NOT_MEASURED and not n.startswith("machine_") and (d.is_numeric() or d == pl.Boolean)
    ]
    return FollowedCohort(name, table, measured.select(pl.col(kept).cast(pl.Float64)), embedding)


@dataclass(frozen=True)
class Covariates:
    """Covariates of one model, standardised by the training people; axes are principal components."""

    model: str
    names: list[str]
    free: np.ndarray  # [p] bool: without a ridge
    measurements: list[str]
    centre: np.ndarray  # [E] of embeddings
    axes: np.ndarray  # [E, k]
    middle: np.ndarray  # [p], mean of raw covariates, imputed for missing ones
    scale: np.ndarray  # [p]

    def of(self, cohort: FollowedCohort, rows: np.ndarray) -> np.ndarray:
        """[row, p] of the people at these indices."""
        raw = _raw(cohort, rows, self.measurements, self.centre, self.axes)
        return (np.where(np.isfinite(raw), raw, self.middle) - self.middle) / self.scale


def _raw(
    cohort: FollowedCohort, rows: np.ndarray, measurements: list[str], centre: np.ndarray, axes: np.ndarray
) -> np.ndarray:
    """Age, male sex, measurements, principal components."""
    male = pl.when(pl.col("sex") == "male").then(1.0).when(pl.col("sex") == "female").then(0.0)
    known = cohort.table[rows.tolist()].select(pl.col("age").cast(pl.Float64), male=male)
    absent = [pl.lit(None, pl.Float64).alias(n) for n in measurements if n not in cohort.measured.columns]
    told = cohort.measured[rows.tolist()].with_columns(absent).select(measurements)
    parts = [known.fill_null(np.nan).to_numpy(), (cohort.embedding[rows] - centre) @ axes]
    if measurements:
        parts.insert(1, told.fill_null(np.nan).to_numpy())
    return np.column_stack(parts)


def fit_covariates(model: str, cohort: FollowedCohort, rows: np.ndarray, axes: int) -> Covariates:
    """Covariates of one of MODELS, standardised by the people at these indices of the training cohort."""
    z = cohort.embedding[rows]
    centre, measurements, directions = z.mean(0), [], np.zeros((z.shape[1], 0))
    if model == "embedding":
        _, size, right = np.linalg.svd(z - centre, full_matrices=False)
        rank = int((size > 1e-9 * size.max(initial=1e-300)).sum())
        directions = right[: min(axes, rank)].T
        directions = directions * np.sign(directions[np.abs(directions).argmax(0), np.arange(directions.shape[1])])
    if model == "intervals":
        part = cohort.measured[rows.tolist()]
        measurements = [n for n in part.columns if part[n].is_not_null().mean() >= FEWEST]
    raw = _raw(cohort, rows, measurements, centre, directions)
    raw[~np.isfinite(raw)] = np.nan
    known = np.isfinite(raw).any(0)
    middle, sd = np.zeros(raw.shape[1]), np.zeros(raw.shape[1])
    middle[known], sd[known] = np.nanmean(raw[:, known], 0), np.nanstd(raw[:, known], 0)
    names = ["age", "male", *measurements, *(f"axis_{k + 1}" for k in range(directions.shape[1]))]
    varied = sd > 1e-12  # a constant has coefficient 0: infinite scale
    return Covariates(
        model, names, np.arange(len(names)) < 2, measurements, centre, directions, middle, np.where(varied, sd, np.inf)
    )
