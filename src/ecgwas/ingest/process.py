"""One recording -> strip, median beat and measurements, or the reason why not."""

from typing import NamedTuple

import numpy as np

from ecgwas.config import LEADS, Ingest
from ecgwas.ingest import quality
from ecgwas.ingest.beats import MIN_BEATS, QRS_BAND_HZ, MedianBeat, find_qrs, median_beat, qrs_energy, rr_intervals
from ecgwas.ingest.canonical import twelve_leads
from ecgwas.ingest.filters import Spectrum, at_samples
from ecgwas.ingest.intervals import measure
from ecgwas.ingest.readers import Recording

MISSING = np.iinfo(np.int16).min
MICROVOLTS = 1000.0  # counts per mV
WIDE_HZ = 100.0  # low-pass of the median beat, at most 0.4 of its stored rate


class Processed(NamedTuple):
    """What is stored of one recording."""

    strip: np.ndarray  # int16 [12, seconds * 2^bucket * model_rate_hz] microvolts
    beat: np.ndarray  # int16 [12, beat samples] microvolts
    recording: dict[str, float | int | str | None]
    intervals: dict[str, float]


def strip_samples(settings: Ingest, bucket: int) -> int:
    """Samples of the strips in a bucket."""
    return round(settings.seconds * 2**bucket * settings.model_rate_hz)


def bucket_of(seconds: float, settings: Ingest) -> int:
    """The shortest bucket that holds a recording, or the longest; half a sample too long does not matter."""
    held = (k for k in range(settings.doublings) if seconds <= settings.seconds * 2**k + 0.5 / settings.model_rate_hz)
    return next(held, settings.doublings)


def beat_samples(settings: Ingest) -> int:
    """Samples of a stored median beat."""
    return round((settings.beat_before_s + settings.beat_after_s) * settings.beat_rate_hz)


def process(recording: Recording, settings: Ingest) -> Processed:
    """Everything stored of one recording; raises `quality.Excluded`."""
    quality.check_length(recording.seconds, recording.signal.shape[1])
    signal, unit = twelve_leads(recording)
    rate_hz = recording.rate_hz
    faults = quality.lead_faults(signal, rate_hz, unit)
    quality.check_leads(faults, settings.min_leads)
    rows = [row for row in range(len(LEADS)) if row not in faults]
    spectrum = Spectrum(interpolate_gaps(signal[rows]), rate_hz, new_rate_hz=settings.model_rate_hz).without_mains()
    wide = spectrum.filtered(settings.highpass_hz, min(WIDE_HZ, 0.4 * settings.beat_rate_hz))
    smooth = spectrum.filtered(settings.highpass_hz, settings.lowpass_hz)
    faults = quality.with_derived(faults | quality.filtered_faults(wide, smooth, rows, rate_hz, unit))
    quality.check_leads(faults, settings.min_leads)
    keep = [k for k, row in enumerate(rows) if row not in faults]
    rows, wide, smooth = [rows[k] for k in keep], wide[keep], smooth[keep]

    band = spectrum.filtered(*QRS_BAND_HZ, derivative=True)[keep]
    peaks = find_qrs(qrs_energy(band, rate_hz), rate_hz)
    quality.check_rhythm(len(peaks), signal.shape[1] / rate_hz)
    beat = median_beat(wide, smooth, peaks, rate_hz)
    quality.check_beats(beat, unit)
    beat = beat if beat is not None and beat.n_beats >= MIN_BEATS else None
    rr = rr_intervals(peaks, rate_hz)
    about = {"rate_hz": rate_hz, "seconds": recording.seconds, "unit": unit, "n_leads": len(rows)}
    about |= {"n_beats": beat.n_beats if beat else 0, "rr_ms": float(np.median(rr)) if len(rr) else None}
    about["bucket"] = bucket_of(recording.seconds, settings)
    strip = stored_strip(
        spectrum.resampled(settings.highpass_hz, settings.lowpass_hz)[keep], rows, about["bucket"], settings
    )
    return Processed(strip, stored_beat(beat, rows, settings), about, measured(beat, rows, rr, unit))


def measured(beat: MedianBeat | None, rows: list[int], rr_ms: np.ndarray, unit: str) -> dict[str, float]:
    """Heart rate and its variation from the RR intervals, the rest from the median beat where there is one."""
    if not len(rr_ms):
        return {}
    mean = float(rr_ms.mean())
    out = {"heart_rate_bpm": 60_000 / mean, "rr_sd_ms": float(rr_ms.std(ddof=1)) if len(rr_ms) > 1 else np.nan}
    return out | measure(beat, rows, mean, unit) if beat else out


def interpolate_gaps(signal: np.ndarray) -> np.ndarray:
    """[lead, sample] with missing samples on the line between their neighbours."""
    signal = signal.copy()
    for row in np.flatnonzero(np.isnan(signal).any(axis=1)):
        gap = np.isnan(signal[row])
        signal[row, gap] = np.interp(np.flatnonzero(gap), np.flatnonzero(~gap), signal[row, ~gap])
    return signal


def counts(millivolts: np.ndarray) -> np.ndarray:
    """Int16 microvolts, clipped to the range that does not mean missing."""
    return np.clip(np.rint(millivolts * MICROVOLTS), MISSING + 1, -MISSING - 1).astype(np.int16)


def stored_strip(smooth: np.ndarray, rows: list[int], bucket: int, settings: Ingest) -> np.ndarray:
    """[12, samples of the bucket] of filtered leads at that rate; missing where a lead or the recording ends."""
    out = np.full((len(LEADS), strip_samples(settings, bucket)), MISSING, dtype=np.int16)
    strip = counts(smooth)[:, : out.shape[1]]
    out[rows, : strip.shape[1]] = strip
    return out


def stored_beat(beat: MedianBeat | None, rows: list[int], settings: Ingest) -> np.ndarray:
    """[12, samples] of the median beat at beat_rate_hz, its R peak on sample round(beat_before_s * beat_rate_hz)."""
    out = np.full((len(LEADS), beat_samples(settings)), MISSING, dtype=np.int16)
    if beat is not None:
        steps = np.arange(out.shape[1]) - round(settings.beat_before_s * settings.beat_rate_hz)
        out[rows] = counts(at_samples(beat.signal, beat.peak + steps * (beat.rate_hz / settings.beat_rate_hz)))
    return out
