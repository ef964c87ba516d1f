"""Raw recordings -> one shard of signals and tables: read, check, filter, average, measure; kept or excluded."""

import contextlib
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import tables
from ecgwas.cli import run
from ecgwas.config import EcgSource, Ingest
from ecgwas.ecg.quality import Excluded
from ecgwas.errors import UserError
from ecgwas.files import atomic
from ecgwas.ingest.about import about, machine
from ecgwas.ingest.other import process_other
from ecgwas.ingest.process import Processed, beat_samples, process, strip_samples
from ecgwas.ingest.readers import Reader, open_source
from ecgwas.signals.recording import Recording, Unreadable
from ecgwas.signals.rows import ArrayRows

CHUNK = 500  # recordings held in memory


def shard_entries(entries: pl.DataFrame, shard: int, shards: int) -> pl.DataFrame:
    """The contiguous slice of `entries` that is shard `shard` of `shards`; sizes differ by at most one."""
    if not 0 <= shard < shards:
        raise UserError(f"shard {shard} does not exist: ingest.shards is {shards}, so shards are 0 to {shards - 1}")
    start, stop = (entries.height * k // shards for k in (shard, shard + 1))
    return entries.slice(start, stop - start)


class Output:
    """The files of a shard, written `CHUNK` recordings at a time."""

    def __init__(
        self,
        writers: dict[tables.Table, tables.Writer],
        strips: list[Path],
        beat: Path,
        settings: Ingest,
        window_beats: list[Path],
        window_rr: list[Path],
    ):
        self.writers = writers
        self.rows: dict[tables.Table, list[dict]] = {entry: [] for entry in writers}
        self.counts = dict.fromkeys(writers, 0)
        channels, shape = len(settings.channels), (len(settings.channels), beat_samples(settings))
        self.strips = [
            ArrayRows(path, (channels, strip_samples(settings, k)), np.int16) for k, path in enumerate(strips)
        ]
        self.beats = ArrayRows(beat, shape, np.int16)
        self.window_beats = [ArrayRows(path, (2**k, *shape), np.int16) for k, path in enumerate(window_beats, 1)]
        self.window_rr = [ArrayRows(path, (2**k,), np.float32) for k, path in enumerate(window_rr, 1)]

    def add(self, entry: tables.Table, row: dict) -> None:
        """One row of a table."""
        self.rows[entry].append(row)
        self.counts[entry] += 1

    def keep(self, entry: dict, shard: int, recording: Recording, result: Processed) -> None:
        """One kept recording: what its file says of it, and what was measured."""
        bucket = result.recording["bucket"]
        strips = self.strips[bucket]
        place = {"shard": shard, "row": self.beats.n, "strip_row": strips.n}
        self.add(tables.SHARD_RECORDINGS, entry | place | about(recording) | result.recording)
        self.add(tables.SHARD_INTERVALS, entry | result.intervals | machine(recording))
        self.add(tables.SHARD_QUALITY, entry | result.quality)
        strips.append(result.strip)
        self.beats.append(result.beat)
        if bucket:
            self.window_beats[bucket - 1].append(result.window_beats)
            self.window_rr[bucket - 1].append(result.window_rr_ms)

    def flush(self) -> None:
        """Write what has gathered."""
        for entry, rows in self.rows.items():
            self.writers[entry].write(table(rows, entry))
            rows.clear()

    def close(self) -> None:
        """Write the rest and the ends of the files."""
        self.flush()
        for file in (*self.strips, self.beats, *self.window_beats, *self.window_rr):
            file.close()


def ingest(reader: Reader, shard: int, settings: Ingest, output: Output) -> None:
    """Every recording of one shard into `output`."""
    entries = shard_entries(reader.entries, shard, settings.shards)
    for done, entry in enumerate(entries.iter_rows(named=True)):
        if done % CHUNK == 0:
            output.flush()
            print(f"shard {shard}: {done} of {entries.height} recordings", flush=True)
        key = entry.pop("key")
        try:
            recording = reader.read(key)
            result = process(recording, settings) if settings.heart else process_other(recording, settings)
        except (Unreadable, Excluded) as fault:
            output.add(tables.SHARD_EXCLUDED, entry | {"reason": fault.reason, "detail": fault.detail})
            output.add(tables.SHARD_QUALITY, entry | {"reason": fault.reason} | getattr(fault, "measures", {}))
        else:
            output.keep(entry, shard, recording, result)


def table(rows: list[dict], entry: tables.Table) -> pl.DataFrame:
    """Rows as a table of the entry; what a row lacks, and NaN, is null."""
    there = set().union(*rows)
    nothing = [None] * len(rows)
    columns = {name: [row.get(name) for row in rows] if name in there else nothing for name in entry.columns}
    return entry.typed(pl.DataFrame(columns, schema=entry.schema, strict=False)).fill_nan(None)


def check_longer(strips: list[Path], *longer: list[Path]) -> tuple[list[Path], ...]:
    """`longer`; raises `UserError` where a list has not one file for each of the strips but the shortest."""
    counts = [len(paths) for paths in longer]
    if set(counts) != {len(strips) - 1}:
        raise UserError(
            f"{len(strips)} strips, but {counts[0]} window_beats and {counts[1]} window_rr;"
            " give one of each for every bucket but the shortest"
        )
    return longer


def main(
    ecg: EcgSource,
    shard: int,
    settings: Ingest,
    recordings: Path,
    intervals: Path,
    excluded: Path,
    quality: Path,
    strips: list[Path],
    beat: Path,
    entries: Path | None = None,
    window_beats: list[Path] | None = None,
    window_rr: list[Path] | None = None,
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
        strips: array of rhythm strips (.npy) of each bucket of lengths, written.
        beat: array of median beats (.npy), written.
        entries: the cohort's recordings, listed before; without it they are listed here.
        window_beats: array of the median beats of windows (.npy) of each bucket but the shortest, written.
        window_rr: array of the RR intervals of windows (.npy), likewise.
    """
    longer = check_longer(strips, window_beats or [], window_rr or [])
    listed = tables.ENTRIES.read(entries) if entries else None
    paths = {
        tables.SHARD_RECORDINGS: recordings,
        tables.SHARD_INTERVALS: intervals,
        tables.SHARD_EXCLUDED: excluded,
        tables.SHARD_QUALITY: quality,
    }
    with contextlib.ExitStack() as stack:
        writers = {entry: stack.enter_context(entry.writer(path)) for entry, path in paths.items()}
        several = [[stack.enter_context(atomic(path)) for path in kind] for kind in (strips, *longer)]
        output = Output(writers, several[0], stack.enter_context(atomic(beat)), settings, *several[1:])
        ingest(open_source(ecg, settings.longest_s, listed), shard, settings, output)
        output.close()
    kept, dropped = output.counts[tables.SHARD_RECORDINGS], output.counts[tables.SHARD_EXCLUDED]
    print(f"shard {shard}: {kept} kept, {dropped} excluded", flush=True)


if __name__ == "__main__":
    run(main)
