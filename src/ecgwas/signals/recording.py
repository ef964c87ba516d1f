"""One recording as its file holds it, whatever the format, and why one cannot be used."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np


class FileBeat(NamedTuple):
    """The median beat that a file holds, made by the machine."""

    leads: tuple[str, ...]
    units: tuple[str, ...]
    signal: np.ndarray  # float32 [lead, sample], in `units`
    rate_hz: float


@dataclass(frozen=True)
class Recording:
    """Samples as the file gives them, and what the machine said of them."""

    leads: tuple[str, ...]  # names as in the file
    units: tuple[str, ...]  # one per lead, as in the file; "" where it says nothing
    signal: np.ndarray  # float32 [lead, sample], in `units`; NaN = missing sample
    rate_hz: float
    seconds: float  # native length without what was cut off, also where only its beginning was read
    start_time: str | None = None  # ISO 8601, local time of the machine
    device: str | None = None  # model and software
    machine: Mapping[str, float] = field(default_factory=dict)  # its own measurements, by the names of INTERVALS
    statements: tuple[str, ...] = ()  # its interpretation, without lines that name people
    median: FileBeat | None = None
    beat_times_s: tuple[float, ...] = ()  # QRS complexes the machine found, from the first sample
    simultaneous: bool = True  # False where leads were recorded one after the other
    bandwidth_hz: tuple[float | None, float | None] = (None, None)  # high-pass and low-pass of the machine
    valid_from_s: float = 0.0  # what was cut off before the first sample
    cut_end_s: float = 0.0  # what was cut off behind the last sample read
    cut: tuple[str, ...] = ()  # what was cut off at either end: padding, calibration


class Unreadable(Exception):
    """One record that cannot be used: `reason` is one word, `detail` says what was seen."""

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail
