"""WFDB header text -> what a plain record needs: the common form, read twenty times faster than the general one.

WFDB Applications Guide, header(5). Only single-segment records with all signals in one 16-bit file, one sample a
frame, no skew and a gain for every signal are read here; for anything else the answer is None and the wfdb package
decides.
"""

import re
from typing import NamedTuple

_RECORD = re.compile(r"(\S+)[ \t]+(\d+)[ \t]+(\d+(?:\.\d+)?)[ \t]+(\d+)(?:[ \t]+\S+){0,2}[ \t]*")
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_SIGNAL = re.compile(
    rf"(\S+)[ \t]+16(?:x1)?(?:\+(\d+))?[ \t]+({_NUMBER})(?:\((-?\d+)\))?/(\S+)"
    r"[ \t]+\d+[ \t]+(-?\d+)[ \t]+-?\d+[ \t]+-?\d+[ \t]+\d+[ \t]+(\S[^\r\n]*?)[ \t]*"
)


class PlainHeader(NamedTuple):
    """Header of a record whose samples lie in one 16-bit file, frame by frame."""

    fs: float
    sig_len: int
    file_name: str
    byte_offset: int
    adc_gain: tuple[float, ...]  # counts per unit
    baseline: tuple[int, ...]  # count that is zero
    units: tuple[str, ...]
    sig_name: tuple[str, ...]


def parse_plain(text: str) -> PlainHeader | None:
    """The header in `text`, or None where it is not of the common form, is damaged, or leaves something out."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    record = _RECORD.fullmatch(lines[0]) if lines else None
    if record is None or "/" in record[1]:
        return None
    signals = [_SIGNAL.fullmatch(line) for line in lines[1:]]
    fs, length = float(record[3]), int(record[4])
    if not signals or len(signals) != int(record[2]) or not all(signals) or not fs or not length:
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
    )
