"""One recording -> strip, median beat and measurements, or the reason why not."""

from typing import NamedTuple

import numpy as np

from ecgwas.config import LEADS, Ingest
from ecgwas.ecg import quality
from ecgwas.ecg.beats import MIN_BEATS, MedianBeat, median_beat, rr_intervals
from ecgwas.ecg.canonical import INDEPENDENT, einthoven_residual, made_leads, twelve_leads
from ecgwas.ecg.exchanged import exchanged, word
from ecgwas.ecg.filters import Spectrum, at_samples
from ecgwas.ecg.intervals import measured
from ecgwas.ecg.measures import beat_measures, cut_off, fault_counts, lead_measures, sample_hash
from ecgwas.ecg.qrs import detect
from ecgwas.ecg.score import with_score
from ecgwas.ingest.windows import in_windows, window_beats, window_rr_ms
from ecgwas.signals.recording import Recording

MISSING = np.iinfo(np.int16).min
LARGEST_COUNT = np.iinfo(np.int16).max
MICROVOLTS = 1000.0  # counts per mV
WIDE_HZ = 100.0  # low-pass of the median beat, at most 0.4 of its stored rate


class Processed(NamedTuple):
    """What is stored of one recording."""

    strip: np.ndarray  # int16 [12, seconds * 2^bucket * model_rate_hz] counts of `scale`, microvolts for an ECG
    beat: np.ndarray  # int16 [12, beat samples] the same
    recording: dict[str, float | int | str | None]
    intervals: dict[str, float | bool | None]
    quality: dict[str, float | str | None]
    window_beats: np.ndarray  # int16 [2^bucket, 12, beat samples] of each window, missing where it has none
    window_rr_ms: np.ndarray  # float32 [2^bucket] of each window, NaN where it has none


def strip_samples(settings: Ingest, bucket: int) -> int:
    """Samples of the strips in a bucket."""
    return round(settings.seconds * 2**bucket * settings.model_rate_hz)


def window_s(settings: Ingest) -> float:
    """Length of a model's window, s: the shortest bucket in whole samples."""
    return strip_samples(settings, 0) / settings.model_rate_hz


def bucket_of(seconds: float, settings: Ingest) -> int:
    """The shortest bucket that holds a recording, or the longest; half a sample too long does not matter."""
    held = (k for k in range(settings.doublings) if seconds <= settings.seconds * 2**k + 0.5 / settings.model_rate_hz)
    return next(held, settings.doublings)


def beat_samples(settings: Ingest) -> int:
    """Samples of a stored median beat."""
    return round((settings.beat_before_s + settings.beat_after_s) * settings.beat_rate_hz)


def process(recording: Recording, settings: Ingest) -> Processed:
    """Everything stored of one recording; raises `quality.Excluded`, which carries what was measured of it."""
    about = {"seconds": recording.seconds, "rate_hz": recording.rate_hz}
    about["sample_hash"] = sample_hash(recording.signal, recording.rate_hz, recording.seconds)
    about |= cut_off(recording)
    try:
        quality.check_length(recording.seconds, recording.signal.shape[1])
        return _process(recording, settings, about)
    except quality.Excluded as fault:
        fault.measures = with_score(about)
        raise


def _process(recording: Recording, settings: Ingest, about: dict) -> Processed:
    """As `process`; `about` is filled with the measures of quality before anything is judged."""
    signal, unit = twelve_leads(recording)
    rate_hz, about["unit"], made = recording.rate_hz, unit, made_leads(recording)
    about["einthoven_uv"] = einthoven_residual(recording)
    if names := exchanged(recording):
        about["words"] = [*about["words"], word(names)]
    early = quality.lead_faults(signal, rate_hz, unit, made)
    about |= fault_counts(early)
    rows = [row for row in range(len(LEADS)) if row not in early]
    if not rows:
        quality.check_leads(early, settings.min_leads)
    if np.isnan(signal[rows]).any():
        quality.check_gaps(signal[rows], rate_hz)
    native = interpolate_gaps(signal[rows])
    spectrum = Spectrum(native, rate_hz, new_rate_hz=settings.model_rate_hz).without_mains()
    about["mains_mv"] = spectrum.mains_rms
    wide = spectrum.filtered(settings.highpass_hz, min(WIDE_HZ, 0.4 * settings.beat_rate_hz))
    smooth = spectrum.filtered(settings.highpass_hz, settings.lowpass_hz)
    noise = quality.noise_sd(wide, smooth, rate_hz)
    about |= lead_measures(native, smooth, noise, rate_hz)
    faults = quality.with_derived(early | quality.filtered_faults(smooth, noise, rows, unit), made)
    about |= fault_counts(faults)
    keep = [k for k, row in enumerate(rows) if row not in faults]
    if not keep:
        quality.check_leads(early, settings.min_leads)
        quality.check_leads(faults, settings.min_leads)
    rows, wide, smooth = [rows[k] for k in keep], wide[keep], smooth[keep]

    independent = [k for k, row in zip(keep, rows, strict=True) if row in INDEPENDENT]
    peaks = detect(spectrum, keep, independent or keep)
    beat = median_beat(wide, smooth, peaks, rate_hz)
    about |= beat_measures(beat, rows, len(peaks), signal.shape[1] / rate_hz)
    quality.check_leads(early, settings.min_leads)
    quality.check_leads(faults, settings.min_leads)
    quality.check_rhythm(len(peaks), signal.shape[1] / rate_hz)
    quality.check_beats(beat, unit)
    beat = beat if beat is not None and beat.n_beats >= MIN_BEATS else None
    row = recording_row(recording, unit, rows, beat, peaks, settings) | {"einthoven_uv": about["einthoven_uv"]}
    modelled = spectrum.resampled(settings.highpass_hz, settings.lowpass_hz)[keep]
    intervals = measured(beat, rows, peaks, rate_hz, unit, smooth, native[keep])
    strip = stored_strip(modelled, rows, row["bucket"], settings)
    quality.check_clipped(strip[rows], unit, LARGEST_COUNT * row["scale"])
    within = in_windows(peaks, window_s(settings) * rate_hz, 2 ** row["bucket"])
    # a short recording is one window, whose beat is the recording's
    several = window_beats(wide, smooth, within, rate_hz, unit) if row["bucket"] else [beat]
    stored = [stored_beat(one, rows, settings) for one in (beat, *several)]
    rr_ms = window_rr_ms(within, rate_hz)
    return Processed(strip, stored[0], row, intervals, with_score(about), np.stack(stored[1:]), rr_ms)


def recording_row(
    recording: Recording, unit: str, rows: list[int], beat: MedianBeat | None, peaks: np.ndarray, settings: Ingest
) -> dict[str, float | int | str | None]:
    """What recordings.parquet says of a kept recording."""
    rr = rr_intervals(peaks, recording.rate_hz)
    return {
        "rate_hz": recording.rate_hz,
        "seconds": recording.seconds,
        "unit": unit,
        "n_leads": len(rows),
        "n_beats": beat.n_beats if beat else 0,
        "rr_ms": float(np.median(rr)) if len(rr) else None,
        "bucket": bucket_of(recording.seconds, settings),
        "scale": settings.microvolts_per_count / MICROVOLTS,
    }


def interpolate_gaps(signal: np.ndarray) -> np.ndarray:
    """[lead, sample] with missing samples on the line between their neighbours."""
    gaps = np.flatnonzero(np.isnan(signal).any(axis=1))
    if not len(gaps):
        return signal
    signal = signal.copy()
    for row in gaps:
        gap = np.isnan(signal[row])
        signal[row, gap] = np.interp(np.flatnonzero(gap), np.flatnonzero(~gap), signal[row, ~gap])
    return signal


def counts(millivolts: np.ndarray, microvolts_per_count: float) -> np.ndarray:
    """Int16 counts, clipped to the range that does not mean missing."""
    scale = np.float32(MICROVOLTS / microvolts_per_count)
    return np.clip(np.rint(millivolts * scale), -LARGEST_COUNT, LARGEST_COUNT).astype(np.int16)


def stored_strip(smooth: np.ndarray, rows: list[int], bucket: int, settings: Ingest) -> np.ndarray:
    """[channel, samples of the bucket] of filtered leads at the model rate; missing beyond a lead or the recording."""
    out = np.full((len(settings.channels), strip_samples(settings, bucket)), MISSING, dtype=np.int16)
    strip = counts(smooth, settings.microvolts_per_count)[:, : out.shape[1]]
    out[rows, : strip.shape[1]] = strip
    return out


def stored_beat(beat: MedianBeat | None, rows: list[int], settings: Ingest) -> np.ndarray:
    """[12, samples] of the median beat at beat_rate_hz, its R peak on sample round(beat_before_s * beat_rate_hz)."""
    out = np.full((len(LEADS), beat_samples(settings)), MISSING, dtype=np.int16)
    if beat is not None:
        steps = np.arange(out.shape[1]) - round(settings.beat_before_s * settings.beat_rate_hz)
        places = beat.peak + steps * (beat.rate_hz / settings.beat_rate_hz)
        out[rows] = counts(at_samples(beat.signal, places), settings.microvolts_per_count)
    return out
