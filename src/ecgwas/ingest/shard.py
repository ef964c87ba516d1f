"""Raw recordings -> one shard of signals and tables: read, check, filter, average, measure; kept or excluded."""

from pathlib import Path

import numpy as np
import polars as pl

from ecgwas.cli import run
from ecgwas.config import LEADS, EcgSource, Ingest
from ecgwas.errors import UserError
from ecgwas.files import atomic, write_parquet
from ecgwas.ingest.process import beat_samples, process, strip_samples
from ecgwas.ingest.quality import Excluded
from ecgwas.ingest.readers import Reader, Unreadable, open_source
from ecgwas.tables import INTERVALS, QUALITY, RECORDINGS, RECORDINGS_EXCLUDED, typed

PROGRESS_EVERY = 500


def shard_entries(entries: pl.DataFrame, shard: int, shards: int) -> pl.DataFrame:
    """The contiguous slice of `entries` that is shard `shard` of `shards`; sizes differ by at most one."""
    if not 0 <= shard < shards:
        raise UserError(f"shard {shard} does not exist: ingest.shards is {shards}, so shards are 0 to {shards - 1}")
    start, stop = (entries.height * k // shards for k in (shard, shard + 1))
    return entries.slice(start, stop - start)


def ingest(reader: Reader, shard: int, settings: Ingest) -> tuple[dict[str, list[dict]], np.ndarray, np.ndarray]:
    """Rows of the four tables, strips [recording, 12, sample] and beats [recording, 12, sample] of one shard."""
    entries = shard_entries(reader.entries, shard, settings.shards)
    strips = np.empty((entries.height, len(LEADS), strip_samples(settings)), dtype=np.int16)
    beats = np.empty((entries.height, len(LEADS), beat_samples(settings)), dtype=np.int16)
    rows = {"recordings": [], "intervals": [], "excluded": [], "quality": []}
    for done, entry in enumerate(entries.iter_rows(named=True)):
        if done % PROGRESS_EVERY == 0:
            print(f"shard {shard}: {done} of {entries.height} recordings", flush=True)
        key, row = entry.pop("key"), len(rows["recordings"])
        try:
            result = process(reader.read(key), settings)
        except (Unreadable, Excluded) as fault:
            rows["excluded"].append(entry | {"reason": fault.reason, "detail": fault.detail})
            rows["quality"].append(entry | {"reason": fault.reason} | getattr(fault, "measures", {}))
            continue
        strips[row], beats[row] = result.strip, result.beat
        rows["recordings"].append(entry | {"shard": shard, "row": row} | result.recording)
        rows["intervals"].append(entry | result.intervals)
        rows["quality"].append(entry | result.quality)
    kept = len(rows["recordings"])
    return rows, strips[:kept], beats[:kept]


def table(rows: list[dict], schema: dict) -> pl.DataFrame:
    """Rows as a table of `schema`; what a row lacks, and NaN, is null."""
    columns = {name: [row.get(name) for row in rows] for name in schema}
    types = {name: dtype for name, (dtype, _) in schema.items()}
    return typed(pl.DataFrame(columns, schema=types, strict=False), schema).fill_nan(None)


def write_array(array: np.ndarray, path: Path) -> None:
    """One .npy file, atomically."""
    with atomic(path) as temporary:
        np.save(temporary, array)


def main(
    ecg: EcgSource,
    shard: int,
    settings: Ingest,
    recordings: Path,
    intervals: Path,
    excluded: Path,
    quality: Path,
    strip: Path,
    beat: Path,
) -> None:
    """Ingest shard number `shard` of the recordings of `ecg`.

    Args:
        ecg: where the recordings are, as JSON.
        shard: number of the shard, from 0.
        settings: the `ingest` block, as JSON.
        recordings: table of the kept recordings, written.
        intervals: table of their classical measurements, written.
        excluded: table of the other recordings with reasons, written.
        quality: table of the measures of quality of all recordings, written.
        strip: array of rhythm strips (.npy), written.
        beat: array of median beats (.npy), written.
    """
    rows, strips, beats = ingest(open_source(ecg, settings.seconds), shard, settings)
    write_array(strips, strip)
    write_array(beats, beat)
    write_parquet(table(rows["recordings"], RECORDINGS), recordings)
    write_parquet(table(rows["intervals"], INTERVALS), intervals)
    write_parquet(table(rows["excluded"], RECORDINGS_EXCLUDED), excluded)
    write_parquet(table(rows["quality"], QUALITY), quality)
    print(f"shard {shard}: {len(rows['recordings'])} kept, {len(rows['excluded'])} excluded", flush=True)


if __name__ == "__main__":
    run(main)
