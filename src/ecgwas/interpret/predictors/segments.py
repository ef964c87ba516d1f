"""Stored strip and median beat -> which wave segment each sample belongs to: P, PR, QRS, ST, T or TP.

Limits come from the ingestion's delineation of the median beat and hold for every beat of the strip, placed by its R
peaks. Letters of the shapes: L leads, S and T samples of strip and beat.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ecgwas import config
from ecgwas.ecg.beats import BEFORE_S, MedianBeat, median_beat
from ecgwas.ecg.canonical import INDEPENDENT
from ecgwas.ecg.delineate import FEET, RATE_HZ, Marks, delineate, principal, tangents
from ecgwas.ecg.filters import Spectrum, resample
from ecgwas.ecg.intervals import without_neighbours
from ecgwas.ecg.qrs import detect
from ecgwas.ecg.rhythm import irregular, normal_intervals

SEGMENTS = ("P", "PR", "QRS", "ST", "T", "TP")
NONE = -1  # label of samples that belong to no segment
LEAST_ST_S = 0.02


class Limits(NamedTuple):
    """Limits of waves in s from the R peak; NaN where there is no such wave."""

    p_onset: float
    p_offset: float
    qrs_onset: float
    qrs_offset: float
    t_onset: float
    t_end: float


@dataclass(frozen=True)
class Layout:
    """Segments of one recording, the same in all leads."""

    strip: np.ndarray  # int8 [S], number in SEGMENTS or NONE
    beat: np.ndarray  # int8 [T]
    phase_s: np.ndarray  # float [S], time from the R peak of the beat that a sample belongs to
    reasons: dict[str, str] = field(default_factory=dict)  # segment: why it is missing


class Unexplained(Exception):
    """A recording whose segments cannot be found; the message is the reason."""


def layout(strip: np.ndarray, beat: np.ndarray, ingest: config.Ingest) -> Layout:
    """Segments of strip [L, S] and beat [L, T] in mV, NaN where missing; raises `Unexplained`."""
    rows = np.flatnonzero(np.isfinite(beat).all(1) & np.isfinite(strip).any(1))
    if not len(rows):
        raise Unexplained("no_median_beat")
    independent = [int(r) for r in rows if ingest.channels[r] in INDEPENDENT] or [int(r) for r in rows]
    own, r_s, rr_s = beats_of(strip[independent], ingest.model_rate_hz)
    limits = limits_of(beat[independent], own, rr_s, ingest)
    time_s = np.arange(strip.shape[1]) / ingest.model_rate_hz
    labels, phase_s = labelled(time_s, r_s, rr_s, limits)
    in_beat = np.arange(beat.shape[1]) / ingest.beat_rate_hz - ingest.beat_before_s
    of_beat, _ = labelled(in_beat, np.zeros(1), rr_s, limits)
    return Layout(labels, of_beat, phase_s, reasons(limits))


def beats_of(strip: np.ndarray, rate_hz: float) -> tuple[MedianBeat, np.ndarray, float]:
    """The strip's own median beat, times of all R peaks of [lead, S], s, and the median RR interval, s."""
    there = np.flatnonzero(np.isfinite(strip).all(0))
    if len(there) < 3 * rate_hz:
        raise Unexplained("no_rhythm")
    first = there[0]
    whole = np.ascontiguousarray(strip[:, first : there[-1] + 1])
    whole = np.where(np.isfinite(whole), whole, 0.0).astype(np.float32)
    rows = list(range(len(whole)))
    peaks = detect(Spectrum(whole, rate_hz), rows, rows)
    own = median_beat(whole, whole, peaks, rate_hz) if len(peaks) > 1 else None
    if own is None:
        raise Unexplained("no_rhythm")
    shift = own.peak - round(BEFORE_S * rate_hz)
    usual = float(np.median(own.position + shift - nearest(own.position, peaks)))
    at = peaks + usual  # beats at the ends of the strip, which the median beat excludes
    at[np.searchsorted(peaks, nearest(own.position, peaks))] = own.position + shift
    return own, (first + at) / rate_hz, float(np.median(np.diff(at))) / rate_hz


def nearest(x: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The nearest of `values` to each x."""
    return values[np.abs(x[:, None] - values).argmin(1)]


def limits_of(beat: np.ndarray, own: MedianBeat, rr_s: float, ingest: config.Ingest) -> Limits:
    """Wave limits of the stored median beat [lead, T], as the ingestion marks them."""
    peak = round(ingest.beat_before_s * ingest.beat_rate_hz)
    rebuilt = MedianBeat(
        beat.astype(np.float32), float(peak), ingest.beat_rate_hz, own.n_beats, own.error, own.n_considered,
        own.n_agreeing, own.position * ingest.beat_rate_hz / own.rate_hz, own.kept,
    )  # fmt: skip
    cut, peak = without_neighbours(rebuilt)
    signal = resample(cut, ingest.beat_rate_hz, RATE_HZ)
    peak_ms = peak * RATE_HZ / ingest.beat_rate_hz
    uneven = irregular(*normal_intervals(own))
    marks = delineate(signal, own.error, peak_ms, 1000 * rr_s, regular=not uneven)
    if not np.isfinite(marks.qrs_onset + marks.qrs_offset):
        raise Unexplained("no_qrs_limits")
    times = (marks.p_onset, marks.p_offset, marks.qrs_onset, marks.qrs_offset, t_onset(signal, marks), marks.t_end)
    return Limits(*((t - peak_ms) / 1000 for t in times))


def t_onset(signal: np.ndarray, marks: Marks) -> float:
    """Where T begins in [lead, sample] at 1 kHz, ms: `FEET` times as far from its peak as its tangent meets the level.

    On the principal direction of the ST-T segment, as `delineate` finds T end, but never within 20 ms of QRS offset.
    """
    if not np.isfinite(marks.t_end):
        return np.nan
    level = signal[:, max(round(marks.qrs_onset) - 16, 0) : round(marks.qrs_onset) + 1].mean(1, keepdims=True)
    first, top = round(marks.qrs_offset) + round(1000 * LEAST_ST_S), round(marks.t_peak)
    wave = principal((signal - level)[:, first : round(marks.t_end)])[None]
    start = float(tangents(wave, top - first, 0, np.zeros(1))[0]) if top > first else np.nan
    onset = top + FEET * (start + first - top) if np.isfinite(start) else first
    return float(np.clip(onset, first, max(first, top - 10)))


def labelled(time_s: np.ndarray, r_s: np.ndarray, rr_s: float, limits: Limits) -> tuple[np.ndarray, np.ndarray]:
    """Label int8 [n] of samples at `time_s` among beats with R peaks at `r_s`, and time from their beat's R peak.

    A beat is assumed one RR interval before the first and after the last. Where T runs into the next P, P has it.
    """
    r_s = np.concatenate([[r_s[0] - rr_s], r_s, [r_s[-1] + rr_s]])
    last = np.clip(np.searchsorted(r_s, time_s, side="right") - 1, 0, len(r_s) - 1)
    since, until = time_s - r_s[last], time_s - r_s[np.minimum(last + 1, len(r_s) - 1)]
    since = np.where(time_s < r_s[0], np.nan, since)
    until = np.where(last == len(r_s) - 1, np.nan, until)
    until = np.where(time_s < r_s[0], time_s - r_s[0], until)
    begins = limits.p_onset if np.isfinite(limits.p_onset) else limits.qrs_onset
    before, ends = until >= begins, limits.t_end if np.isfinite(limits.t_end) else np.inf
    out = np.full(len(time_s), SEGMENTS.index("TP") if np.isfinite(ends) else NONE, np.int8)
    for name, start, stop in (("ST", limits.qrs_offset, limits.t_onset), ("T", limits.t_onset, limits.t_end)):
        out[(since >= start) & (since < stop)] = SEGMENTS.index(name)
    out[(since < limits.qrs_offset) | (before & (until >= limits.qrs_onset))] = SEGMENTS.index("QRS")
    for name, start, stop in (("P", limits.p_onset, limits.p_offset), ("PR", limits.p_offset, limits.qrs_onset)):
        out[(until >= start) & (until < stop)] = SEGMENTS.index(name)
    ahead = before | (np.abs(until) < np.abs(since) - rr_s / 3) | np.isnan(since)
    return out, np.where(ahead, until, since)


def reasons(limits: Limits) -> dict[str, str]:
    """Reasons of missing segments."""
    out = {}
    if not np.isfinite(limits.p_onset):
        out |= dict.fromkeys(("P", "PR"), "no_p_wave")
    if not np.isfinite(limits.t_end):
        out |= dict.fromkeys(("ST", "T", "TP"), "no_t_wave")
    return out


def time_shares(found: Layout) -> np.ndarray:
    """Share of a strip's samples in each segment, float [6]."""
    return np.array([(found.strip == k).mean() for k in range(len(SEGMENTS))])
