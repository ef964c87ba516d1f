"""Set-a of the PhysioNet/CinC Challenge 2011: the one place of the tests that knows its files, rate, unit and leads."""

import lzma
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas.config import LEADS, EcgSource

FOLDER = "ecg_challenge2011_seta"
ARRAY = "seta_n1000_lead12_t5000_int16.npy.xz"
ORDER = [*LEADS[:4], "aVF", "aVL", *LEADS[6:]]  # by the sums of the limb leads; its own list has aVL before aVF
RATE_HZ = 500.0
MICROVOLTS = 5  # a count


def source(realdata: Path) -> EcgSource:
    """The 1,000 recordings, a person each."""
    return EcgSource(
        format="array",
        path=realdata / FOLDER / ARRAY,
        recordings=realdata / FOLDER / "records.csv",
        recording_column="record_id",
        person_column="record_id",
        rate_hz=RATE_HZ,
        microvolts_per_count=MICROVOLTS,
        leads=ORDER,
    )


def counts(realdata: Path, chosen: slice = slice(None)) -> np.ndarray:
    """Samples int16 [recording, lead, sample] as the file has them, of some recordings."""
    with lzma.open(realdata / FOLDER / ARRAY) as file:
        return np.lib.format.read_array(file)[chosen]


def labels(realdata: Path) -> pl.DataFrame:
    """record_id and quality of every recording, in the order of the array."""
    return pl.read_csv(realdata / FOLDER / "records.csv", infer_schema=False)
