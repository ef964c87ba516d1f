"""EcgSource -> entries and recordings: one small module per file format behind one interface.

A reader is an object with `entries` (table: recording_id, person_id, key; sorted by recording_id) and
`read(key) -> Recording`. It raises `Unreadable` for one bad record and `UserError` for a bad source.
A new format is a new module here and one line in `open_source`. What a reader hands on names nobody: no names,
birth dates or free identifiers of the file, neither in the recording nor in the detail of an `Unreadable`.
"""

import functools
import importlib
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl

from ecgwas import user_tables
from ecgwas.config import EcgSource
from ecgwas.errors import UserError
from ecgwas.signals.recording import Recording, Unreadable


class Reader(Protocol):
    """What the shard job needs of a file format."""

    entries: pl.DataFrame

    def read(self, key: str | int) -> Recording:
        """The recording of one entry."""


class Settled:
    """A reader whose recordings are what the cohort's settings say, trimmed, and cut to their first `seconds`.

    `ecg.leads` and `ecg.unit` hold for every format, in place of what the files say.
    """

    def __init__(self, reader: Reader, source: EcgSource, seconds: float):
        self.reader, self.source, self.seconds = reader, source, seconds

    @functools.cached_property
    def entries(self) -> pl.DataFrame:
        """Those of the reader."""
        return self.reader.entries

    def read(self, key: str | int) -> Recording:
        """The recording of one entry."""
        from ecgwas.ingest.readers.folder import first
        from ecgwas.ingest.readers.trim import trimmed

        recording = self.reader.read(key)
        if self.source.leads:
            recording = replace(recording, leads=renamed(recording.leads, self.source.leads))
        if self.source.unit:
            recording = replace(recording, units=(self.source.unit,) * len(recording.leads))
        return first(trimmed(recording), self.seconds)


def renamed(found: tuple[str, ...], leads: list[str]) -> tuple[str, ...]:
    """`leads` in place of the names `found` in a file, which must be as many."""
    if len(found) != len(leads):
        raise Unreadable("wrong_leads", f"ecg.leads names {len(leads)} channels, the file has {len(found)}")
    return tuple(leads)


OPENERS = {"wfdb": "WfdbReader", "array": "ArrayReader", "code15": "Code15Reader"}


def open_source(source: EcgSource, seconds: float, entries: pl.DataFrame | None = None) -> Reader:
    """The reader of `source`; recordings are cut to their first `seconds`.

    Readers list their recordings when `entries` is first looked at; where it is given, nothing is listed.
    """
    reader = _open(source, seconds)
    if entries is not None:
        reader.entries = entries
    return reader


def _open(source: EcgSource, seconds: float) -> Reader:
    if not source.path.exists():
        raise UserError(f"ecg.path {source.path} does not exist; give the folder or file with the recordings")
    module = importlib.import_module(f"ecgwas.ingest.readers.{source.format}")
    if source.format in OPENERS:
        reader = getattr(module, OPENERS[source.format])(source, seconds)
    else:
        from ecgwas.ingest.readers.folder import FolderReader

        reader = FolderReader(source, module.SUFFIXES, module.parse)
    return Settled(reader, source, seconds)


def count_scale(source: EcgSource, counts: np.ndarray, otherwise: float) -> tuple[str, float]:
    """Unit of an array's samples ("" where not known) and the size of a count in it.

    The count size of the settings; else the unit of the settings, in which the numbers are taken as they are (whole
    numbers of unit `sd` as thousandths); else an unknown unit, by counts of the size `otherwise`.
    """
    if source.microvolts_per_count:
        return "uV", source.microvolts_per_count
    if source.unit in (None, "unknown"):
        return "", otherwise
    return source.unit, 1e-3 if source.unit == "sd" and counts.dtype.kind in "iu" else 1.0


def listed(source: EcgSource, key: str | None) -> pl.DataFrame:
    """`source.recordings` as entries: recording_id, person_id (text) and key (column `key`, or the row number)."""
    wanted = {source.recording_column: "ecg.recording_column", source.person_column: "ecg.person_column"}
    wanted |= {key: "ecg.path_column"} if key else {}
    given = (
        user_tables.read(source.recordings, wanted, wanted, list(wanted)[:2])
        .need(wanted)
        .complete(source.recording_column)
    )
    table = given.complete(source.person_column).once(source.recording_column, "recording").frame
    keys = pl.col(key).cast(pl.String) if key else pl.int_range(pl.len())
    entries = table.select(
        recording_id=pl.col(source.recording_column).cast(pl.String),
        person_id=pl.col(source.person_column).cast(pl.String),
        key=keys,
    )
    return checked(entries, source.recordings)


def checked(entries: pl.DataFrame, path: Path) -> pl.DataFrame:
    """`entries` sorted by recording_id, after a look for empty, blank and repeated ids."""
    if entries.is_empty():
        raise UserError(f"{path}: no recordings; check ecg.path and ecg.recordings")
    blank = entries.filter(pl.any_horizontal(pl.col("recording_id", "person_id").is_null())).height
    if blank:
        raise UserError(f"{path}: {blank} rows have no recording_id or person_id; fill them in or drop the rows")
    repeated = entries.filter(pl.col("recording_id").is_duplicated())["recording_id"].unique().sort()
    if len(repeated):
        raise UserError(
            f"{path}: {len(repeated)} recording_id values repeat, the first is {repeated[0]!r}; ids must be unique"
        )
    return entries.sort("recording_id")
