"""Median beat and RR -> classical measurements: intervals, amplitudes, axes, voltages, flags.

Everything is measured on the beat interpolated to 1 kHz, so the native rate does not matter. Undefined is NaN or
None: amplitudes without a known unit, PR without a P wave, all of it with fewer than three clean beats.
"""

import numpy as np

from ecgwas.config import LEADS
from ecgwas.ecg.amplitudes import axes, lead_amplitudes, spatial_angle, voltages
from ecgwas.ecg.beats import MedianBeat, rr_intervals
from ecgwas.ecg.canonical import INDEPENDENT
from ecgwas.ecg.conduction import bundle_branch_block
from ecgwas.ecg.delineate import RATE_HZ, Marks, delineate, pq_segment
from ecgwas.ecg.filters import resample
from ecgwas.ecg.pacing import Unpaced, paced_marks, spikes, without_spikes
from ecgwas.ecg.rhythm import (
    CONSISTENT_P,
    ectopic_share,
    irregular,
    normal_intervals,
    p_consistency,
    variability,
)

NEIGHBOUR_MS = 100.0  # before a neighbouring beat's R: its QRS begins


def corrected_qt(qt_ms: float, rr_ms: float) -> tuple[float, float]:
    """QTc of Bazett (1920), QT/√RR, and Fridericia (1920), QT/∛RR, RR in s."""
    return qt_ms / (rr_ms / 1000) ** 0.5, qt_ms / (rr_ms / 1000) ** (1 / 3)


def linear_qtc(qt_ms: float, rr_ms: float) -> tuple[float, float]:
    """QTc of Framingham (Sagie 1992), QT + 154 (1 - RR), and Hodges (1983), QT + 1.75 (rate - 60), RR in s."""
    return qt_ms + 154 * (1 - rr_ms / 1000), qt_ms + 1.75 * (60_000 / rr_ms - 60)


def durations(marks: Marks, rr_ms: float) -> dict[str, float]:
    """Wave lengths and intervals, ms, of marks that are ms."""
    qt, qrs = marks.t_end - marks.qrs_onset, marks.qrs_offset - marks.qrs_onset
    bazett, fridericia = corrected_qt(qt, rr_ms)
    framingham, hodges = linear_qtc(qt, rr_ms)
    return {
        "p_duration_ms": marks.p_offset - marks.p_onset,
        "pr_ms": marks.qrs_onset - marks.p_onset,
        "pr_segment_ms": marks.qrs_onset - marks.p_offset,
        "qrs_ms": qrs,
        "qt_ms": qt,
        "qtc_bazett_ms": bazett,
        "qtc_fridericia_ms": fridericia,
        "qtc_framingham_ms": framingham,
        "qtc_hodges_ms": hodges,
        "jt_ms": qt - qrs,
        "qt_peak_ms": marks.t_peak - marks.qrs_onset,
        "tpeak_tend_ms": marks.t_end - marks.t_peak,
    }


def without_neighbours(beat: MedianBeat) -> tuple[np.ndarray, float]:
    """The beat [lead, sample], cut where a neighbour's QRS would begin at the shortest usual RR, and its R peak."""
    if len(beat.position) < 2:
        return beat.signal, beat.peak
    reach = np.quantile(np.diff(beat.position), 0.1) - NEIGHBOUR_MS / 1000 * beat.rate_hz
    reach = max(reach, 0.3 * beat.rate_hz)
    first = max(int(np.ceil(beat.peak - reach)), 0)
    return beat.signal[:, first : int(beat.peak + reach) + 1], beat.peak - first


def marked(beat: MedianBeat, independent: list[int], smooth: np.ndarray, rr_ms: float, uneven: bool):
    """The beat at 1 kHz [lead, sample] and its marks; in irregular rhythm P must come with every beat."""
    cut, peak = without_neighbours(beat)
    signal = resample(cut, beat.rate_hz, RATE_HZ)
    peak_ms = peak * RATE_HZ / beat.rate_hz
    marks = delineate(signal[independent], beat.error[independent], peak_ms, rr_ms, regular=not uneven)
    if uneven and np.isfinite(marks.p_onset):
        onset_s = (beat.peak - peak) / beat.rate_hz + marks.qrs_onset / RATE_HZ
        if not p_consistency(smooth[independent], beat, onset_s) >= CONSISTENT_P:
            marks = marks._replace(p_onset=np.nan, p_peak=np.nan, p_offset=np.nan)
    return signal, marks


def in_ms(unpaced: Unpaced) -> list[float]:
    """Spikes in ms from the start of the cut beat."""
    cut = unpaced.beat.peak - without_neighbours(unpaced.beat)[1]
    return [(spike - cut) * RATE_HZ / unpaced.beat.rate_hz for spike in unpaced.spikes]


def measure(
    beat: MedianBeat, leads: list[int], rr_ms: np.ndarray, unit: str, smooth: np.ndarray, raw: np.ndarray
) -> dict[str, float | bool | None]:
    """Measurements of one recording with RR intervals `rr_ms`; `leads` are the rows of `LEADS` that the beat holds.

    smooth, raw: the recording [lead, sample] filtered and as it came. Amplitudes need a known unit, axes leads I and
    aVF; P and PR need a P wave. A paced beat has neither; it is measured without spikes, from the onset after them.
    """
    row = {LEADS[lead]: k for k, lead in enumerate(leads)}
    independent = [k for k, lead in enumerate(leads) if lead in INDEPENDENT] or list(range(len(leads)))
    normal, differences = normal_intervals(beat)
    out = variability(rr_ms, normal, differences) | {"n_beats": beat.n_beats, "ectopic_share": ectopic_share(beat)}
    uneven, places = irregular(normal, differences), spikes(raw[independent], beat, unit)
    pacing = None if places is None else bool(len(places))
    unpaced = without_spikes(raw, beat, unit, independent) if pacing else Unpaced(beat, ())
    signal, marks = marked(unpaced.beat, independent, smooth, float(rr_ms.mean()), bool(uneven))
    if not np.isfinite(marks.qrs_onset + marks.qrs_offset):
        return out
    out["af"] = None if uneven is None else uneven and not np.isfinite(marks.p_onset)
    out["paced"] = pacing
    marks = paced_marks(marks, in_ms(unpaced)) if pacing else marks
    out |= durations(marks, float(rr_ms.mean()))
    signal = signal - signal[:, pq_segment(marks.qrs_onset)].mean(axis=1, keepdims=True)
    out |= bundle_branch_block(signal, row, marks, bool(out["paced"]))
    out |= axes(signal, marks, row) | spatial_angle(signal, marks, row)
    sizes = {wave: values.tolist() for wave, values in lead_amplitudes(signal, marks).items()}
    amplitude = {name: {wave: values[k] for wave, values in sizes.items()} for name, k in row.items()}
    out |= {f"{wave}_{lead.lower()}_mv": value for lead, waves in amplitude.items() for wave, value in waves.items()}
    out |= voltages(amplitude, out["qrs_ms"])
    return {name: value for name, value in out.items() if unit == "mV" or not name.endswith("_mv")}


def measured(
    beat: MedianBeat | None,
    leads: list[int],
    peaks: np.ndarray,
    rate_hz: float,
    unit: str,
    smooth: np.ndarray,
    raw: np.ndarray,
) -> dict[str, float | bool | None]:
    """Heart rate and its variation from the QRS complexes, the rest from the median beat where there is one."""
    rr_ms = rr_intervals(peaks, rate_hz)
    if not len(rr_ms):
        return {}
    out = {"heart_rate_bpm": 60_000 / float(rr_ms.mean())}
    out["rr_sd_ms"] = float(rr_ms.std(ddof=1)) if len(rr_ms) > 1 else np.nan
    return out | measure(beat, leads, rr_ms, unit, smooth, raw) if beat else out
