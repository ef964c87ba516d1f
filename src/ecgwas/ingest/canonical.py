"""Recording -> twelve leads in mV: names and units normalised, absent limb leads derived."""

import numpy as np

from ecgwas.config import LEADS
from ecgwas.ingest.readers import Recording

MILLIVOLTS = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "microvolt": 1e-3, "v": 1e3, "nv": 1e-6}
_ROWS = {name.upper(): row for row, name in enumerate(LEADS)}
_PREFIXES = ("MDC_ECG_LEAD_", "LEAD_", "LEAD", "ECG_", "ECG")
I, II, III, AVR, AVL, AVF = range(6)  # noqa: E741 (the names of the leads)
LIMB = slice(0, 6)
# The eight leads that carry the information; the other four are sums of I and II.
INDEPENDENT = (I, II, 6, 7, 8, 9, 10, 11)


def lead_row(name: str) -> int | None:
    """Row in `LEADS` of a lead called `name` in some file ('avr', 'Lead II', 'MDC_ECG_LEAD_V1'), or None."""
    key = name.strip().upper().replace(" ", "_").replace("-", "")
    for prefix in _PREFIXES:
        if key.startswith(prefix) and key.removeprefix(prefix).strip("_") in _ROWS:
            key = key.removeprefix(prefix).strip("_")
    return _ROWS.get(key)


def twelve_leads(recording: Recording) -> tuple[np.ndarray, str]:
    """Float32 [12, sample] in mV, order `LEADS`, NaN rows for absent leads; and the unit, "mV" or "unknown".

    A lead in a unit that is no voltage leaves the whole recording in an unknown unit (taken as mV). Leads that a
    file names twice are taken from their first row.
    """
    signal = np.full((len(LEADS), recording.signal.shape[1]), np.nan, dtype=np.float32)
    unit = "mV"
    for name, lead_unit, samples in reversed(
        list(zip(recording.leads, recording.units, recording.signal, strict=True))
    ):
        row = lead_row(name)
        if row is None:
            continue
        scale = MILLIVOLTS.get(lead_unit.strip().lower())
        unit = unit if scale else "unknown"
        signal[row] = samples * np.float32(scale or 1.0)
    return derive_limb_leads(signal), unit


def derive_limb_leads(signal: np.ndarray) -> np.ndarray:
    """Fill absent limb leads of [12, sample] from I and II, in place; I or II from III where one is absent.

    Einthoven (1913): II = I + III. Goldberger (1942): aVR = -(I + II)/2, aVL = I - II/2, aVF = II - I/2.
    """
    absent = ~np.isfinite(signal[LIMB]).any(axis=1)
    if absent[I] and not absent[II] and not absent[III]:
        signal[I] = signal[II] - signal[III]
    if absent[II] and not absent[I] and not absent[III]:
        signal[II] = signal[I] + signal[III]
    for row, (a, b) in {III: (-1, 1), AVR: (-0.5, -0.5), AVL: (1, -0.5), AVF: (-0.5, 1)}.items():
        if absent[row]:
            signal[row] = np.float32(a) * signal[I] + np.float32(b) * signal[II]
    return signal


def limb_leads_lost(bad: np.ndarray) -> np.ndarray:
    """`bad` [12] with the four leads that are sums of I and II also bad where I or II is."""
    bad = bad.copy()
    if bad[I] or bad[II]:
        bad[[III, AVR, AVL, AVF]] = True
    return bad
