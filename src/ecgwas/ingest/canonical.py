"""Recording -> twelve leads in mV: names and units normalised, absent limb leads derived, present ones checked."""

import functools
from collections.abc import Sequence

import numpy as np

from ecgwas.config import LEADS
from ecgwas.ingest.readers import Recording, Unreadable

MILLIVOLTS = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "v": 1e3, "nv": 1e-6}
MILLIVOLTS |= {
    "millivolt": 1.0,
    "millivolts": 1.0,
    "microvolt": 1e-3,
    "microvolts": 1e-3,
    "volt": 1e3,
    "nanovolt": 1e-6,
}
_ROWS = {name.upper(): row for row, name in enumerate(LEADS)}
_PREFIXES = ("MDC_ECG_LEAD_", "LEAD_", "LEAD", "ECG_", "ECG", "D")  # DI, DII, DIII of Spanish and Portuguese
I, II, III, AVR, AVL, AVF = range(6)  # noqa: E741 (the names of the leads)
LIMB = slice(0, 6)
_LIMB_ROWS = {name.upper(): row for row, name in enumerate(LEADS[LIMB])}
# Sums of limb leads that are 0: Einthoven's, and Goldberger's for aVR, aVL, aVF.
_SUMS = np.array(
    [[-1, 1, -1, 0, 0, 0], [0.5, 0.5, 0, 1, 0, 0], [-1, 0.5, 0, 0, 1, 0], [0.5, -1, 0, 0, 0, 1]], dtype=np.float32
)
RATE_HZ = (62.0, 2000.0)  # outside, waves or filters are beyond what is measured here
SD = "sd"  # the unit of z-scored samples
# The eight leads that carry the information; the other four are sums of I and II.
INDEPENDENT = (I, II, 6, 7, 8, 9, 10, 11)


def lead_row(name: str, rows: dict[str, int] | None = None, prefixes: tuple[str, ...] = _PREFIXES) -> int | None:
    """Row in `LEADS` (or `rows`) of a lead called `name` in some file ('avr', 'Lead II', 'MDC_ECG_LEAD_V1'), or None.

    By the whole name only: MLII is not II, a V without a number is no chest lead, and -aVR (Cabrera) is not aVR.
    """
    rows = _ROWS if rows is None else rows
    name = name.split("(")[0].strip().upper().replace(" ", "_")  # 'I (mV)' is I
    for prefix in ("", *prefixes):
        key = name.removeprefix(prefix).strip("_")
        if name.startswith(prefix) and not key.startswith("-") and key.replace("-", "") in rows:
            return rows[key.replace("-", "")]
    return None


def twelve_leads(recording: Recording) -> tuple[np.ndarray, str]:
    """Float32 [12, sample] in mV, order `LEADS`, NaN rows for absent leads; and the unit: "mV", "sd" or "unknown".

    Absent limb leads are made from those present. Raises `Unreadable` for a recording that no step can take: a rate
    outside `RATE_HZ`, or leads recorded one after the other (a print of 4 x 2.5 s), which share no time.
    """
    check_rate(recording.rate_hz)
    signal, unit = named_leads(recording)
    if recording.simultaneous and not apart(signal):
        return derive_limb_leads(signal), unit
    raise Unreadable("not_simultaneous", "leads were recorded one after the other: no time is in all of them")


def native_rate(names: Sequence[str], rates_hz: Sequence[float]) -> float:
    """The rate of a file whose channels have several: the highest of its ECG leads, else the highest it can be.

    A microphone at 8 kHz or a slow lead beside them does not decide; channels above the rate are to be left out.
    """
    leads = [rate for name, rate in zip(names, rates_hz, strict=True) if lead_row(name) is not None]
    usable = [rate for rate in rates_hz if rate <= RATE_HZ[1]]
    return max(leads or usable or rates_hz)


def check_rate(rate_hz: float) -> None:
    """Raise `Unreadable` for a sampling rate that the filters and measurements are not made for."""
    low, high = RATE_HZ
    if not low <= rate_hz <= high:
        raise Unreadable("sampling_rate", f"{rate_hz:g} Hz, not from {low:g} to {high:g} Hz")


def named_leads(
    recording: Recording, rows: dict[str, int] | None = None, prefixes: tuple[str, ...] = _PREFIXES
) -> tuple[np.ndarray, str]:
    """Float32 [lead, sample] in mV of the leads of `rows` (name in capitals -> row), absent ones NaN; and the unit.

    A lead in a unit that is no voltage leaves the whole recording in an unknown unit (taken as mV). Leads that a
    file names twice are taken from their first row. Leads of other names are left out. Where nothing changes it is
    the recording's own array: not to be written to.
    """
    rows = _ROWS if rows is None else rows
    places, scales, unit = placed(recording.leads, recording.units, tuple(rows.items()), prefixes)
    if places == list(range(len(recording.leads))) and all(scale == 1 for scale in scales):
        signal = recording.signal
    else:
        signal = np.empty((len(rows), recording.signal.shape[1]), dtype=np.float32)
        for row, place, scale in zip(rows.values(), places, scales, strict=True):
            if place is None:
                signal[row] = np.nan
            else:
                np.multiply(recording.signal[place], scale, out=signal[row])
    infinite = np.isinf(signal)
    return (np.where(infinite, np.float32(np.nan), signal) if infinite.any() else signal), unit


@functools.lru_cache(maxsize=1024)
def placed(
    leads: tuple[str, ...], units: tuple[str, ...], rows: tuple[tuple[str, int], ...], prefixes: tuple[str, ...]
) -> tuple[list[int | None], list[np.float32], str]:
    """Where each of `rows` (name in capitals, row) is among `leads`, what makes it mV; and the unit of all.

    Remembered: a cohort has few layouts of leads.
    """
    known, found, unit = dict(rows), {}, "mV"
    for place in reversed(range(len(leads))):
        row, lead_unit = lead_row(leads[place], known, prefixes), units[place]
        if row is None:
            continue
        scale = MILLIVOLTS.get(lead_unit.strip().lower())
        if not scale:
            unit = SD if lead_unit == SD else "unknown"
        found[row] = place, np.float32(scale or 1.0)
    pairs = [found.get(row, (None, np.float32(1))) for row in known.values()]
    return [place for place, _ in pairs], [scale for _, scale in pairs], unit


def spans(signal: np.ndarray) -> np.ndarray:
    """[lead, 2] first and one past the last sample that is there of [lead, sample], of the leads that are there."""
    finite = np.isfinite(signal)
    finite = finite[finite.any(axis=1)]
    return np.stack([finite.argmax(axis=1), finite.shape[1] - finite[:, ::-1].argmax(axis=1)], axis=1)


def apart(signal: np.ndarray) -> bool:
    """Whether two leads of [lead, sample] are there at no common time."""
    if np.isfinite(signal[:, [0, -1]]).any(axis=0).all() and not np.isnan(signal[:, [0, -1]]).any():
        return False
    present = spans(signal)
    return len(present) > 0 and bool(present[:, 0].max() >= present[:, 1].min())


def einthoven_residual(recording: Recording) -> float:
    """RMS in µV of II - I - III and of Goldberger's sums over limb leads present; NaN where none can be checked.

    The identities hold for leads in one unit of voltage recorded together, not for z-scored ones. Offsets of leads
    are removed: electronics may shift each lead, and the filters take it away.
    """
    if not recording.simultaneous:
        return float("nan")
    limb, unit = named_leads(recording, _LIMB_ROWS)
    present = np.isfinite(limb[:, 0])
    if not present.all():
        present = np.isfinite(limb).any(axis=1)
    checked = [k for k, parts in enumerate(_SUMS) if all(present[row] for row in np.flatnonzero(parts))]
    if unit != "mV" or not checked or apart(limb):
        return float("nan")
    sums = _SUMS[checked]
    rest = sums[:, present] @ limb[present]  # absent leads have no part in the sums that are left
    total = float(rest.sum())
    if not np.isfinite(total):
        rest = rest[:, np.isfinite(rest).all(axis=0)]
    if not rest.size:
        return float("nan")
    rest -= rest.mean(axis=1, keepdims=True)
    return float(1000 * np.sqrt(np.vdot(rest, rest) / rest.size))


def derive_limb_leads(signal: np.ndarray) -> np.ndarray:
    """[12, sample] with absent limb leads filled from I and II; I or II from III where one is absent.

    Einthoven (1913): II = I + III. Goldberger (1942): aVR = -(I + II)/2, aVL = I - II/2, aVF = II - I/2.
    """
    if np.isfinite(signal[LIMB, 0]).all():
        return signal
    absent = ~np.isfinite(signal[LIMB]).any(axis=1)
    signal = signal.copy()
    if absent[I] and not absent[II] and not absent[III]:
        signal[I] = signal[II] - signal[III]
    if absent[II] and not absent[I] and not absent[III]:
        signal[II] = signal[I] + signal[III]
    for row, (a, b) in {III: (-1, 1), AVR: (-0.5, -0.5), AVL: (1, -0.5), AVF: (-0.5, 1)}.items():
        if absent[row]:
            signal[row] = np.float32(a) * signal[I] + np.float32(b) * signal[II]
    return signal


def made_leads(recording: Recording) -> set[int]:
    """Rows of the limb leads that `twelve_leads` makes from others: the file has none, or nothing in it."""
    places, _, _ = placed(recording.leads, recording.units, tuple(_LIMB_ROWS.items()), _PREFIXES)
    signal = recording.signal
    return {
        row
        for row, place in zip(_LIMB_ROWS.values(), places, strict=True)
        if place is None or not (np.isfinite(signal[place, 0]) or np.isfinite(signal[place]).any())
    }


def limb_leads_lost(bad: np.ndarray) -> np.ndarray:
    """`bad` [12] with the four leads that are sums of I and II also bad where I or II is."""
    bad = bad.copy()
    if bad[I] or bad[II]:
        bad[[III, AVR, AVL, AVF]] = True
    return bad
