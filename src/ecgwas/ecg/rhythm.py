"""QRS complexes and the beats among them -> RR intervals' variability, ectopic beats, regularity."""

import numpy as np

from ecgwas.ecg.beats import BEFORE_S, MedianBeat

IRREGULAR = 0.10  # RMSSD over the mean RR interval: sinus rhythm at rest is below, atrial fibrillation above
MOSTLY = 0.07  # the same of the median difference: premature beats in an even rhythm are below
MIN_DIFFERENCES = 3  # successive differences that a judgement of regularity needs
PREMATURE = 0.85  # of the median RR interval
CONSISTENT_P = 0.30  # mean correlation between beats before QRS that is beyond what fibrillation shows
P_SEARCH_S = 0.25


def normal_intervals(beat: MedianBeat) -> tuple[np.ndarray, np.ndarray]:
    """Intervals between neighbouring beats of the dominant morphology, ms, and the differences of successive ones."""
    rr = np.diff(beat.position) * (1000 / beat.rate_hz)
    normal = beat.kept[1:] & beat.kept[:-1]
    return rr[normal], np.diff(rr)[normal[1:] & normal[:-1]]


def variability(rr_ms: np.ndarray, normal: np.ndarray, differences: np.ndarray) -> dict[str, float]:
    """Time-domain measures (Task Force 1996, Circulation 93:1043): all RR intervals `rr_ms`; SDNN and others on
    `normal` intervals and their successive `differences`; NaN where two values at least are not there."""
    out = {
        "rr_mean_ms": rr_ms.mean(),
        "rr_median_ms": np.median(rr_ms),
        "rr_min_ms": rr_ms.min(),
        "rr_max_ms": rr_ms.max(),
    }
    if len(normal) > 1:
        out |= {"sdnn_ms": normal.std(ddof=1), "rr_variation": normal.std(ddof=1) / normal.mean()}
    if len(differences) > 1:
        out["rmssd_ms"] = np.sqrt(np.mean(np.square(differences)))
        out["sdsd_ms"] = differences.std(ddof=1)
        out["pnn20"] = np.mean(np.abs(differences) > 20)
        out["pnn50"] = np.mean(np.abs(differences) > 50)
    return {name: float(value) for name, value in out.items()}


def irregular(normal: np.ndarray, differences: np.ndarray) -> bool | None:
    """Whether normal beats follow each other irregularly; None where there are too few to tell."""
    if len(differences) < MIN_DIFFERENCES:
        return None
    mean = normal.mean()
    uneven = np.sqrt(np.mean(np.square(differences))) > IRREGULAR * mean
    return bool(uneven and np.median(np.abs(differences)) > MOSTLY * mean)


def ectopic_share(beat: MedianBeat) -> float:
    """Share of the considered beats that are early and of another morphology than the dominant one."""
    rr = np.diff(beat.position)
    early = np.concatenate([[False], rr < PREMATURE * np.median(rr)])
    return float((early & ~beat.kept).mean())


def p_consistency(smooth: np.ndarray, beat: MedianBeat, qrs_onset_s: float) -> float:
    """Mean correlation between the beats of [lead, sample] in the 250 ms before QRS; NaN where there is no room.

    Each beat less the line through its ends. `qrs_onset_s` counts from the start of the median beat. Waves that come
    with every beat correlate, those of fibrillation do not.
    """
    rate_hz = beat.rate_hz
    last = round(qrs_onset_s * rate_hz) - 2
    first = max(last - round(P_SEARCH_S * rate_hz), 0)
    edge = max(round(0.012 * rate_hz), 1)
    if last - first < 5 * edge:
        return np.nan
    start = np.rint(beat.position[beat.kept]).astype(int) - round(BEFORE_S * rate_hz)
    parts = smooth[:, start[:, None] + np.arange(first, last)].transpose(1, 0, 2)
    left, right = parts[..., :edge].mean(axis=2, keepdims=True), parts[..., -edge:].mean(axis=2, keepdims=True)
    parts = parts - left - (right - left) * np.linspace(0, 1, last - first, dtype=parts.dtype)
    flat = (parts - parts.mean(axis=2, keepdims=True)).reshape(len(parts), -1)
    flat = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    total, n = float(np.square(flat.sum(axis=0)).sum()), len(flat)
    return (total - n) / (n * (n - 1))
