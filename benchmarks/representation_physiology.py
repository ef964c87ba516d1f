"""Embeddings -> what they know of intervals and amplitudes: cross-validated R², simulated and real recordings."""

from pathlib import Path

import numpy as np
import polars as pl
from benchmarks import representation_oracle as oracle
from benchmarks.representation_data import INGEST, MEASURED, RECORDINGS, read_cohort
from benchmarks.representation_probes import crossed_r2, leading_axes

PARAMETERS = ("heart_rate_bpm", "pr_ms", "qrs_ms", "qt_ms", "p_amplitude_mv", "t_amplitude_mv")
INTERVALS = {name: name for name in PARAMETERS} | {"p_amplitude_mv": "p_frontal_mv", "t_amplitude_mv": "t_frontal_mv"}
SINGLE_LEAD = ("heart_rate_bpm", "qt_ms")  # asked of lead I alone
CLIPPED = (0.01, 0.99)  # quantiles that measured intervals are clipped to: a few are measured wrongly
AXES = 16  # as many as the pipeline's phenotypes stage keeps


def truth(cohort: Path) -> pl.DataFrame:
    """The simulator's parameters in the order of the cohort's table."""
    table = pl.read_parquet(cohort / RECORDINGS, columns=["recording_id"])
    return table.join(
        pl.read_parquet(cohort / "truth.parquet"), on="recording_id", how="left", maintain_order="left"
    ).select(PARAMETERS)


def intervals(cohort: Path) -> pl.DataFrame:
    """The measured intervals in the order of the cohort's table, clipped; null where there is none."""
    table = pl.read_parquet(cohort / RECORDINGS, columns=["recording_id"])
    found = table.join(pl.read_parquet(cohort / MEASURED), on="recording_id", how="left", maintain_order="left")
    columns = {name: pl.col(column) for name, column in INTERVALS.items()}
    limits = {name: [found[column].quantile(q) for q in CLIPPED] for name, column in INTERVALS.items()}
    return found.select(**{name: column.clip(*limits[name]) for name, column in columns.items()})


def known(x: np.ndarray, targets: pl.DataFrame, names: tuple[str, ...] = PARAMETERS) -> dict[str, float]:
    """R² of each target from embeddings x [n, width]; recordings without the target are left out.

    A recording without an embedding takes the mean.
    """
    out = {}
    for name in names:
        there = targets[name].is_not_null().to_numpy()
        out[name] = crossed_r2(x[there], targets[name].to_numpy()[there])
    return out


def known_to_axes(x: np.ndarray, targets: pl.DataFrame) -> dict[str, float]:
    """As `known`, from the leading axes alone."""
    return known(leading_axes(np.nan_to_num(x, nan=0.0), AXES), targets)


def known_to_oracle(cohort: Path, whole: Path, names: tuple[str, ...] = PARAMETERS) -> dict[str, float]:
    """R² from the simulator's own waves fitted to the median beats of `cohort`, of which `whole` holds the truth."""
    path = cohort / "oracle.npy"
    targets = truth(whole)
    if not path.exists():
        table, _, beat = read_cohort(cohort)
        times = targets.select(oracle.TIMES).to_numpy()
        np.save(path, oracle.measured(beat, table["rr_ms"].to_numpy(), times, INGEST))
    return known(np.load(path), targets, names)
