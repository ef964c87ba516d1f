"""Filtered leads -> samples of QRS complexes: candidates by steepness, then broad beats found and T waves dropped."""

import numpy as np
import scipy.ndimage
import scipy.signal

from ecgwas.ecg.filters import Spectrum

QRS_BAND_HZ = (8.0, 25.0)
SLOW_BAND_HZ = (3.0, 18.0)  # passes the broad complexes of ectopic and paced beats, not muscle noise
REFRACTORY_S = 0.24
SLOW_RATE_HZ = 100.0  # enough for it: every so manieth sample is looked at
NEAR_S = 0.06  # what is seen this near to a peak belongs to it
T_LATEST_S = 0.36  # a steep T wave is looked for up to here after a beat
CONFIRM_SHARE, SHARP_SHARE = 0.35, 0.85  # a candidate is this high in the slow band, or this high in the fast one
BROAD_SHARE, BIG_SHARE, FREQUENT_SHARE = 0.25, 0.35, 0.5  # of the beats' speed: in a gap, at an end, without a gap
UNUSUAL = 1.6  # times the speed that is usual at this distance after a beat
EVEN_RR, ALIKE_SIZE = 1.3, 0.5  # longest over shortest RR, lowest over usual energy, of a plain rhythm
LONG_GAP = 1.5  # times a short RR interval


def qrs_energy(band: np.ndarray, rate_hz: float) -> np.ndarray:
    """[sample] QRS energy of the band-passed derivative [lead, sample]: leads weigh alike, smoothed over 80 ms."""
    magnitude = np.abs(band)
    scale = np.quantile(magnitude[:, :: max(1, round(rate_hz / 125))], 0.98, axis=1, keepdims=True)
    magnitude /= np.maximum(scale, 1e-9)
    return _smoothed(magnitude.mean(axis=0), 0.08, rate_hz)


def find_qrs(energy: np.ndarray, rate_hz: float) -> np.ndarray:
    """Samples of QRS complexes: peaks above 0.35 of the typical largest energy of 2-s windows."""
    distance = max(1, round(REFRACTORY_S * rate_hz))
    peaks, _ = scipy.signal.find_peaks(energy, height=0.35 * _typical_top(energy, rate_hz), distance=distance)
    return peaks


def detect(spectrum: Spectrum, rows: list[int], independent: list[int]) -> np.ndarray:
    """Samples of the QRS complexes of `rows` of the spectrum; its rows `independent` are no sums of others."""
    rate_hz = spectrum.rate_hz
    energy = qrs_energy(spectrum.filtered(*QRS_BAND_HZ, derivative=True, rows=rows), rate_hz)
    peaks = find_qrs(energy, rate_hz)
    if len(peaks) < 3 or plain(peaks, energy, rate_hz):
        return peaks
    step = max(1, int(rate_hz / SLOW_RATE_HZ))
    slow = spectrum.filtered(*SLOW_BAND_HZ, derivative=True, rows=independent)[:, ::step]
    return refined(peaks, np.ascontiguousarray(slow), energy, rate_hz, step)


def plain(peaks: np.ndarray, energy: np.ndarray, rate_hz: float) -> bool:
    """Whether `peaks` are alike, even, over 60 a minute and reach to both ends: nothing to look for or to drop."""
    rr, size = np.diff(peaks), energy[peaks]
    even = rr.max() <= EVEN_RR * rr.min() and rr.max() < rate_hz
    ends = max(peaks[0], len(energy) - peaks[-1]) <= 1.1 * rr.max()
    return bool(even and ends and size.min() >= ALIKE_SIZE * np.median(size))


def refined(peaks: np.ndarray, slow: np.ndarray, energy: np.ndarray, rate_hz: float, step: int) -> np.ndarray:
    """`peaks` less noise and T waves, and the broad beats among them.

    slow: derivative in `SLOW_BAND_HZ` at every `step`-th sample. A recording of clean narrow beats keeps its peaks.
    """
    slow_hz = rate_hz / step
    near = 2 * round(NEAR_S * slow_hz) + 1
    broad = slow_energy(slow, slow_hz)
    at = np.minimum(peaks // step, len(broad) - 1)
    sure = scipy.ndimage.maximum_filter1d(broad, near)[at] >= _level(broad, slow_hz, CONFIRM_SHARE)
    kept = sure | (energy[peaks] >= _level(energy, rate_hz, SHARP_SHARE))
    peaks, at = peaks[kept], at[kept]
    if len(peaks) < 3:
        return peaks
    velocity = speed(slow, slow_hz)
    nearby = scipy.ndimage.maximum_filter1d(velocity, near)
    kept = not_t_waves(at, energy[peaks], nearby, slow_hz)
    peaks, at = peaks[kept], at[kept]
    return np.sort(np.concatenate([peaks, step * broad_beats(at, velocity, nearby, slow_hz)]))


def slow_energy(slow: np.ndarray, rate_hz: float) -> np.ndarray:
    """[sample] size of [lead, sample] relative to each lead's large values, leads weighted by how they stand out."""
    magnitude = np.abs(slow)
    half, scale = np.quantile(magnitude, [0.5, 0.98], axis=1)
    scale = np.maximum(scale, 1e-9)
    weight = np.clip(1 - 3.0 * half / scale, 0.05, 1) ** 2
    relative = np.minimum(magnitude / scale[:, None], 1.5)
    return _smoothed(weight @ relative / weight.sum(), 0.12, rate_hz)


def speed(slow: np.ndarray, rate_hz: float) -> np.ndarray:
    """[sample] length of the vector of [lead, sample], no lead beyond three times the typical lead: artefacts."""
    scale = np.quantile(np.abs(slow), 0.98, axis=1)
    limit = 3 * np.median(scale)
    return _smoothed(np.sqrt(np.square(np.clip(slow, -limit, limit)).sum(axis=0)), 0.12, rate_hz)


def not_t_waves(peaks: np.ndarray, sharpness: np.ndarray, nearby: np.ndarray, rate_hz: float) -> np.ndarray:
    """Mask of `peaks`: False where one follows a beat soon, is less sharp, and no faster than usual at that distance.

    sharpness [peak]; nearby [sample]: the largest speed around.
    """
    kept, last = np.ones(len(peaks), dtype=bool), 0
    for k in range(1, len(peaks)):
        since = peaks[k] - peaks[last]
        if since < T_LATEST_S * rate_hz and sharpness[k] < 0.6 * sharpness[last]:
            usual = np.quantile(nearby[np.minimum(peaks + since, len(nearby) - 1)], 0.6)
            kept[k] = nearby[peaks[k]] >= UNUSUAL * usual
        last = k if kept[k] else last
    return kept


def broad_beats(peaks: np.ndarray, velocity: np.ndarray, nearby: np.ndarray, rate_hz: float) -> np.ndarray:
    """Further beats: fast where beats usually are not, in a long gap, at an end, or three times or more elsewhere."""
    if len(peaks) < 2:
        return peaks[:0]
    floor = np.quantile(velocity, 0.25)
    height = np.median(nearby[peaks]) - floor
    found, _ = scipy.signal.find_peaks(
        velocity, height=floor + BROAD_SHARE * height, distance=max(1, round(REFRACTORY_S * rate_hz))
    )
    k = np.searchsorted(peaks, found)
    since = found - np.concatenate([[-np.inf], peaks])[k]
    until = np.concatenate([peaks, [np.inf]])[k] - found
    inner = np.isfinite(since) & np.isfinite(until)
    rr = np.diff(peaks)
    after = np.where(np.isfinite(since), since, 0).astype(int)[:, None]
    usual = np.quantile(nearby[np.minimum(peaks + after, len(nearby) - 1)], 0.3, axis=1)
    unusual = ~np.isfinite(since) | (velocity[found] >= UNUSUAL * usual)
    soonest = np.clip(0.42 * np.median(rr), REFRACTORY_S * rate_hz, T_LATEST_S * rate_hz)
    good = inner & unusual & (since >= soonest) & (until >= REFRACTORY_S * rate_hz)
    frequent = good & (velocity[found] >= floor + FREQUENT_SHARE * height)
    gap = np.where(inner, since + until, 0) > LONG_GAP * np.quantile(rr, 0.2)
    good &= gap | (frequent if frequent.sum() >= 3 else False)
    margin = np.minimum(found, len(velocity) - 1 - found) >= 0.15 * rate_hz
    away = np.minimum(since, until) > 0.5 * np.median(rr)
    at_end = ~inner & unusual & margin & away & (velocity[found] >= floor + BIG_SHARE * height)
    return found[good | at_end]


def _smoothed(samples: np.ndarray, seconds: float, rate_hz: float) -> np.ndarray:
    return scipy.ndimage.uniform_filter1d(samples, max(1, round(seconds * rate_hz)))


def _typical_top(samples: np.ndarray, rate_hz: float) -> float:
    """The median of the largest values of 2-s windows of [sample]."""
    window = min(len(samples), round(2 * rate_hz))
    n_windows = len(samples) // window
    return float(np.median(samples[: n_windows * window].reshape(n_windows, window).max(axis=1)))


def _level(samples: np.ndarray, rate_hz: float, share: float) -> float:
    """The value `share` of the way from the lower quartile of [sample] to the typical largest."""
    floor = np.quantile(samples[::8], 0.25)
    return float(floor + share * (_typical_top(samples, rate_hz) - floor))
