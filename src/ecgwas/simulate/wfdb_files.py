"""int16 recordings -> WFDB records: format 16, one microvolt a count unless told otherwise.

`wfdb.wrsamp` takes some 26 ms for a record, ten times as long as simulating it (checks and conversions for any format);
this takes 0.7 ms. A test reads the records back with `wfdb.rdrecord` and compares them with `wfdb.wrsamp`'s.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ecgwas.config import LEADS

COUNTS_PER_MV = 1000


def write_wfdb(
    folder: Path,
    names: Sequence[str],
    signals: np.ndarray,
    rate_hz: float,
    leads: Sequence[str] = LEADS,
    counts_per_mv: float = COUNTS_PER_MV,
) -> None:
    """Write `signals` [n, lead, samples] int16 counts (1000 a mV: microvolts) as `names[i]`.hea and .dat in `folder`.

    Headers hold no age, sex or name: ids are opaque, and people's properties live in the people table.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, signal in zip(names, signals, strict=True):
        (folder / f"{name}.dat").write_bytes(signal.T.astype("<i2").tobytes())
        (folder / f"{name}.hea").write_text(_header(name, signal, rate_hz, leads, counts_per_mv))


def _header(name: str, signal: np.ndarray, rate_hz: float, leads: Sequence[str], counts_per_mv: float) -> str:
    """The text of a header: record line, then a line a lead with first value and 16-bit checksum (header(5))."""
    checksum = signal.sum(1, dtype=np.int64).astype(np.int16)
    lines = [f"{name} {len(leads)} {rate_hz:g} {signal.shape[1]}"]
    for lead, first, check in zip(leads, signal[:, 0], checksum, strict=True):
        lines.append(f"{name}.dat 16 {float(counts_per_mv):.10g}(0)/mV 16 0 {first} {check} 0 {lead}")
    return "\n".join(lines) + "\n"
