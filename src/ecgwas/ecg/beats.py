"""Filtered leads and QRS complexes -> RR intervals and the median beat of the dominant morphology."""

from dataclasses import dataclass

import numpy as np

from ecgwas.ecg.filters import at_samples

BEFORE_S, AFTER_S = 0.45, 0.60  # window of the median beat around the R peak
TEMPLATE_S = (-0.08, 0.30)  # part of a beat that decides its morphology
ALIGN_S = 0.06  # QRS half-window of the alignment, and
MAX_SHIFT_S = 0.03  # its largest shift
MIN_CORRELATION = 0.85  # with the most typical beat; lower is another morphology (ectopic, artefact)
NOISY_SHARE, NOISY_FLOOR = 0.85, 0.6  # in noise: this share of how well beats match their like, at least that,
NOISY_BEATS = 0.5  # where fewer than this share of the beats are alike otherwise
MIN_BEATS = 3
REST_S = (0.30, 0.06)  # before the R peak: where the spread between beats is measured


@dataclass(frozen=True)
class MedianBeat:
    """The median of the aligned beats of one recording."""

    signal: np.ndarray  # float32 [lead, sample], mV
    peak: float  # sample of the R peak
    rate_hz: float
    n_beats: int
    error: np.ndarray  # [lead] standard error of the median before QRS, mV
    n_considered: int  # beats looked at, of all morphologies
    n_agreeing: int  # beats whose correlation with the most typical one is above `MIN_CORRELATION`
    position: np.ndarray  # [considered] where sample round(BEFORE_S * rate_hz) of each lies in the recording
    kept: np.ndarray  # [considered] whether it is of the dominant morphology


def _windows(signal: np.ndarray, centres: np.ndarray, start: int, stop: int) -> np.ndarray:
    """[beat, lead, sample] of `signal` from `start` to `stop` around each whole-sample centre."""
    return signal[:, centres[:, None] + np.arange(start, stop)].transpose(1, 0, 2)


def correlations(beats: np.ndarray) -> np.ndarray:
    """[beat, beat] correlation of all leads and samples of [beat, lead, sample] at once, means per lead removed."""
    flat = (beats - beats.mean(axis=2, keepdims=True)).reshape(len(beats), -1)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    return flat @ flat.T


def alike(correlation: np.ndarray) -> np.ndarray:
    """Mask [beat, beat] of the pairs that count as of one morphology, of their correlations.

    Those above `MIN_CORRELATION`; where noise leaves most beats without their like, above what it leaves of the
    correlation between a beat and its like (the best third of the others).
    """
    n = len(correlation)
    same = correlation > MIN_CORRELATION
    if same.sum(axis=1).max() >= NOISY_BEATS * n:
        return same
    best = np.median(np.sort(correlation, axis=1)[:, n - 1 - max(n // 3, 1)])
    return correlation > np.clip(NOISY_SHARE * best, NOISY_FLOOR, MIN_CORRELATION)


def shifts(beats: np.ndarray, template: np.ndarray, largest: int) -> np.ndarray:
    """Fractional shift of each of [beat, lead, width + 2 largest] that fits `template` [lead, width] best.

    The peak of the cross-correlation summed over leads, refined by the parabola through its neighbours.
    """
    sliding = np.lib.stride_tricks.sliding_window_view(beats, template.shape[1], axis=2)
    cross = np.einsum("blsw,lw->bs", sliding, template, optimize=True)
    best = np.clip(cross.argmax(axis=1), 1, 2 * largest - 1)
    rows = np.arange(len(beats))
    left, middle, right = cross[rows, best - 1], cross[rows, best], cross[rows, best + 1]
    bend = left - 2 * middle + right
    offset = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, -1), 0)
    return best - largest + np.clip(offset, -0.5, 0.5)


def align(signal: np.ndarray, peaks: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray, int]:
    """R positions (fractional samples) of `peaks`, the mask of those of the dominant morphology, and how many agree.

    The template starts as the beat most like the others and becomes the mean of the beats like it. The number is
    that of beats above `MIN_CORRELATION`, whatever the noise.
    """
    half, largest = round(ALIGN_S * rate_hz), max(2, round(MAX_SHIFT_S * rate_hz))
    wide = _windows(signal, peaks, -half - largest, half + largest + 1)
    middle = wide[:, :, largest:-largest]
    first = alike(correlations(middle))
    template = middle[np.argmax(first.sum(axis=1))]
    position = peaks.astype(float)
    for _ in range(2):
        position = peaks + shifts(wide, template, largest)
        around = _windows(signal, np.round(position).astype(int), -half, half + 1)
        like = correlations(np.concatenate([template[None], around]))[0, 1:] > MIN_CORRELATION
        template = around[like].mean(axis=0) if like.any() else template
    start, stop = (round(s * rate_hz) for s in TEMPLATE_S)
    whole = correlations(_windows(signal, np.round(position).astype(int), start, stop))
    same = alike(whole)
    agreeing = int((whole > MIN_CORRELATION).sum(axis=1).max())
    return position, same[np.argmax(same.sum(axis=1))], agreeing


def median_beat(signal: np.ndarray, smooth: np.ndarray, peaks: np.ndarray, rate_hz: float) -> MedianBeat | None:
    """Median beat of [lead, sample] (mV), aligned on `smooth`; None where fewer than `MIN_BEATS` lie whole in it.

    With fewer than `MIN_BEATS` beats of one morphology the result has n_beats of that number and no meaning else.
    """
    before, after = round(BEFORE_S * rate_hz), round(AFTER_S * rate_hz)
    margin = 2 * round(MAX_SHIFT_S * rate_hz) + 2
    inside = peaks[(peaks >= before + margin) & (peaks < signal.shape[1] - after - margin)]
    if len(inside) < MIN_BEATS:
        return None
    position, kept, agreeing = align(smooth, inside, rate_hz)
    grid = np.arange(-before, after + 1)
    beats = at_samples(signal, position[kept][:, None] + grid)  # [lead, beat, sample]
    rest = beats[:, :, before - round(REST_S[0] * rate_hz) : before - round(REST_S[1] * rate_hz)]
    error = median_error(rest)
    beats.sort(axis=1)
    n = beats.shape[1]
    median = (beats[:, (n - 1) // 2] + beats[:, n // 2]) / 2
    return MedianBeat(median, r_peak(median, before, rate_hz), rate_hz, n, error, len(inside), agreeing, position, kept)


def median_error(beats: np.ndarray) -> np.ndarray:
    """[lead] standard error of the median of [lead, beat, sample], the beats' own levels removed.

    SD between beats from the quartiles (normal: 1.349 SD apart); the median's error is 1.2533 times the mean's.
    """
    n = beats.shape[1]
    ordered = np.sort(beats - beats.mean(axis=2, keepdims=True), axis=1)
    spread = (ordered[:, (3 * n) // 4] - ordered[:, n // 4]).mean(axis=1) / 1.349
    return 1.2533 * spread / np.sqrt(n)


def r_peak(beat: np.ndarray, near: int, rate_hz: float) -> float:
    """Sample of the largest vector magnitude of [lead, sample] within 60 ms of `near`, between samples by parabola."""
    half = round(ALIGN_S * rate_hz)
    baseline = np.median(beat, axis=1, keepdims=True)
    magnitude = np.square(beat[:, near - half : near + half + 1] - baseline).sum(axis=0)
    top = int(np.clip(magnitude.argmax(), 1, 2 * half - 1))
    left, middle, right = magnitude[top - 1 : top + 2]
    bend = left - 2 * middle + right
    return near - half + top + (float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < 0 else 0.0)


def rr_intervals(peaks: np.ndarray, rate_hz: float) -> np.ndarray:
    """RR intervals, ms."""
    return np.diff(peaks) * (1000 / rate_hz)
