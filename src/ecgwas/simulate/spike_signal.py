"""One real recording and planned changes -> the same recording with QT stretched, PR lengthened, T scaled."""

from typing import NamedTuple

import numpy as np
from scipy.interpolate import make_interp_spline

from ecgwas.config import Ingest
from ecgwas.ecg.amplitudes import frontal
from ecgwas.ecg.beats import (
    BEFORE_S,
    MedianBeat,
    align,
    median_beat,
    rr_intervals,
)
from ecgwas.ecg.canonical import INDEPENDENT
from ecgwas.ecg.delineate import RATE_HZ, delineate, pq_segment
from ecgwas.ecg.filters import Spectrum, resample
from ecgwas.ecg.qrs import detect

P_MARGIN_MS = 20.0  # moved with the P wave, before its onset
LEAST_SLOPE = 0.3  # a stretch of time is never squeezed below this share of its length
T_RISE_MS, T_FALL_MS = 60.0, 60.0


class Fiducials(NamedTuple):
    """Where the waves of one recording are. Limits in samples from the R peak, NaN where there is none."""

    r: np.ndarray  # [beat] samples
    p_onset: float
    p_offset: float
    qrs_onset: float
    qrs_offset: float
    t_end: float
    values: dict[str, float]  # measured qt and pr, ms; t_amplitude, frontal length, mV; NaN where undefined


def find_fiducials(signal: np.ndarray, rate_hz: float, settings: Ingest) -> Fiducials | None:
    """Fiducials of [12, sample] mV; None where there is no median beat with QRS and T to alter."""
    spectrum = Spectrum(signal, rate_hz).without_mains()
    wide = spectrum.filtered(settings.highpass_hz, 100.0)
    smooth = spectrum.filtered(settings.highpass_hz, settings.lowpass_hz)
    peaks = detect(spectrum, list(range(12)), list(INDEPENDENT))
    beat = median_beat(wide, smooth, peaks, rate_hz) if len(peaks) > 4 else None
    if beat is None or beat.n_beats < 3:
        return None
    return _measured(beat, peaks, smooth, rate_hz)


def _measured(beat: MedianBeat, peaks: np.ndarray, smooth: np.ndarray, rate_hz: float) -> Fiducials | None:
    rr_ms = float(rr_intervals(peaks, rate_hz).mean())
    fine = resample(beat.signal, beat.rate_hz, RATE_HZ)
    independent = list(INDEPENDENT)
    peak_ms = beat.peak * RATE_HZ / beat.rate_hz
    marks = delineate(fine[independent], beat.error[independent], peak_ms, rr_ms)
    if not np.isfinite(marks.qrs_onset + marks.qrs_offset + marks.t_end):
        return None
    fine = fine - fine[:, pq_segment(marks.qrs_onset)].mean(axis=1, keepdims=True)
    top = round(marks.t_peak)
    t_mv = frontal(float(fine[0, top]), float(fine[5, top]))[1]
    values = {"qt": marks.t_end - marks.qrs_onset, "pr": marks.qrs_onset - marks.p_onset, "t_amplitude": t_mv}
    limits = [(mark - peak_ms) * rate_hz / RATE_HZ for mark in (marks.p_onset, marks.p_offset)]
    limits += [(mark - peak_ms) * rate_hz / RATE_HZ for mark in (marks.qrs_onset, marks.qrs_offset, marks.t_end)]
    return Fiducials(_r_peaks(beat, peaks, smooth, rate_hz), *limits, values)


def _r_peaks(beat: MedianBeat, peaks: np.ndarray, smooth: np.ndarray, rate_hz: float) -> np.ndarray:
    """R peaks of every beat: aligned where the beat lies whole in the recording, by the usual distance elsewhere."""
    margin = round(0.7 * rate_hz)
    inside = (peaks >= margin) & (peaks < smooth.shape[1] - margin)
    r = peaks.astype(np.float64)
    r[inside] = align(smooth, peaks[inside], rate_hz)[0]
    r[~inside] += np.median(r[inside] - peaks[inside])
    return r + beat.peak - round(BEFORE_S * rate_hz)


def alter(signal: np.ndarray, marks: Fiducials, rate_hz: float, changes: dict[str, float]) -> np.ndarray:
    """[12, sample] with `changes`: qt and pr in ms added, t_amplitude as a factor on the T wave.

    Every lead gets the same linear map, so that sums of leads stay sums; QRS complexes are not touched.
    """
    out = signal
    if changes.get("t_amplitude", 1.0) != 1.0:
        out = scale_t(out, marks, rate_hz, changes["t_amplitude"])
    qt, pr = (changes.get(name, 0.0) * rate_hz / 1000.0 for name in ("qt", "pr"))
    if qt == 0.0 and pr == 0.0:
        return out
    target, source = warp(marks, signal.shape[1], rate_hz, qt, pr)
    at = np.interp(np.arange(signal.shape[1]), target, source)
    still = at == np.arange(signal.shape[1])
    warped = make_interp_spline(np.arange(signal.shape[1]), out, k=3, axis=1)(at)
    return np.where(still, out, warped)


def warp(marks: Fiducials, n: int, rate_hz: float, qt: float, pr: float) -> tuple[np.ndarray, np.ndarray]:
    """Anchors (target, source) in samples of a monotone map of time: QT grows by `qt`, PR by `pr` samples.

    QRS stays where it is; the ST-T segment stretches to its new end, the P wave moves away from QRS, and the
    stretch between T and the next P takes up the change, squeezed to no less than `LEAST_SLOPE` of its length.
    """
    anchors = [(0.0, 0.0), (float(n - 1), float(n - 1))]
    has_p = np.isfinite(marks.p_onset + marks.p_offset)
    margin = P_MARGIN_MS * rate_hz / 1000
    for beat, r in enumerate(marks.r):
        following = marks.r[beat + 1] if beat + 1 < len(marks.r) else np.inf
        anchors += [(r + marks.qrs_onset, r + marks.qrs_onset), (r + marks.qrs_offset, r + marks.qrs_offset)]
        begin = following + (marks.p_onset - margin if has_p else marks.qrs_onset)
        room = min(begin, n - 1) - (r + marks.t_end)
        if room <= 0:
            continue
        earlier = min(pr, (1 - LEAST_SLOPE) * room) if has_p and np.isfinite(following) else 0.0
        earlier = max(earlier, -(1 - LEAST_SLOPE) * (marks.qrs_onset - marks.p_offset)) if earlier else 0.0
        later = min(qt, (1 - LEAST_SLOPE) * room - max(earlier, 0.0))
        later = max(later, -(1 - LEAST_SLOPE) * (marks.t_end - marks.qrs_offset))
        anchors.append((r + marks.t_end + later, r + marks.t_end))
        if has_p and np.isfinite(following):
            p = np.array([marks.p_onset - margin, marks.p_offset]) + following
            anchors += [(p[0] - earlier, p[0]), (p[1] - earlier, p[1])]
    target, source = np.array(sorted(a for a in anchors if 0 <= a[0] <= n - 1)).T
    # Waves of neighbouring beats can overlap where rhythm is irregular: anchors that would run back are left out.
    highest = np.maximum.accumulate(source)
    rising = np.concatenate([[True], (np.diff(target) > 0) & (source[1:] > highest[:-1])])
    return target[rising], source[rising]


def scale_t(signal: np.ndarray, marks: Fiducials, rate_hz: float, factor: float) -> np.ndarray:
    """[12, sample] with every T wave `factor` times as high above the line between its beat's PQ and the next one's."""
    n = signal.shape[1]
    rise, fall = T_RISE_MS * rate_hz / 1000, T_FALL_MS * rate_hz / 1000
    weight = np.zeros(n)
    time = np.arange(n)
    for r in marks.r:
        begin, end = r + marks.qrs_offset, r + marks.t_end
        up = np.clip((time - begin) / rise, 0, 1)
        down = np.clip((end + fall - time) / fall, 0, 1)
        weight = np.maximum(weight, 0.25 * (1 - np.cos(np.pi * up)) * (1 - np.cos(np.pi * down)))
    level = np.rint(marks.r + marks.qrs_onset).astype(int)
    level = level[(level >= 8) & (level < n)]
    width = round(0.016 * rate_hz)
    pq = np.stack([signal[:, max(k - width, 0) : k + 1].mean(axis=1) for k in level], axis=1)
    baseline = np.stack([np.interp(time, level, lead) for lead in pq])
    return signal + (factor - 1) * weight * (signal - baseline)
