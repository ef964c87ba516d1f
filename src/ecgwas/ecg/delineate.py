"""Median beat at 1 kHz and RR -> limits of P, QRS and T: on the spatial velocity and by tangents."""

from typing import NamedTuple

import numpy as np

from ecgwas.ecg.filters import Spectrum

RATE_HZ = 1000.0  # so that one sample is one millisecond
SMOOTH_HZ = 45.0  # low-pass for the limits of waves
QRS_STEEP, QRS_LIMIT = 0.15, 0.03  # of the largest spatial velocity: surely QRS, and its limits
QRS_PAUSE_MS = 25
QRS_NOISE = 2.0
P_MIN_MV = 0.012  # a P wave is at least this high, and
P_MIN_Z_IRREGULAR, P_MIN_Z = 6.0, 4.5  # this many standard errors of the median beat
SLOPE_MS = 6  # the slope of P and T is that between points this far before and after
T_LEVEL_MS = 230  # after the T peak: the level is looked for up to here
FEET = 1.2  # the foot of P and T lies this much farther from the peak than the tangent meets the baseline
EARLY, LATE = 0.75, 0.75  # share of the leads in which P has begun at its onset, P or T has ended at its end
LEAD_Z, CLEAR_LEADS = 8.0, 4  # a wave is clear in a lead from this many standard errors; leads that vote
P_LEAST_MS, P_MOST_MS = 110, 330  # length of the search before QRS
ERROR_FLOOR = 0.3  # of the typical lead's: no lead counts as quieter


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


def quietest(wave: np.ndarray, width: int) -> slice:
    """The stretch of `width` samples of `wave` [sample] with the least range; the last sample of a shorter one."""
    if len(wave) <= width:
        return slice(len(wave) - 1, len(wave))
    windows = np.lib.stride_tricks.sliding_window_view(wave, width)
    first = int(np.ptp(windows, axis=1).argmin())
    return slice(first, first + width)


def tangents(waves: np.ndarray, start: int, stop: int, level: np.ndarray) -> np.ndarray:
    """[lead] where the tangent at the steepest descent of [lead, sample] from start to stop meets `level` [lead].

    Either direction; NaN where there is no descent. Lepeschkin & Surawicz (1952), Circulation 6:378.
    """
    step = 1 if stop > start else -1
    path = waves[:, start:stop:step]
    n = path.shape[1]
    if n < 2 * SLOPE_MS + 1:
        return np.full(len(waves), np.nan)
    slope = (path[:, 2 * SLOPE_MS :] - path[:, : -2 * SLOPE_MS]) / (2 * SLOPE_MS)
    k = slope.argmin(axis=1)
    rows = np.arange(len(path))
    steepest = np.where(slope[rows, k] < 0, slope[rows, k], np.nan)
    k = k + SLOPE_MS
    return start + step * (k + np.minimum((path[rows, k] - level) / -steepest, n - k + 40.0))


def foot(
    leads: np.ndarray, along: np.ndarray, top: int, stop: int, quiet: slice, error: np.ndarray, share: float
) -> float:
    """Foot of a wave that peaks at `top` of [lead, sample], towards `stop`: `share` of the leads end it by then.

    Of the leads where it is clear, its tangents meeting the level of `quiet`; of `along` [sample] where it is clear
    in few. The foot lies `FEET` times as far out as the tangent: of a Gaussian about 2.5 SD from its peak, not 2.
    """
    level = leads[:, quiet].mean(axis=1)
    height = leads[:, top] - level
    clear = np.abs(height) > LEAD_Z * error
    waves, levels = along[None], np.array([along[quiet].mean()])
    if clear.sum() >= CLEAR_LEADS:
        sign = np.sign(height[clear])
        waves, levels = leads[clear] * sign[:, None], level[clear] * sign
    ends = tangents(waves, top, stop, levels)
    ends = np.sort(ends[np.isfinite(ends)])
    if not len(ends):
        return np.nan
    place = share * (len(ends) - 1)
    low = int(place)
    end = ends[low] + (place - low) * (ends[min(low + 1, len(ends) - 1)] - ends[low])
    return top + FEET * (float(end) - top)


def t_wave(beat: np.ndarray, error: np.ndarray, qrs_offset: float, peak: int, rr_ms: float) -> tuple[float, float]:
    """T peak on the principal direction of the ST-T segment of [lead, sample] (level: PQ segment = 0), and T end."""
    first = round(qrs_offset) + 40
    last = min(beat.shape[1], peak + round(min(600.0, 0.85 * rr_ms - 40)))
    if last - first < 120:
        return np.nan, np.nan
    segment = beat[:, first:last]
    wave = principal(segment)
    top = int(wave[20 : max(21, min(len(wave) - 60, round(0.70 * rr_ms)))].argmax()) + 20
    begin = min(top + 50, len(wave) - 1)
    quiet = quietest(wave[begin : top + T_LEVEL_MS], 40)
    quiet = slice(quiet.start + begin, quiet.stop + begin)
    end = foot(segment, wave, top, min(top + 170, len(wave)), quiet, error, LATE)
    return first + top, first + end


def level_ends(segment: np.ndarray) -> np.ndarray:
    """[lead, sample] less the line through the means of its first and last 12 samples: the tail of T goes."""
    left, right = segment[:, :12].mean(axis=1, keepdims=True), segment[:, -12:].mean(axis=1, keepdims=True)
    return segment - left - (right - left) * np.linspace(0, 1, segment.shape[1], dtype=segment.dtype)


def p_direction(segment: np.ndarray, error: np.ndarray) -> np.ndarray:
    """[lead] of unit length: where [lead, sample] stands out most of its standard errors [lead]."""
    weight = 1 / np.maximum(error, max(ERROR_FLOOR * np.median(error), 1e-9))
    scaled = (segment - segment.mean(axis=1, keepdims=True)) * weight[:, None]
    _, vectors = np.linalg.eigh(scaled @ scaled.T)
    direction = vectors[:, -1] * weight
    return direction / np.linalg.norm(direction)


def p_wave(
    beat: np.ndarray, error: np.ndarray, qrs_onset: float, earliest: float, least_z: float
) -> tuple[float, float, float]:
    """P onset, peak and offset along one direction of the segment before QRS; NaN where there is no P wave.

    A P wave stands out of its own feet by `P_MIN_MV` and by `least_z` standard errors `error` [lead].
    """
    none = (np.nan, np.nan, np.nan)
    last = round(qrs_onset) - 4
    first = max(min(round(earliest), last - P_LEAST_MS), last - P_MOST_MS + 4, 0)
    if last - first < 70:
        return none
    segment = level_ends(beat[:, first:last])
    direction = p_direction(segment, error)
    wave = direction @ segment
    wave = wave if wave.max() - np.median(wave) >= np.median(wave) - wave.min() else -wave
    top = int(wave[25 : len(wave) - 20].argmax()) + 25
    before = quietest(wave[: top - 20], 30) if top > 50 else slice(0, 1)
    after = quietest(wave[top + 20 :], 12)
    after = slice(after.start + top + 20, after.stop + top + 20)
    height = wave[top] - max(wave[before].mean(), wave[after].mean())
    noise = float(np.sqrt(direction**2 @ error**2))
    if height < P_MIN_MV or height < least_z * noise:
        return none
    onset = foot(segment, wave, top, max(top - 90, 0), before, error, 1 - EARLY)
    offset = foot(segment, wave, top, min(top + 90, len(wave)), after, error, LATE)
    return first + onset, first + top, min(first + offset, qrs_onset)


def pq_segment(qrs_onset: float) -> slice:
    """The last 16 ms before QRS: the level that limits and amplitudes are measured from."""
    return slice(max(round(qrs_onset) - 16, 0), round(qrs_onset) + 1)


def delineate(beat: np.ndarray, error: np.ndarray, peak: float, rr_ms: float, regular: bool = True) -> Marks:
    """Wave limits of a beat [lead, sample] at 1 kHz; in irregular rhythm a P wave must be clearer."""
    spectrum = Spectrum(beat, RATE_HZ, pad_s=0.25)
    smooth = spectrum.filtered(lowpass_hz=SMOOTH_HZ)
    velocity = np.sqrt(np.square(spectrum.filtered(lowpass_hz=SMOOTH_HZ, derivative=True)).sum(axis=0))
    onset, offset = qrs_limits(velocity, round(peak))
    if not np.isfinite(onset) or not np.isfinite(offset):
        return Marks(*[np.nan] * 3, onset, offset, np.nan, np.nan)
    smooth -= smooth[:, pq_segment(onset)].mean(axis=1, keepdims=True)
    t_peak, t_end = t_wave(smooth, error, offset, round(peak), rr_ms)
    earliest = t_end - rr_ms + 50 if np.isfinite(t_end) else 0.0
    least_z = P_MIN_Z if regular else P_MIN_Z_IRREGULAR
    return Marks(*p_wave(smooth, error, onset, earliest, least_z), onset, offset, t_peak, t_end)
