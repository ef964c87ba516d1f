"""Recording -> twelve leads in mV: names and units normalised, absent limb leads derived, present ones checked."""

import functools
from collections.abc import Sequence

import numpy as np

from ecgwas.config import LEADS
from ecgwas.ecg.leads import lead_rows
from ecgwas.signals.recording import Recording, Unreadable

MILLIVOLTS = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "v": 1e3, "nv": 1e-6}
MILLIVOLTS |= {
    "millivolt": 1.0,
    "millivolts": 1.0,
    "microvolt": 1e-3,
    "microvolts": 1e-3,
    "volt": 1e3,
    "nanovolt": 1e-6,
}
I, II, III, AVR, AVL, AVF = range(6)  # noqa: E741 (the names of the leads)
LIMB = slice(0, 6)
# Sums of limb leads that are 0: Einthoven's, and Goldberger's for aVR, aVL, aVF.
SUMS = np.array(
    [[-1, 1, -1, 0, 0, 0], [0.5, 0.5, 0, 1, 0, 0], [-1, 0.5, 0, 0, 1, 0], [0.5, -1, 0, 0, 0, 1]], dtype=np.float32
)
RATE_HZ = (62.0, 2000.0)  # outside, waves or filters are beyond what is measured here
SD = "sd"  # the unit of z-scored samples
# The eight leads that carry the information; the other four are sums of I and II.
INDEPENDENT = (I, II, 6, 7, 8, 9, 10, 11)


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
    leads = [rate for row, rate in zip(lead_rows(tuple(names)), rates_hz, strict=True) if row is not None]
    usable = [rate for rate in rates_hz if rate <= RATE_HZ[1]]
    return max(leads or usable or rates_hz)


def check_rate(rate_hz: float) -> None:
    """Raise `Unreadable` for a sampling rate that the filters and measurements are not made for."""
    low, high = RATE_HZ
    if not low <= rate_hz <= high:
        raise Unreadable("sampling_rate", f"{rate_hz:g} Hz, not from {low:g} to {high:g} Hz")


def named_leads(
    recording: Recording, rows: Sequence[int | None] | None = None, names: Sequence[str] = LEADS
) -> tuple[np.ndarray, str]:
    """Float32 [lead, sample] in mV of the leads `names`, absent ones NaN; and the unit.

    `rows` says which of them each channel of the file is, by default by its name. A lead in a unit that is no voltage
    leaves the whole recording in an unknown unit (taken as mV). Other channels are left out. Where nothing changes it
    is the recording's own array: not to be written to. Raises `Unreadable` where channels of one lead differ.
    """
    rows = lead_rows(recording.leads) if rows is None else rows
    places, scales, unit = placed(tuple(rows), recording.units, len(names))
    if places == [(k,) for k in range(len(recording.leads))] and all(scale == 1 for scale in scales):
        signal = recording.signal
    else:
        signal = np.full((len(names), recording.signal.shape[1]), np.nan, dtype=np.float32)
        for row, several in enumerate(places):
            for place in several[:1]:
                np.multiply(recording.signal[place], scales[place], out=signal[row])
            for place in several[1:]:
                signal[row] = merged(signal[row], recording, place, several[0], scales[place], names[row])
    infinite = np.isinf(signal)
    return (np.where(infinite, np.float32(np.nan), signal) if infinite.any() else signal), unit


def merged(
    samples: np.ndarray, recording: Recording, place: int, first: int, scale: np.float32, name: str
) -> np.ndarray:
    """[sample] of a lead that the file has twice, the second time in channel `place`: what is present in either.

    Raises `Unreadable` where the two differ where both are present: which is the lead, no name tells.
    """
    other = recording.signal[place] * scale
    both = np.isfinite(samples) & np.isfinite(other)
    if not np.allclose(
        samples[both], other[both], rtol=1e-4, atol=1e-4 * float(np.ptp(other[both])) if both.any() else 0
    ):
        seen = " and ".join(f"{k + 1} ({recording.leads[k][:32]!r})" for k in (first, place))
        raise Unreadable(
            "repeated_lead", f"lead {name} is in channels {seen} with different samples; name them with ecg.leads"
        )
    return np.where(np.isfinite(samples), samples, other)


@functools.lru_cache(maxsize=1024)
def placed(
    rows: tuple[int | None, ...], units: tuple[str, ...], n: int
) -> tuple[list[tuple[int, ...]], list[np.float32], str]:
    """Channels of each of `n` leads, by the lead that each channel is; what makes channels mV; and the unit of all.

    Remembered: a cohort has few layouts of leads.
    """
    scales, unit = [], "mV"
    for row, lead_unit in zip(rows, units, strict=True):
        scale = MILLIVOLTS.get(lead_unit.strip().lower())
        if row is not None and not scale:
            unit = SD if lead_unit == SD else "unknown"
        scales.append(np.float32(scale or 1.0))
    places = [tuple(place for place, other in enumerate(rows) if other == row) for row in range(n)]
    return places, scales, unit


def limb_leads(recording: Recording) -> tuple[np.ndarray, str]:
    """Float32 [6, sample] in mV of the limb leads, absent ones NaN; and the unit."""
    rows = [row if row is not None and row < LIMB.stop else None for row in lead_rows(recording.leads)]
    return named_leads(recording, rows, LEADS[LIMB])


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
    limb, unit = limb_leads(recording)
    present = np.isfinite(limb[:, 0])
    if not present.all():
        present = np.isfinite(limb).any(axis=1)
    checked = [k for k, parts in enumerate(SUMS) if all(present[row] for row in np.flatnonzero(parts))]
    if unit != "mV" or not checked or apart(limb):
        return float("nan")
    sums = SUMS[checked]
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
    places, _, _ = placed(lead_rows(recording.leads), recording.units, LIMB.stop)
    signal = recording.signal
    there = [any(np.isfinite(signal[k, 0]) or np.isfinite(signal[k]).any() for k in several) for several in places]
    return {row for row, present in enumerate(there) if not present}


def limb_leads_lost(bad: np.ndarray) -> np.ndarray:
    """`bad` [12] with the four leads that are sums of I and II also bad where I or II is."""
    bad = bad.copy()
    if bad[I] or bad[II]:
        bad[[III, AVR, AVL, AVF]] = True
    return bad
