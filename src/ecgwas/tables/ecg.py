"""Recordings, their signals, quality and measurements."""

import re
from collections.abc import Iterable

from ecgwas.config import LEADS
from ecgwas.tables.base import Array, Table

RECORDINGS = Table("cohorts/{cohort}/ecg/recordings.parquet", {
    "recording_id": ("String", "Opaque id of the recording, unique in the cohort."),
    "person_id": ("String", "Opaque id of the person."),
    "shard": ("Int32", "Number of the signal shard."),
    "row": ("Int32", "Row within the shard's array of median beats, and of strips where there is one bucket only."),
    "bucket": ("Int32", "Length of the stored strip: ingest.seconds times 2 to this power."),
    "strip_row": ("Int32", "Row within the shard's arrays of strips, and of beats and RR of their windows, of that bucket."),
    "rate_hz": ("Float64", "Native sampling rate, Hz."),
    "seconds": ("Float64", "Native length, s, without padding and calibration pulses that were cut off."),
    "unit": ("String", "mV, sd (z-scored), or unknown."),
    "n_leads": ("Int32", "Usable leads among the twelve."),
    "n_beats": ("Int32", "Beats averaged in the median beat; 0 where there is none."),
    "rr_ms": ("Float64", "Median RR interval, ms; null where no rhythm was found."),
    "leads": ("List(String)", "Leads of the file, by its own names and in its order."),
    "scale": ("Float64", "What one count of the stored signals is, in `unit`, the same for every lead: 0.001 (a microvolt) for an ECG."),
    "einthoven_uv": ("Float64", "RMS of II - I - III and of Goldberger's sums over the leads present, offsets removed, microvolts; null where none can be checked, or the unit is not mV."),
    "valid_from_s": ("Float64", "First sample that is there, s from the start of the file's samples."),
    "valid_to_s": ("Float64", "Last sample that is there and was read, s."),
    "native_highpass_hz": ("Float64", "High-pass of the machine, Hz; null where the file does not say."),
    "native_lowpass_hz": ("Float64", "Low-pass of the machine, Hz; null where the file does not say."),
    "device": ("String", "Model and software of the machine; null where the file does not say."),
    "start_time": ("String", "Start of the recording, ISO 8601 by the machine's clock; null where the file does not say."),
    "statements": ("List(String)", "Interpretation by the machine, lines that name people removed."),
})

RECORDINGS_EXCLUDED = Table("cohorts/{cohort}/ecg/excluded.parquet", {
    "recording_id": ("String", "Opaque id of the recording."),
    "person_id": ("String", "Opaque id of the person; null where unknown."),
    "reason": ("String", "One word a reason: unreadable, truncated, flat_lead, no_qrs, …"),
    "detail": ("String", "What was seen, with its value and limit."),
})

QUALITY = Table("cohorts/{cohort}/ecg/quality.parquet", {
    "recording_id": ("String", "Opaque id of the recording, kept or excluded."),
    "person_id": ("String", "Opaque id of the person."),
    "reason": ("String", "Why it is excluded; null for a kept recording."),
    "warnings": ("List(String)", "What is beyond its limit, kept or not: mains, wander, limb_reversal, …; padding and calibration: what was cut off; exchanged_aVL_aVF: limb leads add up only with these names exchanged; unit: the cohort's unit is likely wrong."),
    "score": ("Float64", "Probability that an annotator calls it acceptable, 0 to 1; null without mV."),
    "sample_hash": ("String", "Shared by recordings of the same samples; null where it could not be read."),
    "cut_start_s": ("Float64", "Padding and calibration pulses cut off at the start, s."),
    "cut_end_s": ("Float64", "The same at the end of what was read, s."),
    "missing_leads": ("Int32", "Leads that are absent or have gaps."),
    "flat_leads": ("Int32", "Leads constant for over a second, away from a rail."),
    "saturated_leads": ("Int32", "Leads constant for over a second at a rail."),
    "noisy_leads": ("Int32", "Leads beyond the limit of high-frequency noise."),
    "large_leads": ("Int32", "Leads beyond the limit of size."),
    "mains_mv": ("Float64", "RMS at 50 or 60 Hz of the worst lead, mV."),
    "wander_mv": ("Float64", "SD of what the high-pass removes, worst lead, mV."),
    "wander_typical_mv": ("Float64", "The same of the median lead, mV."),
    "step_mv": ("Float64", "Largest change of baseline within 0.1 s, worst lead, mV."),
    "noise_mv": ("Float64", "SD above the low-pass corner in the typical 0.2 s, worst lead, mV."),
    "noise_typical_mv": ("Float64", "The same of the median lead, mV."),
    "burst_share": ("Float64", "Share of 0.2-s windows over three times the lead's usual range, worst lead."),
    "largest_mv": ("Float64", "Largest range within 0.2 s of any lead, mV."),
    "lead_range_mv": ("Float64", "Usual range within 0.2 s of the smallest lead, mV."),
    "lead_range_ratio": ("Float64", "Usual range of the largest lead over the median lead's."),
    "qrs_per_s": ("Float64", "QRS complexes a second."),
    "agreeing_share": ("Float64", "Share of beats of one morphology."),
    "spread_mv": ("Float64", "SD between beats before QRS, worst lead, mV."),
    "spread_typical_mv": ("Float64", "The same of the median lead, mV."),
    "spread_ratio": ("Float64", "SD between beats over the QRS of the lead, worst lead."),
    "qrs_mv": ("Float64", "Largest QRS of any lead, peak to peak, mV: a fifth of the usual is a unit error."),
    "arm_agreement": ("Float64", "Correlation of leads I and V6; near -1 the arm electrodes are exchanged."),
})

INTERVALS = Table("cohorts/{cohort}/ecg/intervals.parquet", {
    "recording_id": ("String", "Opaque id of the recording."),
    "person_id": ("String", "Opaque id of the person."),
    "heart_rate_bpm": ("Float64", "60,000 over the mean RR interval, per minute."),
    "rr_sd_ms": ("Float64", "Standard deviation of the RR intervals, all beats, ms."),
    "p_duration_ms": ("Float64", "P onset to offset, ms; null where there is no P wave."),
    "pr_ms": ("Float64", "P onset to QRS onset, ms; null where there is no P wave."),
    "qrs_ms": ("Float64", "QRS onset to offset, ms."),
    "qt_ms": ("Float64", "QRS onset to T end, ms: in three quarters of the leads, 1.2 times as far from the peak as the tangent."),
    "qtc_bazett_ms": ("Float64", "QT over the square root of RR in s, ms."),
    "qtc_fridericia_ms": ("Float64", "QT over the cube root of RR in s, ms."),
    "p_axis_deg": ("Float64", "Frontal axis of P at its peak, degrees."),
    "qrs_axis_deg": ("Float64", "Frontal axis of QRS, from areas, degrees."),
    "t_axis_deg": ("Float64", "Frontal axis of T at its peak, degrees."),
    "p_frontal_mv": ("Float64", "Length of the frontal vector at the P peak, mV."),
    "r_frontal_mv": ("Float64", "Largest length of the frontal vector within QRS, mV."),
    "t_frontal_mv": ("Float64", "Length of the frontal vector at the T peak, mV."),
    **{
        f"{wave}_{lead}_mv": ("Float64", f"{wave.upper()} amplitude in {lead.upper()}, mV" + note)
        for lead in ("i", "ii", "v1", "v2", "v5")
        for wave, note in (("p", ", signed."), ("r", "."), ("s", ", positive downward."), ("t", ", signed."))
    },
    "sokolov_mv": ("Float64", "S in V1 + the larger R of V5 and V6, mV."),
    "cornell_mv": ("Float64", "R in aVL + S in V3, mV."),
    "n_beats": ("Int32", "Beats of the dominant morphology that the median beat is made of."),
    "ectopic_share": ("Float64", "Share of beats that are early and of another morphology."),
    "af": ("Boolean", "Irregular and without P waves: atrial fibrillation; null where too few beats tell."),
    "paced": ("Boolean", "Pacing spikes; null below 400 Hz or without mV."),
    "lbbb": ("Boolean", "Left bundle branch block pattern; null without I, V1 or V6."),
    "rbbb": ("Boolean", "Right bundle branch block pattern; null without I, V1 or V6."),
    "rr_mean_ms": ("Float64", "Mean RR interval, all beats, ms."),
    "rr_median_ms": ("Float64", "Median RR interval, all beats, ms."),
    "rr_min_ms": ("Float64", "Shortest RR interval, all beats, ms."),
    "rr_max_ms": ("Float64", "Longest RR interval, all beats, ms."),
    "sdnn_ms": ("Float64", "Standard deviation of intervals between normal beats, ms."),
    "rr_variation": ("Float64", "SDNN over the mean normal interval."),
    "rmssd_ms": ("Float64", "Root mean square of successive differences of normal intervals, ms."),
    "sdsd_ms": ("Float64", "Standard deviation of successive differences of normal intervals, ms."),
    "pnn20": ("Float64", "Share of successive differences over 20 ms."),
    "pnn50": ("Float64", "Share of successive differences over 50 ms."),
    "pr_segment_ms": ("Float64", "P offset to QRS onset, ms; null where there is no P wave."),
    "qtc_framingham_ms": ("Float64", "QT + 154 (1 - RR), RR in s, ms."),
    "qtc_hodges_ms": ("Float64", "QT + 1.75 (rate - 60), ms."),
    "jt_ms": ("Float64", "QRS offset to T end, ms."),
    "qt_peak_ms": ("Float64", "QRS onset to T peak, ms."),
    "tpeak_tend_ms": ("Float64", "T peak to T end, ms."),
    "qrst_angle_deg": ("Float64", "Frontal angle between QRS and T, 0 to 180 degrees."),
    "qrst_angle_spatial_deg": ("Float64", "Angle between mean QRS and mean T vector in space, degrees."),
    "sokolov_product_ms_mv": ("Float64", "Sokolow-Lyon voltage times QRS duration, ms mV."),
    "cornell_product_ms_mv": ("Float64", "Cornell voltage times QRS duration, ms mV; nothing is added for women."),
    "peguero_mv": ("Float64", "Deepest S of any lead + S in V4, mV."),
    **{
        f"{wave}_{lead}_mv": ("Float64", f"{meaning} in {lead.upper()}, mV.")
        for lead in ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")
        for wave, meaning in {
            "p": "P amplitude, signed,",
            "q": "Q amplitude, positive downward,",
            "r": "R amplitude",
            "s": "S amplitude, positive downward,",
            "t": "T amplitude, signed,",
            "j": "J point level",
            "st": "ST level 60 ms after J",
        }.items()
        if not (lead in ("i", "ii", "v1", "v2", "v5") and wave in "prst" and wave != "st")
    },
    "machine_heart_rate_bpm": ("Float64", "Ventricular rate by the machine, per minute; null where the file has none, as below."),
    "machine_p_duration_ms": ("Float64", "P duration by the machine, ms."),
    "machine_pr_ms": ("Float64", "PR (PQ) interval by the machine, ms."),
    "machine_qrs_ms": ("Float64", "QRS duration by the machine, ms."),
    "machine_qt_ms": ("Float64", "QT interval by the machine, ms."),
    "machine_qtc_bazett_ms": ("Float64", "Corrected QT by the machine, ms."),
    "machine_p_axis_deg": ("Float64", "Frontal P axis by the machine, degrees."),
    "machine_qrs_axis_deg": ("Float64", "Frontal QRS axis by the machine, degrees."),
    "machine_t_axis_deg": ("Float64", "Frontal T axis by the machine, degrees."),
    **{
        f"machine_{wave}_{lead.lower()}_mv": ("Float64", f"{wave.upper()} amplitude in {lead} by the machine, mV.")
        for wave in "pqrsjt"
        for lead in LEADS
    },
})

ENTRIES = Table("cohorts/{cohort}/ecg/entries.parquet", {
    "recording_id": ("String", "Opaque id of the recording."),
    "person_id": ("String", "Opaque id of the person; nobody who withdrew consent."),
}, further={
    "key": ("as listed", "Where the reader finds the recording: its file, or its row in an array."),
})

SHARD_RECORDINGS = Table("cohorts/{cohort}/ecg/parts/{shard}/recordings.parquet", RECORDINGS.columns)
SHARD_EXCLUDED = Table("cohorts/{cohort}/ecg/parts/{shard}/excluded.parquet", RECORDINGS_EXCLUDED.columns)
SHARD_QUALITY = Table("cohorts/{cohort}/ecg/parts/{shard}/quality.parquet", QUALITY.columns)
SHARD_INTERVALS = Table("cohorts/{cohort}/ecg/parts/{shard}/intervals.parquet", INTERVALS.columns)

STRIPS = Array("cohorts/{cohort}/ecg/signals/shard-{shard}.strip{bucket}.npy", {
    "strip": ("int16", "strip_row, channel, sample", "Rhythm strips of ingest.seconds, counts of `scale` (recordings.parquet), -32768 missing; of bucket -2x twice as long, -4x four times, …"),
})
BEATS = Array("cohorts/{cohort}/ecg/signals/shard-{shard}.beat.npy", {
    "beat": ("int16", "row, channel, sample", "Median beat of the whole recording, counts as of the strips."),
})
WINDOW_BEATS = Array("cohorts/{cohort}/ecg/signals/shard-{shard}.beat{bucket}.npy", {
    "beat": ("int16", "strip_row, window, channel, sample", "Median beat of each window of ingest.seconds, missing where fewer than three clean beats lie in it; of buckets -2x, -4x, …"),
})
WINDOW_RR = Array("cohorts/{cohort}/ecg/signals/shard-{shard}.rr{bucket}.npy", {
    "rr_ms": ("float32", "strip_row, window", "Median RR interval of each window, ms; NaN where it has none."),
})

CIRCULAR = re.compile(r"(^|_)axis_deg(rees)?$")


def circular(columns: Iterable[str]) -> list[int]:
    """Places of the columns that hold axes in degrees, of which 179 and -177 are neighbours; angles of 0 to 180 are none."""
    return [j for j, name in enumerate(columns) if CIRCULAR.search(name)]
