"""WFDB records (.hea with .dat or .mat, any storage format) -> recordings: the wfdb package."""

import contextlib
import os
from pathlib import Path

import numpy as np
import polars as pl
import wfdb

from ecgwas.config import EcgSource
from ecgwas.errors import UserError
from ecgwas.ingest.readers import Recording, Unreadable, checked, listed
from ecgwas.ingest.readers.wfdb_header import PlainHeader, parse_plain

# Bytes per sample of the storage formats without compression (WFDB Programmer's Guide, signal(5)).
BYTES = {"8": 1, "16": 2, "24": 3, "32": 4, "61": 2, "80": 1, "160": 2, "212": 1.5, "310": 4 / 3, "311": 4 / 3}
INVALID = -(2**15)  # what a missing sample is in format 16


class WfdbReader:
    """Records of one folder, listed by a table or by their headers."""

    def __init__(self, source: EcgSource, seconds: float):
        self.folder, self.seconds = source.path, seconds
        if not self.folder.is_dir():
            raise UserError(f"ecg.path {self.folder} is not a folder; WFDB records need the folder they are in")
        self.entries = listed(source, "path") if source.recordings else self._found()

    def _found(self) -> pl.DataFrame:
        """Entries from the headers below the folder: the person is the record's name up to '_'."""
        keys = sorted(path.relative_to(self.folder).with_suffix("").as_posix() for path in self.folder.rglob("*.hea"))
        if not keys:
            raise UserError(f"ecg.path {self.folder} has no WFDB header (*.hea); check the path and ecg.format")
        people = [Path(key).name.split("_")[0] for key in keys]
        return checked(pl.DataFrame({"recording_id": keys, "person_id": people, "key": keys}), self.folder)

    def read(self, key: str) -> Recording:
        """The first `seconds` of record `key` (path without suffix)."""
        with _as_unreadable(key):
            plain = parse_plain((self.folder / f"{key}.hea").read_text("utf-8", "replace"))
            if plain is not None:
                return _read_plain(plain, (self.folder / key).parent, self.seconds)
            header = wfdb.rdheader(str(self.folder / key))
            _check_size(header, (self.folder / key).parent)
            length = _samples(header)
            stop = min(length, round(self.seconds * header.fs))
            record = wfdb.rdrecord(str(self.folder / key), sampto=stop, return_res=32)
            signal = np.ascontiguousarray(record.p_signal.T, dtype=np.float32)
            units = tuple(unit or "" for unit in record.units)
            return Recording(tuple(record.sig_name), units, signal, float(record.fs), length / float(record.fs))


def _read_plain(header: PlainHeader, folder: Path, seconds: float) -> Recording:
    """The first `seconds` of a record in the common form; the same as wfdb.rdrecord gives."""
    path, n = folder / header.file_name, len(header.sig_name)
    needed = header.byte_offset + 2 * n * header.sig_len
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < needed:
                raise Unreadable("truncated", f"{path.name} has {size} bytes, its header needs {needed}")
            stop = min(header.sig_len, round(seconds * header.fs))
            counts = np.fromfile(file, "<i2", count=stop * n, offset=header.byte_offset)
    except FileNotFoundError:
        raise Unreadable("unreadable", f"signal file {path.name} is missing") from None
    counts = np.ascontiguousarray(counts.reshape(stop, n).T)
    gain, baseline = (np.array(values, dtype=np.float32)[:, None] for values in (header.adc_gain, header.baseline))
    signal = counts - baseline
    signal /= gain
    if counts.min(initial=0) == INVALID:
        signal[counts == INVALID] = np.nan
    return Recording(header.sig_name, header.units, signal, header.fs, header.sig_len / header.fs)


def _samples(header: wfdb.Record) -> int:
    """Samples per signal the header declares."""
    if not header.n_sig:
        raise Unreadable("unreadable", "the header lists no signals")
    if not header.fs or header.fs <= 0:
        raise Unreadable("unreadable", f"sampling rate {header.fs} Hz")
    if not header.sig_len:
        raise Unreadable("unreadable", "the header does not give the number of samples")
    return int(header.sig_len)


def _check_size(header: wfdb.Record, folder: Path) -> None:
    """Raise `Unreadable` where a signal file is shorter than its header says."""
    names = getattr(header, "file_name", None)
    if not names or not header.sig_len:
        return
    for name in dict.fromkeys(names):
        rows = [i for i, other in enumerate(names) if other == name]
        if name == "~" or any(header.fmt[i] not in BYTES for i in rows):
            continue
        needed = header.sig_len * sum(BYTES[header.fmt[i]] * header.samps_per_frame[i] for i in rows)
        needed = int(needed) + (header.byte_offset[rows[0]] or 0)
        if not (folder / name).exists():
            raise Unreadable("unreadable", f"signal file {name} is missing")
        size = (folder / name).stat().st_size
        if size < needed:
            raise Unreadable("truncated", f"{name} has {size} bytes, its header needs {needed}")


@contextlib.contextmanager
def _as_unreadable(key: str):
    """Whatever the wfdb package raises on a damaged file becomes `Unreadable`: one bad file must not end the run."""
    try:
        yield
    except Unreadable:
        raise
    except MemoryError:
        raise
    except FileNotFoundError as error:
        raise Unreadable("unreadable", f"file {Path(error.filename or key).name} is missing") from error
    except Exception as error:
        raise Unreadable("unreadable", f"{type(error).__name__}: {str(error)[:200]}") from error
