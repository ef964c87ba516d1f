"""A user's table of people, or people.parquet -> person_id, sample_id, sex, age and the user's columns, typed."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from ecgwas import tables, user_tables
from ecgwas.errors import UserError
from ecgwas.user_tables import UserTable

SEX = {"female": 0.0, "f": 0.0, "male": 1.0, "m": 1.0}  # words of sex, and the covariate that they are
WORDS = {word: "male" if male else "female" for word, male in SEX.items()}
OLDEST = 120.0  # an age beyond is a code, such as 300 of PTB-XL


def read(path: Path | str, needed: Sequence[str] = ()) -> pl.DataFrame:
    """One row per person: tables.PEOPLE, then the user's own columns as Int64, Float64 or String.

    Columns of tables.PEOPLE that the table lacks are null, but for those `needed`.

    Raises `UserError` where a person has no id or two rows, a sex is a number, or an age is none.
    """
    given = user_tables.read(path).need(["person_id", *needed]).complete("person_id").once("person_id", "person")
    frame = given.frame
    made = [
        frame["person_id"],
        frame["sample_id"] if "sample_id" in frame.columns else _blank("sample_id", pl.String, frame.height),
        sexes(given) if "sex" in frame.columns else _blank("sex", pl.String, frame.height),
        ages(given) if "age" in frame.columns else _blank("age", pl.Float64, frame.height),
    ]
    return pl.DataFrame([*made, *own_columns(given)])


def _blank(name: str, kind: type[pl.DataType], rows: int) -> pl.Series:
    return pl.Series(name, [None] * rows, kind)


def own_columns(given: UserTable) -> list[pl.Series]:
    """The user's columns; row numbers and columns without a name are left out and named on standard output."""
    for column in given.unnamed:
        print(f"{given.path}: {column} has no name and is not read", flush=True)
    made = []
    for series in given.frame.get_columns():
        if series.name in tables.PEOPLE.columns:
            continue
        if user_tables.row_number(series.name, series):
            print(f"{given.path}: {series.name} numbers the rows and is not read", flush=True)
            continue
        made.append(plain(given, series))
    return made


def plain(given: UserTable, series: pl.Series) -> pl.Series:
    """A column as Int64, Float64 or String; true and false are 1 and 0, dates are ISO 8601 text."""
    if series.dtype.is_nested():
        raise UserError(f"{given.path}: column {series.name} holds lists; give one value per person")
    if series.dtype == pl.Boolean:
        return series.cast(pl.Int64)
    return series.cast(pl.String) if series.dtype.is_temporal() else series


def sexes(given: UserTable) -> pl.Series:
    """female, male or null, of the words in `SEX` in any case.

    Raises `UserError` where a sex is a number, whose coding nobody can know, or where no word is understood; other
    words (unknown, intersex) are missing, and counted on standard output.
    """
    column = given.frame["sex"].cast(pl.String)
    found = column.str.to_lowercase().replace_strict(WORDS, default=None, return_dtype=pl.String)
    odd = column.is_not_null() & found.is_null()
    if not odd.any():
        return found.alias("sex")
    place, value = given.first(odd), column.filter(odd)[0]
    remedy = f"write {', '.join(SEX)}, or leave the cell empty"
    if (numbers := odd & column.cast(pl.Float64, strict=False).is_not_null()).any():
        number, at = column.filter(numbers)[0], given.first(numbers)
        raise UserError(f"{given.path}: {at}: sex is {number}, a number of a coding that is not known; {remedy}")
    if not found.is_not_null().any():
        raise UserError(f"{given.path}: {place}: sex is {value!r} and the like, so that no sex is known; {remedy}")
    print(
        f"{given.path}: sex of {odd.sum()} people is not understood, such as {value!r} ({place}): missing", flush=True
    )
    return found.alias("sex")


def ages(given: UserTable) -> pl.Series:
    """Years as Float64; null from `OLDEST` on and below 0, which are codes and are counted on standard output."""
    age = given.numbers("age")
    codes = ((age >= OLDEST) | (age < 0)).fill_null(False)
    if codes.any():
        print(
            f"{given.path}: age of {codes.sum()} people is no age, such as {age.filter(codes)[0]:g}"
            f" ({given.first(codes)}): missing",
            flush=True,
        )
    return age.set(codes, None)
