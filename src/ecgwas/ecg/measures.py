"""Leads and beats -> numbers that describe a recording's quality, of kept and of dropped recordings alike."""

import numpy as np
import xxhash

from ecgwas.config import LEADS
from ecgwas.ecg.beats import MedianBeat
from ecgwas.ecg.canonical import I
from ecgwas.signals.recording import Recording

V6 = LEADS.index("V6")
BURST_S, BURST_TIMES = 0.2, 3.0  # windows, and the range that is a burst, in typical QRS ranges of the lead
PLATEAU_S = 0.1


def sample_hash(signal: np.ndarray, rate_hz: float, seconds: float) -> str:
    """32 hex digits that two recordings share only if samples [lead, sample], rate and native length are the same."""
    digest = xxhash.xxh3_128(f"{signal.shape} {rate_hz:g} {seconds:g} ".encode())
    digest.update(np.ascontiguousarray(signal, dtype=np.float32))
    return digest.hexdigest()


def cut_off(recording: Recording) -> dict[str, float | list[str]]:
    """Seconds that were cut off at the start and the end, and words for what they held."""
    words = list(recording.cut)
    return {"cut_start_s": recording.valid_from_s, "cut_end_s": recording.cut_end_s, "words": words}


def fault_counts(faults: dict[int, tuple[str, str]]) -> dict[str, int]:
    """Leads of each fault; a lead that is lost for being made of another one counts as derived."""
    kinds = [kind for kind, _ in faults.values()]
    names = {
        "missing_leads": ("absent", "gaps"),
        "flat_leads": ("flat_lead",),
        "saturated_leads": ("saturation",),
        "noisy_leads": ("noise",),
        "large_leads": ("implausible_amplitude",),
    }
    return {name: sum(kinds.count(kind) for kind in several) for name, several in names.items()}


def windows(signal: np.ndarray, width: int) -> np.ndarray:
    """[lead, window, sample] of [lead, sample]: adjoining windows, what is over left out."""
    n = signal.shape[1] // width
    return signal[:, : n * width].reshape(len(signal), n, width)


def lead_measures(native: np.ndarray, smooth: np.ndarray, noise: np.ndarray, rate_hz: float) -> dict[str, float]:
    """Wander, noise, steps and size of [lead, sample] (mV) as it came and filtered; noise [lead], SD, mV."""
    parts = windows(smooth, round(BURST_S * rate_hz))
    size = np.ptp(parts, axis=2)  # [lead, window]
    typical = np.quantile(size, 0.8, axis=1)
    step = max(1, round(rate_hz / 50))
    slow = native[:, ::step] - smooth[:, ::step]
    drift = slow.std(axis=1)
    jump = np.abs(np.diff(windows(slow, max(1, round(PLATEAU_S * rate_hz / step))).mean(axis=2), axis=1)).max(axis=1)
    return {
        "wander_mv": float(drift.max()),
        "wander_typical_mv": float(np.median(drift)),
        "step_mv": float(jump.max()),
        "noise_mv": float(noise.max()),
        "noise_typical_mv": float(np.median(noise)),
        "burst_share": float((size > BURST_TIMES * typical[:, None]).mean(axis=1).max()),
        "largest_mv": float(size.max()),
        "lead_range_mv": float(typical.min()),
        "lead_range_ratio": float(typical.max() / max(np.median(typical), 1e-6)),
    }


def beat_measures(beat: MedianBeat | None, rows: list[int], n_peaks: int, seconds: float) -> dict[str, float]:
    """Beats a second, how alike they are, what is left between them, their size, and signs of reversed arms."""
    out = {"qrs_per_s": n_peaks / seconds}
    if beat is None:
        return out
    near = slice(round(beat.peak - 0.06 * beat.rate_hz), round(beat.peak + 0.06 * beat.rate_hz) + 1)
    size = np.ptp(beat.signal[:, near], axis=1)
    spread = beat.error * np.sqrt(beat.n_beats) / 1.2533
    out |= {
        "agreeing_share": beat.n_agreeing / beat.n_considered,
        "spread_mv": float(spread.max()),
        "spread_typical_mv": float(np.median(spread)),
        "spread_ratio": float((spread / np.maximum(size, 1e-6)).max()),
        "qrs_mv": float(size.max()),
    }
    if {I, V6} <= set(rows):
        out["arm_agreement"] = arm_agreement(beat, rows.index(I), rows.index(V6))
    return out


def arm_agreement(beat: MedianBeat, one: int, six: int) -> float:
    """Correlation of lead I with V6 from P to T, -1 to 1: both look from the left, so -1 is the arms reversed.

    P and T weigh like QRS: each of the three stretches of the beat is scaled to the same size.
    """
    r, rate_hz = beat.peak, beat.rate_hz
    limits = [max(0, round(r - 0.25 * rate_hz)), round(r - 0.06 * rate_hz), round(r + 0.06 * rate_hz)]
    limits.append(min(beat.signal.shape[1], round(r + 0.40 * rate_hz)))
    total = 0.0
    for start, stop, weight in zip(limits[:-1], limits[1:], (0.3, 0.4, 0.3), strict=True):
        a, b = (beat.signal[k, start:stop] - beat.signal[k, start:stop].mean() for k in (one, six))
        total += weight * float(a @ b) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12)
    return total
