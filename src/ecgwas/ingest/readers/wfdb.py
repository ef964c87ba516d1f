"""WFDB records (.hea with .dat or .mat, any storage format) -> recordings: the wfdb package."""

import functools
import os
from pathlib import Path

import numpy as np
import polars as pl
import wfdb

from ecgwas.config import EcgSource
from ecgwas.errors import UserError
from ecgwas.ingest.canonical import native_rate
from ecgwas.ingest.readers import Recording, Unreadable, checked, listed
from ecgwas.ingest.readers.folder import as_unreadable, check_shape, checked_key, scan
from ecgwas.ingest.readers.wfdb_header import PlainHeader, parse_plain

# Bytes per sample of the storage formats without compression (WFDB Programmer's Guide, signal(5)).
BYTES = {"8": 1, "16": 2, "24": 3, "32": 4, "61": 2, "80": 1, "160": 2, "212": 1.5, "310": 4 / 3, "311": 4 / 3}
COMPRESSED = {"508", "516", "524"}  # FLAC
INVALID = -(2**15)  # what a missing sample is in format 16
MAX_HEADER_BYTES = 2**20
MAX_PER_FRAME, MAX_SKEW = 1024, 100_000
MAX_SEGMENTS = 10_000


class WfdbReader:
    """Records of one folder, listed by a table or by their headers."""

    def __init__(self, source: EcgSource, seconds: float):
        self.source, self.folder, self.seconds = source, source.path, seconds
        if not self.folder.is_dir():
            raise UserError(f"ecg.path {self.folder} is not a folder; WFDB records need the folder they are in")

    @functools.cached_property
    def entries(self) -> pl.DataFrame:
        """A row a recording, from the table or the headers."""
        return listed(self.source, self.source.path_column) if self.source.recordings else self._found()

    def _found(self) -> pl.DataFrame:
        """Entries from the headers below the folder: the person is the record's name up to '_'."""
        keys = [name.removesuffix(".hea") for name in scan(self.folder, (".hea",)) if name.endswith(".hea")]
        if not keys:
            raise UserError(f"ecg.path {self.folder} has no WFDB header (*.hea); check the path and ecg.format")
        people = [Path(key).name.split("_")[0] for key in keys]
        return checked(pl.DataFrame({"recording_id": keys, "person_id": people, "key": keys}), self.folder)

    def read(self, key: str) -> Recording:
        """The first `seconds` of record `key` (path without suffix)."""
        with as_unreadable(Path(checked_key(key)).name):
            record = self.folder / key
            text = _header_text(record)
            plain = parse_plain(text)
            if plain is not None:
                return _read_plain(plain, record, self.seconds)
            header = wfdb.rdheader(str(record))
            _check_names(header)
            _check_size(header, record.parent)
            length = _samples(header)
            return _read_any(record, header, min(length, round(self.seconds * header.fs)))


def _header_text(record: Path) -> str:
    """The header, of a size that a header has."""
    with record.with_name(record.name + ".hea").open("rb", 0) as file:
        data = file.read(MAX_HEADER_BYTES + 1)
    if len(data) > MAX_HEADER_BYTES:
        raise Unreadable("too_large", f"a header of more than {MAX_HEADER_BYTES} bytes")
    return data.decode("utf-8", "replace")


def _check_names(header: wfdb.Record | wfdb.MultiRecord) -> None:
    """Raise `Unreadable` where a header names a file outside its own folder, or more segments than a record has."""
    names = [*(getattr(header, "file_name", None) or []), *(getattr(header, "seg_name", None) or [])]
    for name in names:
        _check_name(name or "")
    if len(names) > MAX_SEGMENTS or (getattr(header, "n_seg", None) or 0) > MAX_SEGMENTS:
        raise Unreadable("too_large", f"more than {MAX_SEGMENTS} files or segments")


def _check_name(name: str) -> None:
    if "/" in name or "\\" in name or ".." in name:
        raise Unreadable("unsafe_path", "the header names a file outside its folder")


def _read_any(record: Path, header: wfdb.Record | wfdb.MultiRecord, stop: int) -> Recording:
    """The first `stop` frames of a record, whatever the storage: at the rate of its fastest lead (`native_rate`).

    Slower signals of the record are read between their samples on straight lines, faster ones are left out.
    """
    if isinstance(header, wfdb.MultiRecord):
        _check_segments(header, record.parent)
    found = wfdb.rdrecord(str(record), sampto=stop, return_res=32, smooth_frames=False)
    names, fs = [name or "" for name in found.sig_name], float(header.fs)
    per_frame = round(native_rate(names, [fs * samples for samples in found.samps_per_frame]) / fs)
    used = [k for k, samples in enumerate(found.samps_per_frame) if samples <= per_frame]
    waves = [_at(np.asarray(found.e_p_signal[k], np.float32), stop * per_frame) for k in used]
    date, time = header.base_date, header.base_time
    return Recording(
        tuple(names[k] for k in used),
        tuple(found.units[k] or "" for k in used),
        np.stack(waves),
        float(header.fs) * per_frame,
        header.sig_len / float(header.fs),
        start_time=f"{date.isoformat()}T{time.isoformat(timespec='seconds')}" if date and time else None,
    )


def _at(wave: np.ndarray, length: int) -> np.ndarray:
    """`wave` [sample] at `length` times over the same span."""
    if len(wave) == length:
        return wave
    return np.interp(np.arange(length) * (len(wave) / length), np.arange(len(wave)), wave).astype(np.float32)


def _check_segments(header: wfdb.MultiRecord, folder: Path) -> None:
    """The same checks for the segments of a record; '~' is a gap."""
    for name in dict.fromkeys(header.seg_name):
        if name != "~":
            _header_text(folder / name)
            segment = wfdb.rdheader(str(folder / name))
            if isinstance(segment, wfdb.MultiRecord):
                raise Unreadable("unsupported", "a segment that is itself of segments")
            _check_names(segment)
            _check_size(segment, folder)


def _read_plain(header: PlainHeader, record: Path, seconds: float) -> Recording:
    """The first `seconds` of a record in the common form; the same as wfdb.rdrecord gives.

    A record that was renamed is found by its own name: its header still says the old one.
    """
    _check_name(header.file_name)
    path, n = record.with_name(header.file_name), len(header.sig_name)
    check_shape(n, 1, header.fs)
    needed = header.byte_offset + 2 * n * header.sig_len
    renamed = record.with_name(record.name + path.suffix)
    try:
        with (path if path == renamed or path.exists() or not renamed.exists() else renamed).open("rb", 0) as file:
            size = os.fstat(file.fileno()).st_size
            if size < needed:
                raise Unreadable("truncated", f"{path.name} has {size} bytes, its header needs {needed}")
            stop = min(header.sig_len, round(seconds * header.fs))
            data = os.pread(file.fileno(), 2 * stop * n, header.byte_offset)
    except FileNotFoundError:
        raise Unreadable("unreadable", f"signal file {path.name} is missing") from None
    counts = np.frombuffer(data, "<i2").reshape(stop, n)
    gain, baseline = (np.array(values, dtype=np.float32)[:, None] for values in (header.adc_gain, header.baseline))
    signal = counts.T.astype(np.float32, order="C")
    if any(header.baseline):
        signal -= baseline
    signal /= gain
    if counts.min(initial=0) == INVALID:
        signal[counts.T == INVALID] = np.nan
    lasts = header.sig_len / header.fs
    return Recording(header.sig_name, header.units, signal, header.fs, lasts, start_time=header.start_time)


def _samples(header: wfdb.Record) -> int:
    """Samples per signal the header declares."""
    if not header.n_sig:
        raise Unreadable("unreadable", "the header lists no signals")
    if not header.fs or header.fs <= 0:
        raise Unreadable("unreadable", f"sampling rate {header.fs} Hz")
    if not header.sig_len:
        raise Unreadable("unreadable", "the header does not give the number of samples")
    names = getattr(header, "sig_name", None)
    if isinstance(header, wfdb.Record) and len(names or []) != header.n_sig:
        raise Unreadable("unreadable", f"the header describes {len(names or [])} of {header.n_sig} signals")
    check_shape(int(header.n_sig), 1, float(header.fs))
    return int(header.sig_len)


def _check_size(header: wfdb.Record, folder: Path) -> None:
    """Raise `Unreadable` where a signal file is shorter than its header says."""
    names = getattr(header, "file_name", None)
    if not names or not header.sig_len:
        return
    if max(header.samps_per_frame) > MAX_PER_FRAME or max(skew or 0 for skew in header.skew) > MAX_SKEW:
        raise Unreadable("unreadable", f"more than {MAX_PER_FRAME} samples a frame, or a skew beyond {MAX_SKEW}")
    for name in dict.fromkeys(names):
        rows = [i for i, other in enumerate(names) if other == name]
        if name == "~" or any(header.fmt[i] in COMPRESSED for i in rows):
            continue
        if any(header.fmt[i] not in BYTES for i in rows):
            raise Unreadable("unsupported", "a storage format that WFDB does not know")
        needed = header.sig_len * sum(BYTES[header.fmt[i]] * header.samps_per_frame[i] for i in rows)
        needed = int(needed) + (header.byte_offset[rows[0]] or 0)
        if not (folder / name).exists():
            raise Unreadable("unreadable", f"signal file {name} is missing")
        size = (folder / name).stat().st_size
        if size < needed:
            raise Unreadable("truncated", f"{name} has {size} bytes, its header needs {needed}")
