"""QRS complexes of a long recording -> the median beat and RR interval of each of its windows."""

import itertools

import numpy as np

from ecgwas.ecg.beats import MIN_BEATS, MedianBeat, median_beat, rr_intervals
from ecgwas.ecg.quality import Excluded, check_beats


def in_windows(peaks: np.ndarray, width: float, n: int) -> list[np.ndarray]:
    """Of sorted `peaks` [sample] those in each of the first `n` windows of `width` samples; an edge opens a window."""
    cuts = np.searchsorted(peaks, np.arange(n + 1) * width)
    return [peaks[start:stop] for start, stop in itertools.pairwise(cuts)]


def usable(beat: MedianBeat | None, unit: str) -> MedianBeat | None:
    """The median beat of a window where it passes what a recording's must pass; a bad window costs no recording."""
    if beat is None or beat.n_beats < MIN_BEATS:
        return None
    try:
        check_beats(beat, unit)
    except Excluded:
        return None
    return beat


def window_beats(
    wide: np.ndarray, smooth: np.ndarray, peaks: list[np.ndarray], rate_hz: float, unit: str
) -> list[MedianBeat | None]:
    """The median beat of the `peaks` of each window, of [lead, sample] of the whole recording (mV).

    A beat belongs to the window of its R peak, and its ends may lie in the neighbour. The dominant morphology is the
    window's own. None with fewer than `MIN_BEATS` of it, or where `quality.check_beats` would exclude a recording.
    """
    return [usable(median_beat(wide, smooth, inside, rate_hz), unit) for inside in peaks]


def window_rr_ms(peaks: list[np.ndarray], rate_hz: float) -> np.ndarray:
    """float32 [window] median interval between `peaks` of the same window, ms; NaN with fewer than two."""
    rr = (rr_intervals(inside, rate_hz) for inside in peaks)
    return np.array([np.median(x) if len(x) else np.nan for x in rr], dtype=np.float32)
