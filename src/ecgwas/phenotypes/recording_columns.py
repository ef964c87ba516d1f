"""Recordings table -> covariates of the recording: machine, filter, rate, length, year, age at recording."""

import polars as pl

from ecgwas.errors import UserError
from ecgwas.people.table import OLDEST
from ecgwas.user_tables import UserTable

TAKEN = (
    "device",
    "rate_hz",
    "seconds",
    "unit",
    "n_leads",
    "native_highpass_hz",
    "native_lowpass_hz",
    "rr_ms",
)
AGE = "age_at_recording"
DERIVED = ("recording_year", AGE)
NAMES = (*TAKEN, *DERIVED)
BIRTH_DATES, BIRTH_YEARS = ("birth_date", "date_of_birth"), ("birth_year", "year_of_birth")
YEARS = (1850, 2100)  # of birth
DAYS = 365.25


def frame(recordings: pl.DataFrame, born: pl.DataFrame | None) -> pl.DataFrame:
    """recording_id, person_id, the columns `TAKEN` and the derived ones, the earliest recording first.

    recording_year is that of `start_time`; age_at_recording (years) is there where births are given, and missing where
    it is negative or `OLDEST` and more, as the age of a person is.
    """
    date = pl.col("start_time").str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    taken = [name for name in TAKEN if name in recordings.columns]
    made = recordings.with_columns(date=date).sort("start_time", "recording_id", nulls_last=True)
    made = made.select("recording_id", "person_id", *taken, "date", recording_year=pl.col("date").dt.year())
    if born is not None:
        age = (pl.col("date") - pl.col("born")).dt.total_days() / DAYS
        made = made.join(born, on="person_id", how="left", maintain_order="left").with_columns(age.alias(AGE))
        code = (pl.col(AGE) < 0) | (pl.col(AGE) >= OLDEST)
        if codes := made.filter(code).height:
            print(f"{AGE} of {codes} recordings is no age (below 0, or {OLDEST:g} and more): missing", flush=True)
        made = made.with_columns(pl.when(~code).then(AGE).alias(AGE))
    return made.drop("date", "born", strict=False)


def births(given: UserTable) -> pl.DataFrame | None:
    """person_id and born (date) of a people table; the middle of the year where it has years of birth alone.

    None where it says neither. Raises `UserError` that names the line of what is no date, or no year of `YEARS`; only
    for a study that uses age_at_recording is this checked.
    """
    person = given.frame["person_id"].cast(pl.String)
    for name in BIRTH_DATES:
        if name in given.frame.columns:
            text = given.frame[name].cast(pl.String).str.strip_chars().str.slice(0, 10)
            born = text.str.to_date("%Y-%m-%d", strict=False)
            _check(given, name, text.is_not_null() & ~born.dt.year().is_between(*YEARS).fill_null(False), "YYYY-MM-DD")
            return pl.DataFrame({"person_id": person, "born": born}).drop_nulls()
    for name in BIRTH_YEARS:
        if name in given.frame.columns:
            year = given.numbers(name)
            _check(given, name, year.is_not_null() & ~((year == year.floor()) & year.is_between(*YEARS)), "YYYY")
            born = pl.date(pl.col("year").cast(pl.Int32), 7, 2)
            return pl.DataFrame({"person_id": person, "year": year}).select("person_id", born=born).drop_nulls()
    return None


def _check(given: UserTable, name: str, odd: pl.Series, form: str) -> None:
    """Raises where a birth is no date or year; the line and not the value, which says who it is."""
    if odd.any():
        raise UserError(
            f"{given.path}: {given.first(odd)}: {name} is not written {form}, of {YEARS[0]} to {YEARS[1]} ({odd.sum()}"
            f" such cells), which covariate {AGE} needs; correct it, or leave the cell empty where it is not known"
        )


def remedy(name: str) -> str:
    """What to do where a requested derived column is missing."""
    births = f"{', '.join(BIRTH_DATES)} (YYYY-MM-DD) or {', '.join(BIRTH_YEARS)}"
    return f"; for {name} the people table needs a column {births}" if name == AGE else ""
