"""Columns of a table of people -> 0/1 outcomes."""

from pathlib import Path

import numpy as np
import polars as pl

from ecgwas.errors import UserError
from ecgwas.people.values import read_values


def read_outcomes(path: Path, wanted: list[str]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """person_id [person], the columns `wanted` as 0, 1 or NaN [person, column], and their names; of people with any.

    Raises `UserError` where a column is missing or has another value, or a person appears more than once.
    """
    table = read_values(path).filter(pl.col("person_id").is_not_null()).sort("person_id")
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        raise UserError(f"{path}: no column {', '.join(missing)} (`outcomes`); it has {', '.join(table.columns)}")
    twice = table.filter(pl.col("person_id").is_duplicated())
    if twice.height:
        raise UserError(f"{path}: person {twice['person_id'][0]!r} appears more than once; keep one row per person")
    columns = [zero_one(path, table[name]) for name in wanted]
    values = np.column_stack(columns)
    seen = np.isfinite(values).any(axis=1)
    if not seen.any():
        raise UserError(f"{path}: no person has a value of {', '.join(wanted)}")
    return table["person_id"].to_numpy()[seen], values[seen], list(wanted)


def zero_one(path: Path, column: pl.Series) -> np.ndarray:
    """A column of 0/1 or false/true as 0.0, 1.0, NaN."""
    if column.dtype == pl.String:
        lower = column.str.strip_chars().str.to_lowercase()
        column = lower.replace({"true": "1", "false": "0", "": None, "na": None}).cast(pl.Float64, strict=False)
        unread = column.is_null() & ~lower.is_in(["", "na"]).fill_null(True)
        if unread.any():
            column = column.set(unread, np.inf)
    values = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    odd = ~np.isin(values[~np.isnan(values)], (0.0, 1.0))
    if odd.any():
        row = int(np.flatnonzero(~np.isnan(values))[odd][0])
        raise UserError(
            f"{path}: outcome {column.name} of row {row + 1} by person_id is neither 0 nor 1;"
            " write 0 (control), 1 (case) or nothing (unknown); 1/2 coding is not understood"
        )
    return values
