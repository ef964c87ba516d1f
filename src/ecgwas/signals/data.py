"""Signal shards of one or several cohorts -> batches: memory-mapped int16, order a function of seed and step."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ecgwas.config import LEADS, Ingest
from ecgwas.errors import UserError
from ecgwas.tables import RECORDINGS

MODEL_LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")  # III, aVR, aVL, aVF are sums of I and II
COLUMNS = [LEADS.index(lead) for lead in MODEL_LEADS]
MISSING = -32768  # count that stands for "not recorded"
ORDER, MASKS, NOISE, STATISTICS, PAIRS, AUGMENT, WINDOWS, BANK, SPANS = range(9)  # streams of random numbers


@dataclass(frozen=True)
class Batch:
    """Recordings in counts of one microvolt, as they are stored; L leads in the order of `ingest.channels`."""

    strip: np.ndarray  # int16 [recording, L, samples]
    beat: np.ndarray  # int16 [recording, L, samples]
    rr_ms: np.ndarray  # float32 [recording], NaN where no rhythm was found
    millivolt: np.ndarray  # bool [recording], False where the size of the signals means nothing
    person: np.ndarray  # int64 [recording], code of the person
    unnamed: bool = False  # the leads are not known by name

    def __len__(self) -> int:
        return len(self.strip)

    def rows(self, rows: np.ndarray) -> "Batch":
        """Some of its recordings."""
        parts = (x[rows] for x in (self.strip, self.beat, self.rr_ms, self.millivolt, self.person))
        return Batch(*parts, self.unnamed)


@dataclass(frozen=True)
class Signals:
    """All recordings of some cohorts: one table, and the open shards its rows lie in."""

    table: pl.DataFrame  # tables.RECORDINGS, and `file`: number of the shard in the lists below
    strips: list[dict[int, np.ndarray]]  # bucket -> int16 [recording, 12 leads, samples], memory-mapped
    beats: list[np.ndarray]
    window: int  # samples of a strip in a batch: those of the shortest bucket
    # of each file: longer bucket -> int16 [recording, windows, L, samples] and RR, float32 [recording, windows]
    of_windows: list[dict[int, tuple[np.ndarray, np.ndarray]]] = field(default_factory=list)
    unnamed: bool = False  # the leads are not known by name

    def __len__(self) -> int:
        return self.table.height

    def check_channels(self, channels: Sequence[str]) -> None:
        """Stop where the stored signals have another number of channels than those named."""
        found = {arrays[0].shape[1] for arrays in self.strips} | {beats.shape[1] for beats in self.beats}
        if found != {len(channels)}:
            raise UserError(
                f"signals of {sorted(found)} channels, `ingest.channels` names {len(channels)}: {', '.join(channels)};"
                " ingest all cohorts with the settings of the model"
            )

    def windows(self, rows: np.ndarray) -> np.ndarray:
        """How many whole windows the strip of each recording holds, at least one: int [recording]."""
        chosen = self.table[rows]
        return np.array([self._recorded(*place) // self.window for place in _places(chosen)]).clip(min=1)

    def _recorded(self, file: int, _: int, bucket: int, row: int) -> int:
        """Samples up to the end of a recording's strip; those of the shortest bucket are one window without a look."""
        if bucket == 0:
            return self.window
        present = (self.strips[file][bucket][row] != MISSING).any(0)
        return len(present) - int(present[::-1].argmax()) if present.any() else 0

    def read(self, rows: np.ndarray, window: int | np.ndarray = 0) -> Batch:
        """The recordings at these rows of the table, in this order; of each its window of this number.

        A window of a long recording has its own strip, median beat and RR.
        """
        chosen = self.table[rows]
        numbers = np.broadcast_to(window, len(chosen))
        places = _places(chosen)
        strip = []
        for (file, _, bucket, row), k in zip(places, numbers.tolist(), strict=True):
            strip.append(self.strips[file][bucket][row, :, k * self.window : (k + 1) * self.window])
        beat = np.stack([self.beats[file][row] for file, row, _, _ in places])
        rr_ms = chosen["rr_ms"].cast(pl.Float32).fill_null(np.nan).to_numpy().copy()
        for i, (file, _, bucket, row) in enumerate(places):
            if bucket:
                beats, rr = self.of_windows[file][bucket]
                beat[i], rr_ms[i] = beats[row, numbers[i]], rr[row, numbers[i]]
        millivolt, person = (chosen["unit"] == "mV").to_numpy(), chosen["person"].to_numpy()
        return Batch(np.stack(strip), beat, rr_ms, millivolt, person, self.unnamed)


def _places(table: pl.DataFrame) -> list[tuple[int, int, int, int]]:
    """File, row of the beat, bucket and row of the strip of each recording."""
    return table.select("file", "row", "bucket", "strip_row").rows()


def open_signals(recordings: list[Path], strips: list[Path], beats: list[Path]) -> Signals:
    """Join each cohort's recordings.parquet with its shards, {folder}/signals/shard-{number}.{strip,beat}.npy.

    Strips of longer buckets are in shard-{number}.strip-2x.npy, -4x, …, the median beats and RR of their windows, which
    are among `beats`, in beat-2x and rr-2x.
    """
    tables, opened_strips, opened_beats, of_windows = [], [], [], []
    shards = _by_place([*strips, *beats])
    for path in recordings:
        table = RECORDINGS.read(path).sort("shard", "row")
        numbers = table["shard"].unique().sort().to_list()
        files = {number: len(opened_beats) + i for i, number in enumerate(numbers)}
        for number in numbers:
            buckets = table.filter(shard=number)["bucket"].unique().sort().to_list()
            kinds = {bucket: f"strip-{2**bucket}x" if bucket else "strip" for bucket in {0, *buckets}}
            opened_strips.append({bucket: _open(shards, path, number, kind) for bucket, kind in kinds.items()})
            opened_beats.append(_open(shards, path, number, "beat"))
            names = {bucket: (f"beat-{2**bucket}x", f"rr-{2**bucket}x") for bucket in buckets if bucket}
            of_windows.append({k: tuple(_open(shards, path, number, name) for name in two) for k, two in names.items()})
        file = pl.col("shard").replace_strict(files, return_dtype=pl.Int32)
        tables.append(table.with_columns(file=file, cohort=pl.lit(Path(path).parent.parent.name)))
    if not tables or not sum(map(len, tables)):
        raise UserError(
            f"{', '.join(map(str, recordings))}: no recordings; see the cohort's excluded.parquet for the reasons"
        )
    window = _common_length("strip", [arrays[0].shape[2] for arrays in opened_strips])
    longer_beats = [beats for file in of_windows for beats, _ in file.values()]
    _common_length("beat", [array.shape[-1] for array in (*opened_beats, *longer_beats)])
    return Signals(coded(pl.concat(tables, how="diagonal")), opened_strips, opened_beats, window, of_windows)


def coded(table: pl.DataFrame) -> pl.DataFrame:
    """The table with `person`, a number for each person of each cohort, in the order of their names."""
    return table.with_columns(person=pl.struct("cohort", "person_id").rank("dense").cast(pl.Int64))


def read_windows(signals: Signals, rows: np.ndarray, key: list[int]) -> Batch:
    """The recordings at these rows; of a long one a window at random, from the key and the row."""
    windows = signals.windows(rows)
    chosen = np.array(
        [
            np.random.default_rng([*key, int(row)]).integers(n) if n > 1 else 0
            for row, n in zip(rows, windows, strict=True)
        ]
    )
    return signals.read(rows, chosen)


def rows_of(signals: Signals, ids: pl.Series) -> np.ndarray:
    """Row of each recording in the signals' table, -1 where it is missing: int [n]."""
    row_of = {name: row for row, name in enumerate(signals.table["recording_id"])}
    return np.array([row_of.get(name, -1) for name in ids], dtype=int)


def check_signals(signals: Signals, checkpoint: dict[str, Any], path: Path) -> None:
    """Stop where the cohort was ingested with other settings than the model's training cohorts."""
    samples = checkpoint["statistics"]["beat_mean"].shape[1]
    ingest = Ingest(**checkpoint["ingest"])
    signals.check_channels(ingest.channels)
    expected = {"strip": round(ingest.seconds * ingest.model_rate_hz), "beat": samples}
    found = {"strip": signals.window, "beat": signals.beats[0].shape[2]}
    if expected != found:
        raise UserError(
            f"{path}: trained on samples {expected}, the cohort has {found}; ingest both with the same settings"
        )


def has_beat(batch: Batch) -> np.ndarray:
    """Which recordings have a median beat in at least one lead: bool [recording]."""
    return (batch.beat != MISSING).all(2).any(1)


def _by_place(paths: list[Path]) -> dict[tuple[Path, int, str], Path]:
    """{(the cohort's folder, shard number, kind): path}, from names like {folder}/signals/shard-003.strip.npy."""
    places = {}
    for path in map(Path, paths):
        name = re.fullmatch(r"shard-(\d+)\.((strip|beat)(-\d+x)?|rr-\d+x)\.npy", path.name)
        if not name:
            raise UserError(f"{path}: expected a name like signals/shard-000.strip.npy")
        places[path.parent.parent.resolve(), int(name[1]), name[2]] = path
    return places


def _axes(kind: str) -> list[int | str]:
    """Axes of a file of this kind, such as beat-2x: lengths, and names where any length will do."""
    windows = [int(n) for n in re.findall(r"(?:beat|rr)-(\d+)x", kind)]
    return ["recording", *windows, *([] if kind.startswith("rr") else ["lead", "sample"])]


def _open(shards: dict[tuple[Path, int, str], Path], recordings: Path, number: int, kind: str) -> np.ndarray:
    path = shards.get((Path(recordings).parent.resolve(), number, kind))
    if path is None:
        raise UserError(
            f"{recordings}: shard {number} has no file among --{'strips' if kind.startswith('strip') else 'beats'};"
            f" give signals/shard-{number:03d}.{kind}.npy"
        )
    array = np.load(path, mmap_mode="r")
    axes, dtype = _axes(kind), np.dtype(np.float32 if kind.startswith("rr") else np.int16)
    lengths = [found if isinstance(axis, str) else axis for axis, found in zip(axes, array.shape, strict=False)]
    if array.dtype != dtype or array.ndim != len(axes) or list(array.shape) != lengths:
        expected = f"{dtype} [{', '.join(map(str, axes))}]"
        raise UserError(f"{path}: expected {expected}, got {array.dtype} {list(array.shape)}")
    return array


def _common_length(kind: str, lengths: list[int]) -> int:
    if len(set(lengths)) > 1:
        raise UserError(f"{kind} shards of {sorted(set(lengths))} samples; ingest all cohorts with the same settings")
    return lengths[0]


def in_units(counts: np.ndarray) -> np.ndarray:
    """Counts -> mV (or whatever the unit is), float32, NaN where missing."""
    return np.where(counts == MISSING, np.nan, counts / np.float32(1000))
