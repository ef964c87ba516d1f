"""Unfiltered beats -> pacing spikes, and the median beat without them, from which a paced beat is measured."""

from dataclasses import dataclass, replace

import numpy as np

from ecgwas.ecg.beats import BEFORE_S, MedianBeat, median_error, r_peak
from ecgwas.ecg.delineate import Marks
from ecgwas.ecg.filters import Spectrum, at_samples

MIN_RATE_HZ = 400.0  # a spike of 1 to 2 ms is not to be seen below
SPIKE_S, BROADER_S = 0.004, 0.012  # half-widths of the second differences that a spike is told by
SPIKE_BEFORE_S, SPIKE_AFTER_S = 0.25, 0.02  # window around R
SPIKE_NARROW = 0.6  # its second difference over 4 ms is this share of that over 12 ms: of a Gaussian, SD below 4 ms
SPIKE_MV, SPIKE_NOISE = 0.2, 6.0  # least height, in mV and in medians of the same before the beat
SPIKE_SHARE, SPIKE_JITTER_S = 0.6, 0.008
BLANK_S = (0.006, 0.010)  # before and after a spike: what a line replaces, and where QRS begins at the earliest
VENTRICULAR_S = 0.17  # before R: an earlier spike is that of the atria
R_SEARCH_S = (-0.06, 0.26)  # from R, which may be a spike of the atria
QRS_LEAST_MS = 60.0  # after an onset that a spike gives
MOST_SPIKES, APART_S = 3, 0.04  # of a beat: atrial, and one or two ventricular leads; distance of two
HIGHPASS_HZ, LOWPASS_HZ = 0.5, 100.0  # of the beat without spikes


def second_difference(beats: np.ndarray, half: int, margin: int) -> np.ndarray:
    """[beat, sample] vector length of x[t] - (x[t-half] + x[t+half])/2 of [beat, lead, sample], `margin` cut off."""
    n = beats.shape[2]
    centre = beats[:, :, margin : n - margin]
    sides = beats[:, :, margin - half : n - margin - half] + beats[:, :, margin + half : n - margin + half]
    return np.sqrt(np.square(centre - sides / 2).sum(axis=1))


def spikes(signal: np.ndarray, beat: MedianBeat, unit: str) -> np.ndarray | None:
    """[kept beat] sample of a spike before R in [lead, sample] (mV, unfiltered), at the same distance in most beats.

    Empty where most beats have none; None where the rate is too low to show a spike, or the unit unknown.
    """
    rate_hz = beat.rate_hz
    if rate_hz < MIN_RATE_HZ or unit != "mV":
        return None
    half, margin = round(SPIKE_S * rate_hz), round(BROADER_S * rate_hz)
    r = np.rint(beat.position[beat.kept] + beat.peak - round(BEFORE_S * rate_hz)).astype(int)
    start, stop = -round(SPIKE_BEFORE_S * rate_hz) - margin, round(SPIKE_AFTER_S * rate_hz) + margin
    r = r[(r + start >= 0) & (r + stop <= signal.shape[1])]
    if len(r) < 3:
        return None
    parts = signal[:, r[:, None] + np.arange(start, stop)].transpose(1, 0, 2)
    sharp, broad = second_difference(parts, half, margin), second_difference(parts, margin, margin)
    rows, at = np.arange(len(r)), sharp.argmax(axis=1)
    height, noise = sharp[rows, at], np.median(sharp, axis=1)
    spike = (height > SPIKE_MV) & (height > SPIKE_NOISE * noise) & (height > SPIKE_NARROW * broad[rows, at])
    near = np.abs(at - np.median(at[spike])) <= SPIKE_JITTER_S * rate_hz if spike.any() else spike
    found = spike & near
    return r[found] + start + margin + at[found] if found.mean() >= SPIKE_SHARE else r[:0]


def blanked(signal: np.ndarray, places: np.ndarray, rate_hz: float) -> np.ndarray:
    """[lead, sample] with a line in place of the spikes."""
    before, after = (round(s * rate_hz) for s in BLANK_S)
    out = signal.copy()
    for place in places:
        first, last = max(place - before, 0), min(place + after, signal.shape[1] - 1)
        share = np.linspace(0, 1, last - first + 1, dtype=signal.dtype)
        out[:, first : last + 1] = signal[:, [first]] + (signal[:, [last]] - signal[:, [first]]) * share
    return out


@dataclass(frozen=True)
class Unpaced:
    """A median beat without its ventricular spikes, and where all spikes were: samples from its start, in order."""

    beat: MedianBeat
    spikes: tuple[float, ...]


def without_spikes(signal: np.ndarray, beat: MedianBeat, unit: str, independent: list[int]) -> Unpaced:
    """The median of the same beats of [lead, sample] (mV, unfiltered) less their spikes; the same beat without any.

    Spikes are looked for in the rows `independent`. A beat whose spikes are those of the atria, far before R, stays as
    it is.
    """
    clean, found, first = signal, [], beat.position[beat.kept] - round(BEFORE_S * beat.rate_hz)
    for _ in range(MOST_SPIKES):
        places = spikes(clean[independent], beat, unit)
        if places is None or not len(places):
            break
        offset = float(np.median(places - first[np.searchsorted(first, places) - 1]))
        if any(abs(offset - other) < APART_S * beat.rate_hz for other in found):
            break  # what is left of a spike, or a steep onset of QRS
        clean = blanked(clean, places, beat.rate_hz)
        found.append(offset)
    if not any(beat.peak - spike < VENTRICULAR_S * beat.rate_hz for spike in found):
        return Unpaced(beat, tuple(sorted(found)))
    band = Spectrum(clean, beat.rate_hz).without_mains().filtered(HIGHPASS_HZ, LOWPASS_HZ)
    beats = at_samples(band, first[:, None] + np.arange(beat.signal.shape[1]))  # [lead, beat, sample]
    median = np.median(beats, axis=1).astype(np.float32)
    rest = beats[:, :, : round((BEFORE_S - SPIKE_BEFORE_S) * beat.rate_hz)]
    peak = r_peak(median, fastest(median, beat), beat.rate_hz)
    return Unpaced(replace(beat, signal=median, error=median_error(rest), peak=peak), tuple(sorted(found)))


def fastest(signal: np.ndarray, beat: MedianBeat) -> int:
    """Sample of the greatest spatial velocity of [lead, sample] around R; where a spike was taken for R, after it."""
    first, last = (round(beat.peak + s * beat.rate_hz) for s in R_SEARCH_S)
    velocity = np.square(np.diff(signal[:, max(first, 0) : last], axis=1)).sum(axis=0)
    return max(first, 0) + int(velocity.argmax())


def paced_marks(marks: Marks, spikes_ms: list[float]) -> Marks:
    """`marks` of a paced beat, ms: no P, and QRS begins after the last of the spikes that lie within or before it.

    Filters spread a spike and its after-potential to both sides, so that QRS seems to begin before it.
    """
    earliest = [at + 1000 * BLANK_S[1] for at in spikes_ms]
    within = [at for at in earliest if marks.qrs_onset < at < marks.qrs_offset - QRS_LEAST_MS]
    return marks._replace(p_onset=np.nan, p_peak=np.nan, p_offset=np.nan, qrs_onset=max([marks.qrs_onset, *within]))
