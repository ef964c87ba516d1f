"""Median beat and RR -> classical measurements: wave limits on the spatial velocity and by tangents, then lengths.

Everything is measured on the beat interpolated to 1 kHz, so the native rate does not matter. Undefined is NaN.
"""

from typing import NamedTuple

import numpy as np

from ecgwas.config import LEADS
from ecgwas.ingest.beats import MedianBeat
from ecgwas.ingest.canonical import INDEPENDENT
from ecgwas.ingest.filters import Spectrum, resample

RATE_HZ = 1000.0  # so that one sample is one millisecond
SMOOTH_HZ = 45.0  # low-pass for the limits of waves
QRS_STEEP, QRS_LIMIT = 0.15, 0.03  # of the largest spatial velocity: surely QRS, and its limits
QRS_PAUSE_MS = 25
QRS_NOISE = 2.0
P_MIN_MV, P_MIN_Z = 0.02, 8.0  # a P wave is at least this high, and this many standard errors of the median beat
AMPLITUDE_LEADS = ("I", "II", "V1", "V2", "V5")


class Marks(NamedTuple):
    """Wave limits in ms from the start of the beat; NaN where there is none."""

    p_onset: float
    p_peak: float
    p_offset: float
    qrs_onset: float
    qrs_offset: float
    t_peak: float
    t_end: float


def velocity_crossing(velocity: np.ndarray, start: int, step: int, limit: float, stop: int) -> float:
    """First position going from `start` by `step` where `velocity` [sample] falls below `limit`, interpolated.

    NaN where it does not before `stop`.
    """
    path = velocity[start:stop:step]
    below = np.flatnonzero(path < limit)
    if not len(below) or below[0] == 0:
        return np.nan
    k = below[0]
    return start + step * (k - 1 + (path[k - 1] - limit) / (path[k - 1] - path[k]))


def qrs_core(velocity: np.ndarray, peak: int) -> tuple[int, int]:
    """First and last sample that is surely QRS: faster than `QRS_STEEP` of the largest velocity within 100 ms of R.

    Joined outward from the fastest sample over pauses of at most `QRS_PAUSE_MS`, so that a tall P stays out.
    """
    start = max(peak - 100, 0)
    near = velocity[start : peak + 101]
    steep = np.flatnonzero(near > QRS_STEEP * near.max())
    top = int(np.searchsorted(steep, near.argmax()))
    pauses = np.diff(steep) > QRS_PAUSE_MS
    before, after = np.flatnonzero(pauses[:top]), np.flatnonzero(pauses[top:])
    first = steep[before[-1] + 1] if len(before) else steep[0]
    last = steep[top + after[0]] if len(after) else steep[-1]
    return int(first) + start, int(last) + start


def qrs_limits(velocity: np.ndarray, peak: int) -> tuple[float, float]:
    """QRS onset and offset: where the spatial velocity [sample] has fallen to `QRS_LIMIT` of its largest value.

    Searched for 80 ms beyond the core. The quietest stretch there is added to the limit, and the limit is never
    within the noise (`QRS_NOISE` times the velocity that a fifth of the beat stays under), so that noise and a
    sloping ST segment do not push the limits outward.
    """
    first, last = qrs_core(velocity, peak)
    largest = velocity[first : last + 1].max()
    noise = QRS_NOISE * np.quantile(velocity, 0.2)
    limits = []
    for start, step in ((first, -1), (last, 1)):
        stop = max(start + step * 80, 0)
        floor = velocity[start:stop:step].min()
        limit = min(max(floor + QRS_LIMIT * (largest - floor), noise), 0.99 * velocity[start])
        limits.append(velocity_crossing(velocity, start, step, limit, stop))
    return limits[0], limits[1]


def principal(signal: np.ndarray) -> np.ndarray:
    """[sample] of [lead, sample] along the direction with most of its energy, its largest deflection positive."""
    _, vectors = np.linalg.eigh(signal @ signal.T)
    along = vectors[:, -1] @ signal
    return along if along.max() >= -along.min() else -along


def quietest(wave: np.ndarray, width: int) -> float:
    """Mean of `wave` [sample] over the stretch of `width` samples with the least range of its smoothed values."""
    if len(wave) <= width:
        return float(wave[-1])
    windows = np.lib.stride_tricks.sliding_window_view(wave, width)
    return float(windows[np.ptp(windows, axis=1).argmin()].mean())


def tangent(wave: np.ndarray, start: int, stop: int, level: float) -> float:
    """Where the tangent at the steepest descent of `wave` between start and stop meets `level` (either direction).

    Lepeschkin & Surawicz (1952), Circulation 6:378.
    """
    step = 1 if stop > start else -1
    path = wave[start:stop:step]
    if len(path) < 3:
        return np.nan
    slope = np.gradient(path)
    k = int(slope.argmin())
    if slope[k] >= 0:
        return np.nan
    return start + step * (k + min((path[k] - level) / -slope[k], len(path) - k + 40.0))


def t_wave(beat: np.ndarray, qrs_offset: float, peak: int, rr_ms: float) -> tuple[float, float]:
    """T peak and T end on the principal direction of the ST-T segment of [lead, sample] (level: PQ segment = 0)."""
    first = round(qrs_offset) + 40
    last = min(beat.shape[1], peak + round(min(600.0, 0.85 * rr_ms - 40)))
    if last - first < 120:
        return np.nan, np.nan
    wave = principal(beat[:, first:last])
    top = int(wave[20 : max(21, min(len(wave) - 60, round(0.70 * rr_ms)))].argmax()) + 20
    level = quietest(wave[min(top + 50, len(wave) - 1) :], 40)
    end = tangent(wave, top, min(top + 170, len(wave)), level)
    return first + top, first + end


def level_ends(segment: np.ndarray) -> np.ndarray:
    """[lead, sample] less the line through the means of its first and last 12 samples: the tail of T goes."""
    left, right = segment[:, :12].mean(axis=1, keepdims=True), segment[:, -12:].mean(axis=1, keepdims=True)
    return segment - left - (right - left) * np.linspace(0, 1, segment.shape[1], dtype=segment.dtype)


def p_wave(beat: np.ndarray, error: np.ndarray, qrs_onset: float, earliest: float) -> tuple[float, float, float]:
    """P onset, peak and offset on the principal direction of the segment before QRS; NaN where there is no P wave.

    A P wave stands out of its own feet by `P_MIN_MV` and by `P_MIN_Z` standard errors `error` [lead].
    """
    none = (np.nan, np.nan, np.nan)
    last, first = round(qrs_onset) - 4, max(round(earliest), round(qrs_onset) - 330, 0)
    if last - first < 70:
        return none
    segment = level_ends(beat[:, first:last])
    centred = segment - segment.mean(axis=1, keepdims=True)
    _, vectors = np.linalg.eigh(centred @ centred.T)
    direction = vectors[:, -1]
    wave = direction @ segment
    wave = wave if wave.max() - np.median(wave) >= np.median(wave) - wave.min() else -wave
    top = int(wave[25 : len(wave) - 20].argmax()) + 25
    before, after = quietest(wave[: top - 20], 30) if top > 50 else wave[0], quietest(wave[top + 20 :], 12)
    height = wave[top] - max(before, after)
    noise = float(np.sqrt(direction**2 @ error**2))
    if height < P_MIN_MV or height < P_MIN_Z * noise:
        return none
    onset = tangent(wave, top, max(top - 90, 0), before)
    offset = tangent(wave, top, min(top + 90, len(wave)), after)
    return first + onset, first + top, first + offset


def pq_segment(qrs_onset: float) -> slice:
    """The last 16 ms before QRS: the level that limits and amplitudes are measured from."""
    return slice(max(round(qrs_onset) - 16, 0), round(qrs_onset) + 1)


def delineate(beat: np.ndarray, error: np.ndarray, peak: float, rr_ms: float) -> Marks:
    """Wave limits of a beat [lead, sample] at 1 kHz."""
    spectrum = Spectrum(beat, RATE_HZ, pad_s=0.25)
    smooth = spectrum.filtered(lowpass_hz=SMOOTH_HZ)
    velocity = np.sqrt(np.square(spectrum.filtered(lowpass_hz=SMOOTH_HZ, derivative=True)).sum(axis=0))
    onset, offset = qrs_limits(velocity, round(peak))
    if not np.isfinite(onset) or not np.isfinite(offset):
        return Marks(*[np.nan] * 3, onset, offset, np.nan, np.nan)
    smooth -= smooth[:, pq_segment(onset)].mean(axis=1, keepdims=True)
    t_peak, t_end = t_wave(smooth, offset, round(peak), rr_ms)
    earliest = t_end - rr_ms + 50 if np.isfinite(t_end) else 0.0
    return Marks(*p_wave(smooth, error, onset, earliest), onset, offset, t_peak, t_end)


def extreme(wave: np.ndarray, centre: float, half: int, level: float = 0.0) -> float:
    """The value of `wave` farthest from `level` within `half` samples of `centre`, less `level`; NaN without centre."""
    if not np.isfinite(centre):
        return np.nan
    part = wave[max(round(centre) - half, 0) : round(centre) + half + 1] - level
    return float(part[np.abs(part).argmax()])


def lead_amplitudes(wave: np.ndarray, marks: Marks) -> dict[str, float]:
    """P, R, S and T amplitude (mV) of one lead [sample], its PQ segment at 0; P above the line through its feet."""
    first, last = round(marks.qrs_onset), round(marks.qrs_offset)
    qrs = wave[first : last + 1]
    r = float(max(qrs.max(), 0.0))
    after = qrs[qrs.argmax() :] if r > 0.05 else qrs
    p = np.nan
    if np.isfinite(marks.p_onset) and np.isfinite(marks.p_offset):
        feet = wave[[max(round(marks.p_onset), 0), min(round(marks.p_offset), first)]].mean()
        p = extreme(wave, marks.p_peak, 20, float(feet))
    return {"p": p, "r": r, "s": float(max(-after.min(), 0.0)), "t": extreme(wave, marks.t_peak, 30)}


def frontal(one: float, avf: float) -> tuple[float, float]:
    """Axis (degrees) and length of the frontal vector with lead I `one` and lead aVF `avf`.

    Einthoven's triangle: I = x and aVF = (II + III)/2 = (√3/2) y, y pointing to the feet.
    """
    y = 2 / np.sqrt(3) * avf
    return float(np.degrees(np.arctan2(y, one))), float(np.hypot(one, y))


def corrected_qt(qt_ms: float, rr_ms: float) -> tuple[float, float]:
    """QTc of Bazett (1920), QT/√RR, and Fridericia (1920), QT/∛RR, RR in s."""
    return qt_ms / (rr_ms / 1000) ** 0.5, qt_ms / (rr_ms / 1000) ** (1 / 3)


def axes(smooth: np.ndarray, marks: Marks, row: dict[str, int]) -> dict[str, float]:
    """Frontal axes (P and T at their peaks, QRS by its area) and frontal lengths of P, R and T, mV."""
    if not {"I", "aVF"} <= set(row):
        return {}
    limb = smooth[[row["I"], row["aVF"]]]
    qrs = slice(round(marks.qrs_onset), round(marks.qrs_offset) + 1)
    out = {"qrs_axis_deg": frontal(*limb[:, qrs].sum(axis=1))[0]}
    x, y = limb[0, qrs], 2 / np.sqrt(3) * limb[1, qrs]
    out["r_frontal_mv"] = float(np.hypot(x, y).max())
    if np.isfinite(marks.t_peak):
        out["t_axis_deg"], out["t_frontal_mv"] = frontal(*limb[:, round(marks.t_peak)])
    if np.isfinite(marks.p_peak) and np.isfinite(marks.p_onset) and np.isfinite(marks.p_offset):
        feet = limb[:, [max(round(marks.p_onset), 0), round(marks.p_offset)]].mean(axis=1)
        out["p_axis_deg"], out["p_frontal_mv"] = frontal(*(limb[:, round(marks.p_peak)] - feet))
    return out


def voltages(amplitude: dict[str, dict[str, float]]) -> dict[str, float]:
    """Sokolow & Lyon (1949): S in V1 + the larger R of V5 and V6. Cornell (Casale 1985): R in aVL + S in V3."""
    out = {}
    if {"V1", "V5", "V6"} <= set(amplitude):
        out["sokolov_mv"] = amplitude["V1"]["s"] + max(amplitude["V5"]["r"], amplitude["V6"]["r"])
    if {"aVL", "V3"} <= set(amplitude):
        out["cornell_mv"] = amplitude["aVL"]["r"] + amplitude["V3"]["s"]
    return out


def durations(marks: Marks, rr_ms: float) -> dict[str, float]:
    """Wave lengths and intervals, ms, of marks that are ms."""
    qt = marks.t_end - marks.qrs_onset
    bazett, fridericia = corrected_qt(qt, rr_ms)
    return {
        "p_duration_ms": marks.p_offset - marks.p_onset,
        "pr_ms": marks.qrs_onset - marks.p_onset,
        "qrs_ms": marks.qrs_offset - marks.qrs_onset,
        "qt_ms": qt,
        "qtc_bazett_ms": bazett,
        "qtc_fridericia_ms": fridericia,
    }


def measure(beat: MedianBeat, leads: list[int], rr_ms: float, unit: str) -> dict[str, float]:
    """Measurements of one recording with mean RR `rr_ms`; `leads` are the rows of `LEADS` that the beat holds.

    Amplitudes need a known unit, axes leads I and aVF; P and PR need a P wave.
    """
    row = {LEADS[lead]: k for k, lead in enumerate(leads)}
    signal = resample(beat.signal, beat.rate_hz, RATE_HZ)
    independent = [k for lead, k in zip(leads, range(len(leads)), strict=True) if lead in INDEPENDENT]
    peak = beat.peak * RATE_HZ / beat.rate_hz
    marks = delineate(signal[independent], beat.error[independent], peak, rr_ms)
    if not np.isfinite(marks.qrs_onset + marks.qrs_offset):
        return {}
    out = durations(marks, rr_ms)
    signal = signal - signal[:, pq_segment(marks.qrs_onset)].mean(axis=1, keepdims=True)
    out |= axes(signal, marks, row)
    amplitude = {name: lead_amplitudes(signal[k], marks) for name, k in row.items()}
    out |= {f"{w}_{lead.lower()}_mv": amplitude[lead][w] for lead in AMPLITUDE_LEADS if lead in row for w in "prst"}
    out |= voltages(amplitude)
    return {name: value for name, value in out.items() if unit == "mV" or not name.endswith("_mv")}
