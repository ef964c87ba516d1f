"""Recordings of the same person -> how repeatable each trait is."""

import numpy as np
import polars as pl

from ecgwas import tables
from ecgwas.stats.repeated_measures import icc


def table(values: np.ndarray, person: np.ndarray, names: list[str]) -> pl.DataFrame:
    """tables.RELIABILITY of recordings' `values` [recording, trait], NaN missing."""
    rows = []
    for j, name in enumerate(names):
        seen = np.isfinite(values[:, j])
        n, value = icc(values[seen, j], person[seen])
        rows.append({"trait": name, "n_people": n, "icc": value})
    reliability = pl.DataFrame(rows, schema={"trait": pl.String, "n_people": pl.Int32, "icc": pl.Float64})
    return tables.RELIABILITY.typed(reliability.with_columns(pl.col("icc").fill_nan(None)))
