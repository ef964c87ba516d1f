"""Recording -> what its file says: leads, span, device, and the machine's own measurements beside ours."""

import numpy as np

from ecgwas.signals.recording import Recording
from ecgwas.tables import INTERVALS

MACHINE = [name.removeprefix("machine_") for name in INTERVALS.columns if name.startswith("machine_")]
LONGEST_NAME = 32  # of a lead: some formats have free text there


def about(recording: Recording) -> dict[str, object]:
    """Columns of the recordings table that come from the file alone."""
    start, stop = valid_span(recording.signal)
    offset, (highpass, lowpass) = recording.valid_from_s, recording.bandwidth_hz
    return {
        "leads": [name[:LONGEST_NAME] for name in recording.leads],
        "valid_from_s": offset + start / recording.rate_hz,
        "valid_to_s": offset + stop / recording.rate_hz,
        "native_highpass_hz": highpass,
        "native_lowpass_hz": lowpass,
        "device": recording.device,
        "start_time": recording.start_time,
        "statements": list(recording.statements),
    }


def valid_span(signal: np.ndarray) -> tuple[int, int]:
    """First and one past the last sample of [lead, sample] that is there in some lead; (0, 0) where none is."""
    if not np.isnan(signal[0, [0, -1]]).any():
        return 0, signal.shape[1]
    there = np.flatnonzero(np.isfinite(signal).any(axis=0))
    return (int(there[0]), int(there[-1]) + 1) if len(there) else (0, 0)


def machine(recording: Recording) -> dict[str, float]:
    """The machine's measurements that have a column, under its name."""
    return {f"machine_{name}": recording.machine[name] for name in MACHINE if name in recording.machine}
