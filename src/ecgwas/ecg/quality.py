"""Leads and beats -> what is usable, and a reason with value and limit for what is not.

The limits are fixed, in physical units, and the same for every cohort. Limits in mV are not applied where the unit
is unknown.
"""

import numpy as np

from ecgwas.config import LEADS
from ecgwas.ecg.beats import MedianBeat
from ecgwas.ecg.canonical import II, I, limb_leads_lost

MIN_SECONDS = 2.5
MAX_CONSTANT_S = 1.0  # longest stretch at one value
RAIL_MV = 3.0  # a constant stretch this far from the lead's median is saturation, else the lead is flat
MAX_GAP = 0.02  # share of missing samples that are interpolated
MAX_GAP_S = 0.05  # longest stretch of them in all leads at once
MAX_CLIPPED = 0.001  # share of samples that the stored counts cannot hold
MAX_SIZE_MV, MAX_SIZE_SHARE = 5.0, 0.10  # larger than this, after the high-pass, for more than this share of time
MAX_NOISE_MV, NOISE_WINDOW_S = 0.1, 0.2  # SD above the low-pass corner, in the typical (median) window
MIN_QRS_PER_S = 0.4  # 24 a minute
MIN_TYPICAL = 0.4  # share of beats of the dominant morphology
QRS_RANGE_MV = (0.1, 15.0)  # largest peak-to-peak QRS of any lead of the median beat


class Excluded(Exception):
    """A recording that fails: `reason` is one word, `detail` what was seen with its limit, `measures` its quality."""

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail
        self.measures: dict[str, float | str | None] = {}


def may_be_constant(signal: np.ndarray, length: int) -> np.ndarray:
    """[lead] whether a stretch of `length` equal values can be in [lead, sample]: looks at every fourth part only."""
    sparse = signal[:, :: max(1, length // 4)]
    equal = sparse[:, 1:] == sparse[:, :-1]
    return (equal[:, 1:] & equal[:, :-1]).any(axis=1)


def longest_constant(samples: np.ndarray) -> tuple[int, int]:
    """Length and start of the longest stretch of equal values in [sample]."""
    edges = np.concatenate([[0], np.flatnonzero(np.diff(samples)) + 1, [len(samples)]])
    lengths = np.diff(edges)
    k = int(lengths.argmax())
    return int(lengths[k]), int(edges[k])


def lead_fault(samples: np.ndarray, suspect: bool, rate_hz: float, unit: str) -> tuple[str, str] | None:
    """Reason and detail why one lead [sample] (mV) cannot be used before filtering, or None.

    Only a `suspect` lead is searched for constant stretches.
    """
    gaps = np.isnan(samples).mean()
    if gaps == 1:
        return "absent", "absent"
    if gaps > MAX_GAP:
        return "gaps", f"{gaps:.0%} missing > {MAX_GAP:.0%}"
    length, start = longest_constant(samples) if suspect else (0, 0)
    if length > MAX_CONSTANT_S * rate_hz:
        away = abs(float(samples[start]) - float(np.nanmedian(samples)))
        at_rail = unit == "mV" and away > RAIL_MV
        kind = "saturation" if at_rail else "flat_lead"
        return kind, f"constant for {length / rate_hz:.1f} s > {MAX_CONSTANT_S:.1f} s"
    return None


def lead_faults(signal: np.ndarray, rate_hz: float, unit: str, made: set[int]) -> dict[int, tuple[str, str]]:
    """Faults of [12, sample] (mV, NaN missing) by row; the rows `made` of other leads share those leads' faults."""
    suspect = may_be_constant(signal, round(MAX_CONSTANT_S * rate_hz))
    faults = {row: lead_fault(samples, suspect[row], rate_hz, unit) for row, samples in enumerate(signal)}
    return with_derived({row: fault for row, fault in faults.items() if fault}, made)


def with_derived(faults: dict[int, tuple[str, str]], made: set[int]) -> dict[int, tuple[str, str]]:
    """`faults`, and where I or II is among them, the leads that are sums of I and II.

    Machines compute these from I and II, so a faulty electrode is in them, too; where the file has no I or II at all,
    only the rows `made` here are lost.
    """
    kinds = {row: kind for row, (kind, _) in faults.items()}
    bad = np.isin(np.arange(len(LEADS)), list(faults))
    lost = np.flatnonzero(limb_leads_lost(bad) & ~bad)
    recorded = all(kinds.get(row) in (None, "absent") for row in (I, II))
    rows = [int(row) for row in lost if row in made or not recorded]
    return faults | {row: ("derived", "made of a lead that cannot be used") for row in rows}


def typical_sd(signal: np.ndarray, width: int) -> np.ndarray:
    """[lead] median over windows of `width` samples of the SD within the window of [lead, sample]."""
    n = signal.shape[1] // width
    return np.median(signal[:, : n * width].reshape(len(signal), n, width).std(axis=2), axis=1)


def noise_sd(wide: np.ndarray, smooth: np.ndarray, rate_hz: float) -> np.ndarray:
    """[lead] SD above the low-pass corner in the typical window, of [lead, sample] before and after the low-pass."""
    return typical_sd(wide - smooth, max(2, round(NOISE_WINDOW_S * rate_hz)))


def filtered_faults(smooth: np.ndarray, noise: np.ndarray, rows: list[int], unit: str) -> dict[int, tuple[str, str]]:
    """Faults by row of leads that are too large or too noisy once filtered: [lead, sample], noise [lead] SD.

    Shares and medians, so that one jump of an electrode does not cost the lead.
    """
    if unit != "mV":
        return {}
    large = (np.abs(smooth) > MAX_SIZE_MV).mean(axis=1)
    faults = {}
    for row, share, sd in zip(rows, large, noise, strict=True):
        if share > MAX_SIZE_SHARE:
            detail = f"beyond {MAX_SIZE_MV:.0f} mV for {share:.0%} of the time > {MAX_SIZE_SHARE:.0%}"
            faults[row] = ("implausible_amplitude", detail)
        elif sd > MAX_NOISE_MV:
            faults[row] = ("noise", f"high-frequency SD {sd:.2f} mV > {MAX_NOISE_MV} mV")
    return faults


def check_length(seconds: float, samples: int) -> None:
    """Raise `Excluded` for a recording too short to measure."""
    if seconds < MIN_SECONDS or samples < 2:
        raise Excluded("too_short", f"{seconds:.4g} s < {MIN_SECONDS} s")


def check_gaps(signal: np.ndarray, rate_hz: float) -> None:
    """Raise `Excluded` where [lead, sample] has a stretch missing in all leads that may hide a QRS complex."""
    there = np.flatnonzero(np.isfinite(signal).any(axis=0))
    longest = (int(np.diff(there).max(initial=1)) - 1) / rate_hz
    if longest > MAX_GAP_S:
        raise Excluded(
            "gaps", f"{longest:.2f} s missing in all leads at a stretch > {MAX_GAP_S} s: a beat may be hidden"
        )


def check_leads(faults: dict[int, tuple[str, str]], min_leads: int) -> None:
    """Raise `Excluded` where fewer than `min_leads` leads remain: under the commonest fault's name."""
    usable = len(LEADS) - len(faults)
    if usable >= min_leads:
        return
    kinds = [kind for kind, _ in faults.values() if kind != "derived"]
    commonest = max(dict.fromkeys(kinds), key=kinds.count)
    listed = "; ".join(f"{LEADS[row]} {detail}" for row, (_, detail) in sorted(faults.items()))
    reason = "missing_leads" if commonest == "absent" else commonest
    raise Excluded(reason, f"{usable} usable leads < {min_leads}: {listed}")


def check_clipped(strip: np.ndarray, unit: str, largest: float) -> None:
    """Raise `Excluded` where int16 counts [lead, sample] stand at their limit, and so are not the signal."""
    share = float((np.abs(strip) >= np.iinfo(np.int16).max).mean()) if strip.size else 0.0
    if share > MAX_CLIPPED:
        seen = f"{share:.1%} of the samples beyond ±{largest:.4g} {unit if unit != 'unknown' else '(unit unknown)'}"
        remedy = "name the unit with ecg.unit, or the size of a count with ecg.microvolts_per_count"
        raise Excluded("implausible_amplitude", f"{seen} > {MAX_CLIPPED:.1%}; {remedy}")


def check_rhythm(n_peaks: int, seconds: float) -> None:
    """Raise `Excluded` where there are too few QRS complexes to be a heart."""
    if n_peaks < MIN_QRS_PER_S * seconds:
        raise Excluded("no_qrs", f"{n_peaks} QRS complexes in {seconds:.1f} s < {MIN_QRS_PER_S} per s")


def check_beats(beat: MedianBeat | None, unit: str) -> None:
    """Raise `Excluded` where beats are unlike each other, or their size is not that of a heart."""
    if beat is None:
        return
    share = beat.n_agreeing / beat.n_considered
    if share < MIN_TYPICAL:
        seen = f"{beat.n_agreeing} of {beat.n_considered} beats ({share:.0%})"
        raise Excluded("few_beats", f"{seen} share a morphology < {MIN_TYPICAL:.0%}")
    near = slice(round(beat.peak - 0.06 * beat.rate_hz), round(beat.peak + 0.06 * beat.rate_hz) + 1)
    size = float(np.ptp(beat.signal[:, near], axis=1).max())
    low, high = QRS_RANGE_MV
    if unit == "mV" and not low <= size <= high:
        raise Excluded("implausible_amplitude", f"largest QRS {size:.2f} mV outside {low} to {high} mV")
