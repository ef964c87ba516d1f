"""Recording and median beat -> signs of pacing and of bundle branch block."""

import numpy as np

from ecgwas.ingest.beats import BEFORE_S, MedianBeat
from ecgwas.ingest.delineate import RATE_HZ, Marks

MIN_RATE_HZ = 400.0  # a spike of 1 to 2 ms is not to be seen below
SPIKE_S, BROADER_S = 0.004, 0.012  # half-widths of the second differences that a spike is told by
SPIKE_BEFORE_S, SPIKE_AFTER_S = 0.25, 0.02  # window around R
SPIKE_NARROW = 0.6  # its second difference over 4 ms is this share of that over 12 ms: of a Gaussian, SD below 4 ms
SPIKE_MV, SPIKE_NOISE = 0.2, 6.0  # least height, in mV and in medians of the same before the beat
SPIKE_SHARE, SPIKE_JITTER_S = 0.6, 0.008
BLOCK_QRS_MS = 120.0


def second_difference(beats: np.ndarray, half: int, margin: int) -> np.ndarray:
    """[beat, sample] vector length of x[t] - (x[t-half] + x[t+half])/2 of [beat, lead, sample], `margin` cut off."""
    n = beats.shape[2]
    centre = beats[:, :, margin : n - margin]
    sides = beats[:, :, margin - half : n - margin - half] + beats[:, :, margin + half : n - margin + half]
    return np.sqrt(np.square(centre - sides / 2).sum(axis=1))


def paced(signal: np.ndarray, beat: MedianBeat, unit: str) -> bool | None:
    """Whether most beats of [lead, sample] (mV, unfiltered) have a spike before R, always at the same distance.

    None where the rate is too low to show a spike, or the unit unknown.
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
    return bool((spike & near).mean() >= SPIKE_SHARE)


def bundle_branch_block(beat: np.ndarray, row: dict[str, int], marks: Marks, pacing: bool) -> dict[str, bool | None]:
    """lbbb and rbbb of a beat [lead, sample] at 1 kHz with leads `row`, PQ at 0; None without lead I, V1 or V6.

    After Surawicz et al. 2009 (J Am Coll Cardiol 53:976): QRS of 120 ms or more; left, V1 negative on the whole and
    at its end, I and V6 positive without Q; right, the last third of QRS positive in V1, negative in I or V6.
    """
    if not {"I", "V1", "V6"} <= set(row):
        return {"lbbb": None, "rbbb": None}
    first, last = round(marks.qrs_onset), round(marks.qrs_offset)
    one, v1, v6 = (beat[row[lead], first : last + 1] for lead in ("I", "V1", "V6"))
    wide = (last - first) * 1000 / RATE_HZ >= BLOCK_QRS_MS and not pacing
    third = len(v1) // 3
    end = {name: wave[-third:].mean() for name, wave in (("I", one), ("V1", v1), ("V6", v6))}
    no_q = all(-wave[: wave.argmax() + 1].min() < 0.1 * wave.max() for wave in (one, v6))
    left = v1.mean() < 0 and end["V1"] < 0 and one.mean() > 0 and v6.mean() > 0 and no_q
    right = end["V1"] > 0 and v1[-2 * third :].max() > 0.5 * max(v1.max(), 1e-9) and min(end["I"], end["V6"]) < 0
    return {"lbbb": bool(wide and left), "rbbb": bool(wide and right and not left)}
