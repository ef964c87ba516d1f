"""Recordings of the same person -> how repeatable each trait is."""

import numpy as np
import polars as pl

from ecgwas import tables

MIN_PEOPLE = 10


def icc(values: np.ndarray, person: np.ndarray) -> tuple[int, float]:
    """People with two or more values, and ICC(1,1), the reliability of one recording.

    One-way random effects: (MSB - MSW) / (MSB + (k0 - 1) MSW), Shrout & Fleiss 1979 (Psychol Bull 86:420) Case 1;
    k0 = (N - sum n_i^2 / N) / (a - 1) for a people with unequal counts n_i, N values in all
    (Donner 1986, Int Stat Rev 54:67).
    """
    _, group, counts = np.unique(person, return_inverse=True, return_counts=True)
    use = (counts >= 2)[group]
    if not use.any():
        return 0, float("nan")
    _, group, counts = np.unique(person[use], return_inverse=True, return_counts=True)
    y, a, total = values[use], len(counts), int(counts.sum())
    if a < MIN_PEOPLE:
        return a, float("nan")
    mean = np.bincount(group, y) / counts
    within = np.sum((y - mean[group]) ** 2) / (total - a)
    between = np.sum(counts * (mean - y.mean()) ** 2) / (a - 1)
    k0 = (total - np.sum(counts**2) / total) / (a - 1)
    denominator = between + (k0 - 1) * within
    return a, float((between - within) / denominator) if denominator > 0 else float("nan")


def table(values: np.ndarray, person: np.ndarray, names: list[str]) -> pl.DataFrame:
    """tables.RELIABILITY of recordings' `values` [recording, trait], NaN missing."""
    rows = []
    for j, name in enumerate(names):
        seen = np.isfinite(values[:, j])
        n, value = icc(values[seen, j], person[seen])
        rows.append({"trait": name, "n_people": n, "icc": value})
    made = pl.DataFrame(rows, schema={"trait": pl.String, "n_people": pl.Int32, "icc": pl.Float64})
    return tables.typed(made.with_columns(pl.col("icc").fill_nan(None)), tables.RELIABILITY)
