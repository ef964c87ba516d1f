"""Simulated people with AF, MI and HF, recorded by two devices -> two cohorts of the pipeline."""

from pathlib import Path

import numpy as np
import polars as pl
from benchmarks.prediction_outcomes import simulated_people, write_labels
from benchmarks.representation_data import LEADS, RECORDINGS, made

from ecgwas import config
from ecgwas.simulate.cohort import draw_rhythms
from ecgwas.simulate.devices import as_recorded
from ecgwas.simulate.ecg import PARAMETERS, simulate_recordings

DISEASES = ("af", "mi", "hf")
RATE_HZ = 500.0  # of `simulate_recordings`


def cohort(name: str, n: int, seed: int, second: bool, work: Path, settings: config.Predict) -> tuple[Path, Path, Path]:
    """Folder, labels and people of `n` simulated people; `second`: recorded by device b."""
    drawn = simulated_people(n, seed)
    rhythm = draw_rhythms(drawn["af"], drawn["conduction"], np.random.default_rng([seed, 21]))

    def make(start: int, count: int) -> np.ndarray:
        rows = slice(start, start + count)
        rng = np.random.default_rng([seed, 22, start])
        signals = simulate_recordings({p: drawn[p][rows] for p in PARAMETERS}, rhythm[rows], rng)
        return as_recorded(signals, "b" if second else "a", rng, RATE_HZ)

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
