"""A user's table of people or recordings -> which of its columns are values, and of whom."""

from dataclasses import replace
from pathlib import Path

import polars as pl

from ecgwas import user_tables
from ecgwas.errors import UserError
from ecgwas.people.consent import Withdrawn


def read_values(path: Path) -> pl.DataFrame:
    """A table of people or recordings, by the one reader of user tables."""
    return user_tables.read(path).need(["person_id"]).frame


def not_traits(given: user_tables.UserTable, whole: bool) -> dict[str, tuple[str, str]]:
    """Columns of a user's table that are no trait: {name: (reason, detail)}; ids that are ours are not named.

    Raises `UserError` where a dimension of an embedding (`whole`) is no number, or has no value: without it the
    embedding would be another one.
    """
    excluded = {name: ("no_name", "a column without a name, such as row numbers") for name in given.unnamed}
    for name, series in given.frame.to_dict(as_series=True).items():
        if name in user_tables.IDS or name.startswith("machine_"):
            continue
        if name.lower() in user_tables.ID_HEADERS:
            excluded[name] = ("id", "an id is no quantity")
        elif user_tables.row_number(name, series):
            excluded[name] = ("row_number", "the number of the row")
        elif whole and (not series.dtype.is_numeric() or series.null_count() == len(series)):
            given.numbers(name)
            raise UserError(f"{given.path}: column {name} of the embedding has no number; take it out of the table")
        elif series.dtype == pl.Boolean:
            excluded[name] = ("no_number", "true and false, a flag")
        elif not series.dtype.is_numeric():
            odd = series.is_not_null() & user_tables.as_numbers(series).is_null()
            excluded[name] = ("no_number", f"text, no number, such as in {given.first(odd)}")  # a cell may be a name
    return excluded


def of_others(given: user_tables.UserTable, withdrawn: Withdrawn) -> user_tables.UserTable:
    """`given` without the rows of people who withdrew consent; a column that only they made text is of numbers."""
    if not withdrawn.entries:
        return given
    kept = ~withdrawn.flags(given.frame["person_id"])
    columns = [
        series if series.name in user_tables.IDS or series.dtype != pl.String else numbers_if_all(series)
        for series in given.frame.filter(kept).get_columns()
    ]
    return replace(given, frame=pl.DataFrame(columns), lines=given.lines[kept.to_numpy()])


def numbers_if_all(series: pl.Series) -> pl.Series:
    """Text as Int64 or Float64 where every value is such a number."""
    made = (series.cast(pl.Int64, strict=False), user_tables.as_numbers(series))
    return next((numbers for numbers in made if numbers.null_count() == series.null_count()), series)
