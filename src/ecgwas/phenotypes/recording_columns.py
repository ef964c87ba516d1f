"""Recordings table -> covariates of the recording: machine, filter, rate, length, year, age at recording."""

import polars as pl

from ecgwas.errors import UserError

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
DERIVED = ("recording_year", "age_at_recording")
NAMES = (*TAKEN, *DERIVED)
BIRTH_DATES, BIRTH_YEARS = ("birth_date", "date_of_birth"), ("birth_year", "year_of_birth")
DAYS = 365.25


def frame(recordings: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """recording_id, person_id, the columns `TAKEN` and the derived ones, the earliest recording first.

    recording_year is that of `start_time`; age_at_recording (years) is there where `people` has a date of birth, or
    the year, of which the middle is taken.
    """
    date = pl.col("start_time").str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    taken = [name for name in TAKEN if name in recordings.columns]
    made = recordings.with_columns(date=date).sort("start_time", "recording_id", nulls_last=True)
    made = made.select("recording_id", "person_id", *taken, "date", recording_year=pl.col("date").dt.year())
    born = births(people)
    if born is not None:
        age = (pl.col("date") - pl.col("born")).dt.total_days() / DAYS
        made = made.join(born, on="person_id", how="left", maintain_order="left").with_columns(age_at_recording=age)
    return made.drop("date", "born", strict=False)


def births(people: pl.DataFrame) -> pl.DataFrame | None:
    """person_id and born (date); None where the people table says neither date nor year of birth."""
    person = pl.col("person_id").cast(pl.String)
    for name in BIRTH_DATES:
        if name in people.columns:
            text = people[name].cast(pl.String).str.slice(0, 10)
            born = text.str.to_date("%Y-%m-%d", strict=False)
            odd = text.is_not_null() & (text != "") & born.is_null()
            if odd.any():
                raise UserError(f"covariate age_at_recording: {name} is {text.filter(odd)[0]!r}; write YYYY-MM-DD")
            return people.select(person, born=born).drop_nulls()
    for name in BIRTH_YEARS:
        if name in people.columns:
            year = pl.col(name).cast(pl.Int32)
            return people.select(person, born=pl.date(year, 7, 2)).drop_nulls()
    return None


def remedy(name: str) -> str:
    """What to do where a derived column is asked for and is not there."""
    births = f"{', '.join(BIRTH_DATES)} (YYYY-MM-DD) or {', '.join(BIRTH_YEARS)}"
    return f"; for {name} the people table needs a column {births}" if name == "age_at_recording" else ""
