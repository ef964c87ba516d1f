"""WFDB header text -> what a plain record needs: the common form, read twenty times faster than the general one.

WFDB Applications Guide, header(5). Only single-segment records with all signals in one 16-bit file, one sample a
frame, no skew and a gain for every signal are read here; for anything else the answer is None and the wfdb package
decides.
"""

import re
from typing import NamedTuple

from ecgwas.ingest.readers import dates

_RECORD = re.compile(r"(\S+)[ \t]+(\d+)[ \t]+(\d+(?:\.\d+)?)(?:[ \t]+(\d+)(?:[ \t]+(\S+))?(?:[ \t]+(\S+))?)?[ \t]*")
_TIME = re.compile(r"(?:(?:(\d{1,2}):)?(\d{1,2}):)?(\d{1,2})(?:\.\d+)?")
_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_SIGNAL = re.compile(
    rf"(\S+)[ \t]+16(?:x1)?(?:\+(\d+))?[ \t]+({_NUMBER})(?:\((-?\d+)\))?/(\S+)"
    r"[ \t]+\d+[ \t]+(-?\d+)[ \t]+-?\d+[ \t]+-?\d+[ \t]+\d+[ \t]+(\S[^\r\n]*?)[ \t]*"
)


class PlainHeader(NamedTuple):
    """Header of a record whose samples lie in one 16-bit file, frame by frame."""

    fs: float
    sig_len: int | None  # samples per signal; None where the header does not say
    file_name: str
    byte_offset: int
    adc_gain: tuple[float, ...]  # counts per unit
    baseline: tuple[int, ...]  # count that is zero
    units: tuple[str, ...]
    sig_name: tuple[str, ...]
    start_time: str | None = None  # ISO 8601, where the header gives time and date


def parse_plain(text: str) -> PlainHeader | None:
    """The header in `text`, or None where it is not of the common form, is damaged, or leaves something out."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    record = _RECORD.fullmatch(lines[0]) if lines else None
    if record is None or "/" in record[1]:
        return None
    signals = [_SIGNAL.fullmatch(line) for line in lines[1:]]
    fs, length = float(record[3]), int(record[4] or 0) or None
    if not signals or len(signals) != int(record[2]) or not all(signals) or not fs:
        return None
    if len({(signal[1], signal[2]) for signal in signals}) != 1 or any(float(signal[3]) == 0 for signal in signals):
        return None
    return PlainHeader(
        fs,
        length,
        signals[0][1],
        int(signals[0][2] or 0),
        tuple(float(signal[3]) for signal in signals),
        tuple(int(signal[6] if signal[4] is None else signal[4]) for signal in signals),
        tuple(signal[5] for signal in signals),
        tuple(signal[7] for signal in signals),
        iso(record[5], record[6]),
    )


def iso(time: str | None, date: str | None) -> str | None:
    """ISO 8601 of [[hh:]mm:]ss and dd/mm/yyyy; None where either is absent, impossible or of another form."""
    clock, day = _TIME.fullmatch(time or ""), _DATE.fullmatch(date or "")
    if not clock or not day:
        return None
    return dates.iso(day[3], day[2], day[1], *(part or 0 for part in clock.groups()))
