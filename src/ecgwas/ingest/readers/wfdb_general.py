"""Header text of any WFDB record -> its description and samples, by the parts of the wfdb package.

The package itself takes headers from files alone, and only complete ones. Here the optional fields of header(5) are
optional: rate (250 Hz), number of samples (from the size of the signal files), gain, names; an impossible date is none;
names of records and files may hold blanks.
"""

import copy
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import wfdb
from wfdb.io import _header, _signal

from ecgwas.ingest.readers.wfdb_header import iso
from ecgwas.signals.recording import Unreadable

DEFAULT_RATE_HZ = 250.0
# Bytes per sample of the storage formats without compression (WFDB Programmer's Guide, signal(5)), as a ratio.
BYTES = {"8": (1, 1), "16": (2, 1), "24": (3, 1), "32": (4, 1), "61": (2, 1), "80": (1, 1), "160": (2, 1)}
BYTES |= {"212": (3, 2), "310": (4, 3), "311": (4, 3)}
COMPRESSED = {"508", "516", "524"}  # FLAC
NO_FILE = "~"
_FORMAT = re.compile(r"\d+(?:x\d+)?(?::-?\d+)?(?:\+\d+)?")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


class RecordLine(NamedTuple):
    """The first line of a header."""

    n_seg: int | None  # of a record of segments
    n_sig: int
    rate_hz: float
    sig_len: int | None  # None where not given, or 0: not known
    start_time: str | None


def record_line(line: str, n_lines: int, stem: str) -> RecordLine:
    """The record line of a header with `n_lines` more lines, in a file called `stem`; the name may hold blanks."""
    found = []
    for blank in re.finditer(r"[ \t]+", line):
        name, _, n_seg = line[: blank.start()].partition("/")
        rest = line[blank.end() :].split()
        if rest and rest[0].isdigit() and (not n_seg or n_seg.isdigit()):
            fits = int(n_seg or rest[0]) == n_lines
            found.append((fits, name == stem, -len(name), int(n_seg) if n_seg else None, rest))
    if not found:
        raise Unreadable("unreadable", "the first line of the header names no record with a number of signals")
    _, _, _, n_seg, rest = max(found, key=lambda one: one[:3])
    rate, length = _NUMBER.match(rest[1]) if len(rest) > 1 else None, rest[2] if len(rest) > 2 else "0"
    if (len(rest) > 1 and not rate) or not length.isdigit():
        raise Unreadable("unreadable", "the first line of the header gives no number where a rate or length stands")
    start = iso(rest[3] if len(rest) > 3 else None, rest[4] if len(rest) > 4 else None)
    return RecordLine(n_seg, int(rest[0]), float(rate[0]) if rate else DEFAULT_RATE_HZ, int(length) or None, start)


def signal_line(line: str, folder: Path) -> tuple[str, str]:
    """File name of a signal line, which may hold blanks, and the rest from the storage format on."""
    pairs = [(line[: blank.start()], line[blank.end() :]) for blank in re.finditer(r"[ \t]+", line)]
    pairs = [(name, rest) for name, rest in pairs if _FORMAT.fullmatch(rest.split()[0])]
    if not pairs:
        raise Unreadable("unreadable", "a signal line of the header gives no storage format")
    named = [pair for pair in pairs if "/" not in pair[0] and (folder / pair[0]).is_file()]
    return (named or pairs)[0]


def description(text: str, record: Path) -> tuple[wfdb.Record | wfdb.MultiRecord, str | None]:
    """The header of `record` (path without suffix) as the package has it, and the start time in ISO 8601.

    `sig_len` is None where the header does not give it.
    """
    lines = [line.strip() for line in text.removeprefix("\ufeff").splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise Unreadable("unreadable", "the header is empty")
    first = record_line(lines[0], len(lines) - 1, record.name)
    header = wfdb.Record() if first.n_seg is None else wfdb.MultiRecord()
    if first.n_seg is None:
        pairs = [signal_line(line, record.parent) for line in lines[1:]]
        fields = _header._parse_signal_lines([f"x.dat {rest}" for _, rest in pairs]) if pairs else {}
        fields["file_name"] = [name for name, _ in pairs]
    else:
        fields = _header._read_segment_lines(lines[1:])
    own = {"record_name": record.name, "n_sig": first.n_sig, "fs": first.rate_hz, "sig_len": first.sig_len}
    if first.n_seg is not None:
        own["n_seg"], own["layout"] = first.n_seg, "variable" if fields["seg_len"][:1] == [0] else "fixed"
        own["sig_len"] = first.sig_len or sum(fields["seg_len"])
    for name, value in (fields | own).items():
        setattr(header, name, value)
    return header, first.start_time


def frames_held(header: wfdb.Record, folder: Path) -> int:
    """Frames that every signal file of a record holds, by its size, or by its decoder where it is compressed."""
    held = []
    for name in dict.fromkeys(header.file_name):
        rows = [row for row, other in enumerate(header.file_name) if other == name]
        if name != NO_FILE:
            held.append(_frames(header, rows, folder / name))
    if not held:
        raise Unreadable("unreadable", "neither the header nor a signal file gives the number of samples")
    return min(held)


def _frames(header: wfdb.Record, rows: list[int], path: Path) -> int:
    """Frames in one signal file, which holds the signals `rows`."""
    formats = {header.fmt[row] for row in rows}
    if formats <= COMPRESSED:
        return soundfile.info(path).frames // header.samps_per_frame[rows[0]]
    if not formats <= set(BYTES) or len(formats) != 1:
        raise Unreadable("unsupported", "a storage format that WFDB does not know, or several in one file")
    taken, samples = BYTES[formats.pop()]
    size = path.stat().st_size - (header.byte_offset[rows[0]] or 0)
    return max(size, 0) * samples // taken // sum(header.samps_per_frame[row] for row in rows)


def read_frames(header: wfdb.Record, folder: Path, start: int, stop: int, channels: list[int]) -> wfdb.Record:
    """`header` with the physical samples of frames `start` to `stop` of `channels` as `e_p_signal`."""
    header.e_d_signal = _signal._rd_segment(
        file_name=header.file_name,
        dir_name=str(folder),
        pn_dir=None,
        fmt=header.fmt,
        n_sig=header.n_sig,
        sig_len=header.sig_len,
        byte_offset=header.byte_offset,
        samps_per_frame=header.samps_per_frame,
        skew=header.skew,
        init_value=header.init_value,
        sampfrom=start,
        sampto=stop,
        channels=channels,
        ignore_skew=False,
        return_res=32,
    )
    header._arrange_fields(channels=channels, sampfrom=start, smooth_frames=False)
    header.dac(expanded=True, return_res=32, inplace=True)
    return header


def read_segments(header: wfdb.MultiRecord, segments: dict[str, wfdb.Record], folder: Path, stop: int) -> wfdb.Record:
    """The first `stop` frames of a record of segments, whose descriptions are `segments`, as one record."""
    header.segments, channels = [None] * header.n_seg, list(range(header.n_sig))
    if header.layout == "variable":
        header.segments[0] = segments[header.seg_name[0]]
    numbers, spans = header._required_segments(0, stop)
    needed = header._required_channels(numbers, channels, str(folder), None)
    for number, (start, end), wanted in zip(numbers, spans, needed, strict=True):
        name = header.seg_name[number]
        if name == NO_FILE and header.layout == "fixed":
            header.segments[number] = _gap(next(iter(segments.values())), end - start)
        elif name != NO_FILE and wanted:
            header.segments[number] = read_frames(copy.deepcopy(segments[name]), folder, start, end, wanted)
    header._arrange_fields(seg_numbers=numbers, seg_ranges=spans, channels=channels, sampfrom=0, force_channels=True)
    return header.multi_to_single(physical=True, expanded=True, return_res=32)


def _gap(like: wfdb.Record, frames: int) -> wfdb.Record:
    """A segment of missing samples; the package fills them in where the segments' signals vary alone."""
    gap = copy.deepcopy(like)
    gap.e_p_signal = [np.full(frames * samples, np.nan, np.float32) for samples in like.samps_per_frame]
    return gap
