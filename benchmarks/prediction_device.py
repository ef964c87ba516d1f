"""Simulated people with AF, MI and HF, recorded by two devices -> two cohorts of the pipeline."""

from pathlib import Path

import numpy as np
import polars as pl
import scipy.signal
from benchmarks.prediction_outcomes import simulated_people, write_labels
from benchmarks.representation_data import LEADS, RECORDINGS, made

from ecgwas import config
from ecgwas.simulate.cohort import draw_rhythms
from ecgwas.simulate.ecg import PARAMETERS, simulate_recordings

DISEASES = ("af", "mi", "hf")
OTHER = {"corner_hz": 25.0, "gain": 1.05, "noise_uv": 15.0}  # of the second device: band, calibration, amplifier noise


def other_device(signals: np.ndarray, rng: np.random.Generator, rate_hz: float = 500.0) -> np.ndarray:
    """Signals [n, lead, sample], microvolts, as a device of narrower band, other gain and more noise gives them."""
    taps = scipy.signal.butter(2, OTHER["corner_hz"], fs=rate_hz, output="sos")
    low = scipy.signal.sosfiltfilt(taps, signals.astype(np.float32), axis=2)
    return np.rint(OTHER["gain"] * low + OTHER["noise_uv"] * rng.standard_normal(low.shape)).astype(np.int16)


def cohort(name: str, n: int, seed: int, second: bool, work: Path, settings: config.Predict) -> tuple[Path, Path, Path]:
    """Folder, labels and people of `n` simulated people; `second`: recorded by the other device."""
    drawn = simulated_people(n, seed)
    rhythm = draw_rhythms(drawn["af"], drawn["conduction"], np.random.default_rng([seed, 21]))

    def make(start: int, count: int) -> np.ndarray:
        rows = slice(start, start + count)
        rng = np.random.default_rng([seed, 22, start])
        signals = simulate_recordings({p: drawn[p][rows] for p in PARAMETERS}, rhythm[rows], rng)
        return other_device(signals, rng) if second else signals

    folder = made(make, LEADS, n, work / "cohorts" / f"{name}-{n}")
    # ingested in parts, whose names tell which and where: {name}-{n}-{part}-{row}
    ids = pl.read_parquet(folder / RECORDINGS)["recording_id"].to_list()
    place = [500 * int(i.split("-")[-2]) + int(i.split("-")[-1]) for i in ids]
    people = folder / "people.csv"
    person = pl.read_parquet(folder / RECORDINGS)["person_id"]
    table = pl.DataFrame(
        {"person_id": person, "age": drawn["age"][place], "sex": np.where(drawn["male"][place], "male", "female")}
    )
    table.with_columns(pl.Series(name, drawn[name][place]) for name in DISEASES).write_csv(people)
    return folder, write_labels(folder, settings, None, people, not second), people
