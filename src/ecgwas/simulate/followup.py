"""Members, their ECG parameters and diseases -> dates of recordings, diagnoses and deaths with planted hazards.

Times from a member's first recording to AF, heart failure and death follow Gompertz hazards that are proportional in
what is planted, h(t) = rate exp(GROWTH t + sum of log hazard ratio x term), drawn by inversion from the exponential
(Bender, Augustin & Blettner 2005, Stat Med 24:1713, table II). What a person had before (the 0/1 columns of people.csv)
is dated before the recording.
"""

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from ecgwas.simulate.traits import scaled

FIRST_DAY, LAST_RECORDING, LAST_DAY = date(2008, 1, 1), date(2013, 12, 31), date(2020, 12, 31)
DAYS_A_YEAR = 365.25
GROWTH = 0.08  # of the hazards, a year
PREVALENT_YEARS = 10.0  # a disease of people.csv was diagnosed up to so long before the first recording
UNDATED = 0.03  # of these diagnoses, the share without a date
SECOND_YEARS = 3.0  # the second recording comes at most so much later

CODES = {"af": "I48.9", "hf": "I50.9", "mi": "I21.9", "conduction": "I45.9"}  # ICD-10
STATEMENTS = {"af": "AFIB", "paced": "PACE", "lbbb": "CLBBB", "rbbb": "CRBBB", "pvc": "SR;PVC", "sinus": "SR"}  # SCP

# Events a year at the mean of the terms, and log hazard ratios per SD among the members; of male, against female.
HAZARDS = {
    "af": (0.020, {"age": 0.50, "male": 0.25, "p_amplitude_mv": -0.50, "pr_ms": 0.40}),
    "hf": (0.015, {"age": 0.45, "male": 0.15, "qrs_ms": 0.50, "t_amplitude_mv": -0.40}),
    "death": (0.012, {"age": 0.60, "male": 0.30, "heart_rate_bpm": 0.35}),
}


def gompertz(rate: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Years [n] to an event of hazard `rate` [n] a year, growing by GROWTH a year."""
    return np.log1p(GROWTH * rng.exponential(size=len(rate)) / rate) / GROWTH


def simulate_times(
    values: dict[str, np.ndarray], age: np.ndarray, male: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Days [member], at least 1, from the first recording to each event of HAZARDS if nothing else happened before."""
    terms = {"age": scaled(age), "male": male - male.mean()} | {name: scaled(value) for name, value in values.items()}
    times = {}
    for name, (rate, weights) in HAZARDS.items():
        years = gompertz(rate * np.exp(sum(weight * terms[term] for term, weight in weights.items())), rng)
        times[name] = np.minimum(np.ceil(years * DAYS_A_YEAR), 1e5).astype(int)
    return times


def simulate_followup(
    person_id: np.ndarray,
    values: dict[str, np.ndarray],
    male: np.ndarray,
    people: dict[str, np.ndarray],
    recordings: pl.DataFrame,
    seed: int,
) -> dict[str, pl.DataFrame]:
    """Tables `statements`, `diagnoses` and `followup` of the members with recordings.

    Args:
        person_id: [member] their names.
        values: [member] of each ECG parameter.
        male: bool [member].
        people: [member] age (years) and the 0/1 diseases of CODES.
        recordings: recording_id, member and rhythm, in the order of recording_id.
        seed: Of the cohort; the streams are these tables' own.
    """
    rng = np.random.default_rng([seed, 14])
    start = rng.integers(0, (LAST_RECORDING - FIRST_DAY).days, len(male))  # days after FIRST_DAY
    times = simulate_times(values, people["age"], male, rng)
    end = np.minimum(times["death"], (LAST_DAY - FIRST_DAY).days - start)  # days after the first recording
    seen = np.isin(np.arange(len(male)), recordings["member"].to_numpy())
    followup = pl.DataFrame(
        {
            "person_id": person_id,
            "end": dates(start + end),
            "death": dates(np.where(times["death"] <= end, start + end, -1)),
        }
    )
    return {
        "statements": date_recordings(recordings, start, end, rng),
        "diagnoses": diagnose(person_id, people, times, start, end, rng).filter(
            pl.col("person_id").is_in(person_id[seen].tolist())
        ),
        "followup": followup.filter(seen).sort("person_id"),
    }


def dates(days: np.ndarray) -> pl.Series:
    """Days after FIRST_DAY as dates; -1 is null, as no death can fall on the day before."""
    return pl.Series([None if day == -1 else FIRST_DAY + timedelta(int(day)) for day in days], dtype=pl.Date)


def date_recordings(
    recordings: pl.DataFrame, start: np.ndarray, end: np.ndarray, rng: np.random.Generator
) -> pl.DataFrame:
    """recording_id, time and codes: the first by id at a member's start, the second later, before its end."""
    member = recordings["member"].to_numpy()
    later = recordings.select(pl.int_range(pl.len()).over("member") > 0).to_series().to_numpy()
    longest = np.minimum(end[member] - 1, SECOND_YEARS * DAYS_A_YEAR)
    gap = np.where(later, rng.uniform(0.1, 1.0, len(member)) * longest, 0).astype(int)
    hour = np.where(later, "T15:00:00", "T09:00:00")  # two on one day keep their order
    days = dates(start[member] + gap).cast(pl.String)
    return pl.DataFrame(
        {
            "recording_id": recordings["recording_id"],
            "time": days + pl.Series(hour),
            "codes": recordings["rhythm"].replace_strict(STATEMENTS, return_dtype=pl.String),
        }
    )


def diagnose(
    person_id: np.ndarray,
    people: dict[str, np.ndarray],
    times: dict[str, np.ndarray],
    start: np.ndarray,
    end: np.ndarray,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """person_id, code, date: what members had before their first recording, and what came during follow-up."""
    parts = []
    for name, code in CODES.items():
        had = people[name] == 1
        before = start - np.ceil(rng.uniform(0, PREVALENT_YEARS, len(start)) * DAYS_A_YEAR).astype(int)
        before = np.where(before == -1, -2, before)
        undated = rng.random(len(start)) < UNDATED
        came = (times[name] <= end) if name in times else np.zeros(len(start), bool)
        day = np.where(had, np.where(undated, -1, before), start + times.get(name, 0))
        rows = had | came
        parts.append(pl.DataFrame({"person_id": person_id[rows], "code": code, "date": dates(day[rows])}))
    return pl.concat(parts).sort("person_id", "code")


def tell_followup(values: dict[str, np.ndarray], age: np.ndarray) -> dict[str, Any]:
    """What was planted, for truth.json; sd is that of a term among the members, in its unit."""
    named = {"age": age} | values
    used = sorted({term for _, weights in HAZARDS.values() for term in weights if term in named})
    return {
        "growth_per_year": GROWTH,
        "sd": {term: float(named[term].std()) for term in used},
        "hazards": {
            name: {"code": CODES.get(name), "rate_per_year": rate, "log_hazard_ratios": weights}
            for name, (rate, weights) in HAZARDS.items()
        },
    }
