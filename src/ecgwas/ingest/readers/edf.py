"""EDF and EDF+C files -> recordings: 16-bit samples in blocks (Kemp et al. 1992), channels at one rate each.

Channels below the highest rate are read between samples on straight lines, so that the recording has one rate.
"""

from pathlib import Path

import numpy as np

from ecgwas.config import EcgSource
from ecgwas.ecg.canonical import native_rate
from ecgwas.ingest.readers import dates
from ecgwas.ingest.readers.folder import check_shape
from ecgwas.signals.recording import Recording, Unreadable

SUFFIXES = (".edf",)
# Widths of the fields that each channel has, in the header's order.
FIELDS = {"label": 16, "transducer": 80, "unit": 8, "low": 8, "high": 8, "digital_low": 8, "digital_high": 8}
FIELDS |= {"filter": 80, "samples": 8, "reserved": 32}
MAX_CHANNELS = 1024
UNKNOWN = -1  # blocks of a recording that was not closed: as many as the file holds


def parse(path: Path, source: EcgSource | None = None) -> Recording:
    """The signals of one file; its annotation channels are left out."""
    data = path.read_bytes()
    if len(data) < 256 or data[:8] != b"0       ":
        raise Unreadable("wrong_format", "not an EDF file")
    blocks, block_s, count = number(data[236:244]), number(data[244:252]), int(number(data[252:256]))
    if data[192:197] == b"EDF+D":
        raise Unreadable("unsupported", "an EDF+ file with interruptions")
    if not 0 < count <= MAX_CHANNELS or len(data) < 256 * (1 + count):
        raise Unreadable("truncated", f"{count} channels in {len(data)} bytes")
    fields = channels(data, count)
    sizes = [int(number(text)) for text in fields["samples"]]
    width = sum(sizes)
    if min(sizes) < 1:
        raise Unreadable("unreadable", "a channel has no samples in a block")
    if blocks == UNKNOWN:
        blocks = (len(data) - 256 * (1 + count)) // (2 * width)
    if not block_s > 0 or not blocks >= 1:
        raise Unreadable("unreadable", f"{blocks:g} blocks of {block_s:g} s")
    needed = 256 * (1 + count) + 2 * int(blocks) * width
    if len(data) < needed:
        raise Unreadable("truncated", f"{len(data)} bytes, the header needs {needed}")
    used = [k for k in range(count) if label(fields["label"][k]) not in ("EDF Annotations", "BDF Annotations")]
    if not used:
        raise Unreadable("unreadable", "no signal")
    largest = round(
        native_rate([label(fields["label"][k]) for k in used], [sizes[k] / block_s for k in used]) * block_s
    )
    used = [k for k in used if sizes[k] <= largest]
    check_shape(len(used), largest * blocks, largest / block_s)
    table = np.frombuffer(data, "<i2", count=int(blocks) * width, offset=256 * (1 + count)).reshape(int(blocks), width)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    waves = [scaled(table[:, starts[k] : starts[k + 1]].ravel(), fields, k) for k in used]
    length = largest * int(blocks)
    return Recording(
        tuple(label(fields["label"][k]) for k in used),
        tuple(label(fields["unit"][k]) for k in used),
        np.stack([wave if len(wave) == length else between(wave, length) for wave in waves]).astype(np.float32),
        largest / block_s,
        blocks * block_s,
        start_time=iso(data[168:176], data[176:184]),
    )


def channels(data: bytes, count: int) -> dict[str, list[bytes]]:
    """Field -> its bytes of every channel."""
    at, found = 256, {}
    for name, width in FIELDS.items():
        found[name] = [data[at + width * k : at + width * (k + 1)] for k in range(count)]
        at += width * count
    return found


def scaled(counts: np.ndarray, fields: dict[str, list[bytes]], k: int) -> np.ndarray:
    """[sample] in the unit of channel `k`: the line through its digital and physical limits."""
    low, high, first, last = (number(fields[name][k]) for name in ("low", "high", "digital_low", "digital_high"))
    if last == first or not np.isfinite(low + high):
        raise Unreadable("unreadable", f"channel {k + 1} gives no scale")
    size = (high - low) / (last - first)
    return (counts.astype(np.float64) - first) * size + low


def between(wave: np.ndarray, length: int) -> np.ndarray:
    """`wave` [sample] at `length` times over the same span, on straight lines."""
    return np.interp(np.arange(length) * (len(wave) / length), np.arange(len(wave)), wave)


def number(field: bytes) -> float:
    """A number written in ASCII."""
    try:
        value = float(field)
    except ValueError as error:
        raise Unreadable("unreadable", "a field of the header is no number") from error
    if not np.isfinite(value) or abs(value) > 1e15:
        raise Unreadable("unreadable", "a field of the header is no number")
    return value


def label(field: bytes) -> str:
    """Text of a field, without the type of signal in front ('EEG Fp1-Ref' is Fp1-Ref)."""
    text = field.decode("latin-1").strip()
    kind, _, rest = text.partition(" ")
    return rest.strip() if kind in ("EEG", "ECG", "EMG", "EOG") and rest.strip() else text


def iso(date: bytes, time: bytes) -> str | None:
    """ISO 8601 of dd.mm.yy and hh.mm.ss; years from 85 are of the last century."""
    parts = [*date.split(b"."), *time.split(b".")]
    if len(parts) != 6 or not all(part.isdigit() and len(part) == 2 for part in parts):
        return None
    day, month, year, hour, minute, second = (int(part) for part in parts)
    return dates.iso(year + (1900 if year >= 85 else 2000), month, day, hour, minute, second)
