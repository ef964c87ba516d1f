"""WFDB records (.hea with .dat or .mat, any storage format) -> recordings: the wfdb package."""

import functools
import math
import os
from pathlib import Path

import numpy as np
import polars as pl
import wfdb

from ecgwas.config import EcgSource
from ecgwas.ecg.canonical import native_rate
from ecgwas.errors import UserError
from ecgwas.ingest.readers import checked, listed
from ecgwas.ingest.readers.folder import MAX_SAMPLES, as_unreadable, check_shape, checked_key, scan
from ecgwas.ingest.readers.trim import trimmed
from ecgwas.ingest.readers.wfdb_general import BYTES, COMPRESSED, description, frames_held, read_frames, read_segments
from ecgwas.ingest.readers.wfdb_header import PlainHeader, parse_plain
from ecgwas.signals.recording import Recording, Unreadable

INVALID = -(2**15)  # what a missing sample is in format 16
MAX_HEADER_BYTES = 2**20
MAX_PER_FRAME, MAX_SKEW = 1024, 100_000
MAX_SEGMENTS = 10_000
SUFFIXES = (".hea", ".dat", ".mat", ".flac")  # what a table may write behind the name of a record


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
            other = " (its .mat files are read by ecg.format: files)" if scan(self.folder, (".mat",)) else ""
            raise UserError(f"ecg.path {self.folder} has no WFDB header (*.hea); check the path and ecg.format{other}")
        people = [Path(key).name.split("_")[0] for key in keys]
        return checked(pl.DataFrame({"recording_id": keys, "person_id": people, "key": keys}), self.folder)

    def read(self, key: str) -> Recording:
        """The first `seconds` of record `key` (path with or without suffix); all of it where ends are to be cut off."""
        with as_unreadable(Path(checked_key(key)).name):
            record = _record(self.folder / key)
            text = _header_text(record)
            recording = _read(record, text, self.seconds)
            partial = recording.signal.shape[1] < round(recording.seconds * recording.rate_hz)
            if partial and trimmed(recording) is not recording:
                recording = _read(record, text, math.inf)
            return recording


def _record(path: Path) -> Path:
    """`path` without the suffix of a header or signal file, where that is how its header is called."""
    if path.suffix.lower() in SUFFIXES and not path.with_name(path.name + ".hea").exists():
        return path.with_suffix("")
    return path


def _read(record: Path, text: str, seconds: float) -> Recording:
    """The first `seconds` of a record with the header `text`."""
    plain = parse_plain(text)
    if plain is not None:
        return _read_plain(plain, record, seconds)
    header, start_time = description(text, record)
    _check_names(header)
    return _read_any(record, header, seconds, start_time)


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


def _read_any(
    record: Path, header: wfdb.Record | wfdb.MultiRecord, seconds: float, start_time: str | None
) -> Recording:
    """The first `seconds` of a record, whatever the storage: at the rate of its fastest lead (`native_rate`).

    Slower signals of the record are read between their samples on straight lines, faster ones are left out.
    """
    folder = record.parent
    if isinstance(header, wfdb.MultiRecord):
        _check_described(header)
        segments = _segments(header, folder)
        stop = _stop(header, seconds)
        found = read_segments(header, segments, folder, stop)
    else:
        _complete(header, record)
        stop = _stop(header, seconds)
        found = read_frames(header, folder, 0, stop, list(range(header.n_sig)))
    names, fs = [name or "" for name in found.sig_name], float(header.fs)
    per_frame = round(native_rate(names, [fs * samples for samples in found.samps_per_frame]) / fs)
    used = [k for k, samples in enumerate(found.samps_per_frame) if samples <= per_frame]
    waves = [_at(np.asarray(found.e_p_signal[k], np.float32), stop * per_frame) for k in used]
    lasts = getattr(header, "whole_len", header.sig_len) / fs
    return Recording(
        tuple(names[k] for k in used),
        tuple(found.units[k] or "" for k in used),
        np.stack(waves),
        fs * per_frame,
        lasts,
        start_time=start_time,
    )


def _stop(header: wfdb.Record | wfdb.MultiRecord, seconds: float) -> int:
    """Frames to read for `seconds`."""
    header.whole_len = header.sig_len  # the package changes sig_len to what is read
    most = min(header.sig_len, MAX_SAMPLES // header.n_sig)
    return most if math.isinf(seconds) else min(header.sig_len, round(seconds * header.fs))


def _complete(header: wfdb.Record, record: Path) -> None:
    """`header` with its length, after a look at what it declares; a renamed record's file is found by its own name."""
    _check_described(header)
    names = set(header.file_name)
    if len(names) == 1 and not (record.parent / next(iter(names))).exists():
        renamed = record.with_name(record.name + Path(next(iter(names))).suffix)
        header.file_name = [renamed.name if renamed.exists() else name for name in header.file_name]
    _check_files(header, record.parent)
    if not header.sig_len:
        header.sig_len = frames_held(header, record.parent)
        if not header.sig_len:
            raise Unreadable("truncated", "the signal file holds no whole frame")
    _check_size(header, record.parent)


def _at(wave: np.ndarray, length: int) -> np.ndarray:
    """`wave` [sample] at `length` times over the same span."""
    if len(wave) == length:
        return wave
    return np.interp(np.arange(length) * (len(wave) / length), np.arange(len(wave)), wave).astype(np.float32)


def _segments(header: wfdb.MultiRecord, folder: Path) -> dict[str, wfdb.Record]:
    """Descriptions of the segments of a record, checked like records; '~' is a gap, a layout has no samples."""
    found = {}
    for name in dict.fromkeys(header.seg_name):
        if name == "~":
            continue
        segment, _ = description(_header_text(folder / name), folder / name)
        if isinstance(segment, wfdb.MultiRecord):
            raise Unreadable("unsupported", "a segment that is itself of segments")
        _check_names(segment)
        if set(segment.file_name) != {"~"}:
            _complete(segment, folder / name)
        found[name] = segment
    return found


def _read_plain(header: PlainHeader, record: Path, seconds: float) -> Recording:
    """The first `seconds` of a record in the common form; the same as wfdb.rdrecord gives.

    A record that was renamed is found by its own name: its header still says the old one.
    """
    _check_name(header.file_name)
    path, n = record.with_name(header.file_name), len(header.sig_name)
    check_shape(n, 1, header.fs)
    renamed = record.with_name(record.name + path.suffix)
    try:
        with (path if path == renamed or path.exists() or not renamed.exists() else renamed).open("rb", 0) as file:
            size = os.fstat(file.fileno()).st_size
            length = header.sig_len or (size - header.byte_offset) // (2 * n)
            needed = header.byte_offset + 2 * n * max(length, 1)
            if size < needed:
                raise Unreadable("truncated", f"{path.name} has {size} bytes, its header needs {needed}")
            most = min(length, MAX_SAMPLES // n)
            stop = most if math.isinf(seconds) else min(length, round(seconds * header.fs))
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
    return Recording(header.sig_name, header.units, signal, header.fs, length / header.fs, start_time=header.start_time)


def _check_described(header: wfdb.Record | wfdb.MultiRecord) -> None:
    """Raise `Unreadable` where a header describes no signals, or fewer than it says, or no rate."""
    if not header.n_sig:
        raise Unreadable("unreadable", "the header lists no signals")
    if not header.fs or header.fs <= 0:
        raise Unreadable("unreadable", f"sampling rate {header.fs} Hz")
    if isinstance(header, wfdb.Record):
        names = getattr(header, "sig_name", None) or []
        if len(names) != header.n_sig:
            raise Unreadable("unreadable", f"the header describes {len(names)} of {header.n_sig} signals")
        if max(header.samps_per_frame) > MAX_PER_FRAME or max(skew or 0 for skew in header.skew) > MAX_SKEW:
            raise Unreadable("unreadable", f"more than {MAX_PER_FRAME} samples a frame, or a skew beyond {MAX_SKEW}")
    check_shape(int(header.n_sig), 1, float(header.fs))


def _check_files(header: wfdb.Record, folder: Path) -> None:
    """Raise `Unreadable` where a signal file is missing or in no known format."""
    if any(fmt not in BYTES and fmt not in COMPRESSED for fmt in header.fmt):
        raise Unreadable("unsupported", "a storage format that WFDB does not know")
    for name in dict.fromkeys(header.file_name):
        if name != "~" and not (folder / name).exists():
            raise Unreadable("unreadable", f"signal file {name} is missing")


def _check_size(header: wfdb.Record, folder: Path) -> None:
    """Raise `Unreadable` where a signal file is shorter than its header says."""
    names = header.file_name
    for name in dict.fromkeys(names):
        rows = [i for i, other in enumerate(names) if other == name]
        if name == "~" or any(header.fmt[i] in COMPRESSED for i in rows):
            continue
        taken, samples = BYTES[header.fmt[rows[0]]]
        needed = int(header.sig_len * sum(header.samps_per_frame[i] for i in rows) * taken / samples)
        needed += header.byte_offset[rows[0]] or 0
        size = (folder / name).stat().st_size
        if size < needed:
            raise Unreadable("truncated", f"{name} has {size} bytes, its header needs {needed}")
