"""recordings.parquet and shards of median beats -> the mean median beat of each person, mV."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import tables
from ecgwas.config import LEADS, Ingest
from ecgwas.errors import UserError
from ecgwas.ingest.process import MISSING


@dataclass(frozen=True)
class Shards:
    """Recordings in mV with a median beat, and the files in which it lies."""

    table: pl.DataFrame  # recording_id, person_id, shard, row, scale (mV of a count)
    files: dict[int, np.ndarray]  # shard -> int16 [recording, lead, sample], memory-mapped

    @property
    def samples(self) -> int:
        """Samples of a beat."""
        return next(iter(self.files.values())).shape[2]


def open_shards(recordings: Path, beats: Sequence[Path], people: Sequence[str] | None = None) -> Shards:
    """The recordings (of `people`, or of all) whose beats have a size, and their shards."""
    table = tables.RECORDINGS.read(recordings).filter((pl.col("unit") == "mV") & (pl.col("n_beats") > 0))
    if people is not None:
        table = table.filter(pl.col("person_id").is_in(list(people)))
    table = table.with_columns(scale=pl.col("scale").fill_null(1e-3)).sort("shard", "row")
    if table.is_empty():
        raise UserError(f"{recordings}: no recording in mV with a median beat among the people analysed")
    named = {Path(path).name: Path(path) for path in beats}
    files = {}
    for shard in table["shard"].unique().sort().to_list():
        name = f"shard-{shard:03d}.beat.npy"
        if name not in named:
            raise UserError(f"{recordings}: shard {shard} has no file among --beats; give signals/{name}")
        files[shard] = np.load(named[name], mmap_mode="r")
        if files[shard].ndim != 3 or files[shard].shape[1] != len(LEADS):
            raise UserError(f"{named[name]}: shape {list(files[shard].shape)}; median beats have {len(LEADS)} leads")
    return Shards(table.select("recording_id", "person_id", "shard", "row", "scale"), files)


def of_lead(shards: Shards, lead: int) -> np.ndarray:
    """Median beats of one lead, float32 [recording, sample] in mV, in the order of the table; NaN where missing."""
    out = np.full((shards.table.height, shards.samples), np.nan, np.float32)
    place = shards.table["shard"].to_numpy()
    for shard, file in shards.files.items():
        here = place == shard
        counts = file[shards.table["row"].to_numpy()[here], lead]
        scale = shards.table["scale"].to_numpy()[here, None].astype(np.float32)
        out[here] = np.where((counts == MISSING).any(1, keepdims=True), np.nan, counts * scale)
    return out


def person_means(shards: Shards, lead: int, people: Sequence[str]) -> np.ndarray:
    """Means over each person's recordings that have the lead, float64 [person, sample]; NaN without any."""
    places = {person: i for i, person in enumerate(people)}
    values = of_lead(shards, lead)
    rows = np.array([places[person] for person in shards.table["person_id"]])
    seen = np.isfinite(values[:, 0])
    total, count = np.zeros((len(people), shards.samples)), np.zeros(len(people))
    np.add.at(total, rows[seen], values[seen])
    np.add.at(count, rows[seen], 1)
    return np.divide(total, count[:, None], out=np.full_like(total, np.nan), where=count[:, None] > 0)


def times_ms(settings: Ingest, samples: int) -> np.ndarray:
    """Time of each sample from the R peak, ms."""
    peak = round(settings.beat_before_s * settings.beat_rate_hz)
    return (np.arange(samples) - peak) * 1000 / settings.beat_rate_hz
