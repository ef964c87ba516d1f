"""One recording of another kind than an ECG (EEG, EMG) -> strip of the montage's channels, or the reason why not.

The same reading, filtering and storing as for an ECG; nothing that is about heart beats.
"""

from collections.abc import Sequence

import numpy as np

from ecgwas.config import Ingest
from ecgwas.ecg.canonical import check_rate, named_leads
from ecgwas.ecg.filters import Spectrum
from ecgwas.ecg.measures import cut_off, sample_hash
from ecgwas.ecg.quality import (
    MAX_CONSTANT_S,
    MAX_GAP,
    Excluded,
    check_clipped,
    check_length,
    longest_constant,
    may_be_constant,
)
from ecgwas.ingest.process import (
    LARGEST_COUNT,
    MICROVOLTS,
    MISSING,
    Processed,
    beat_samples,
    bucket_of,
    interpolate_gaps,
    stored_strip,
)
from ecgwas.signals.recording import Recording

_PREFIXES = ("EEG", "EMG", "ECG", "EOG")


def process_other(recording: Recording, settings: Ingest) -> Processed:
    """Everything stored of one recording; raises `quality.Excluded`."""
    check_length(recording.seconds, recording.signal.shape[1])
    check_rate(recording.rate_hz)
    rows = channel_rows(recording.leads, settings.channels)
    signal, unit = named_leads(recording, rows, settings.channels)
    suspect = may_be_constant(signal, round(MAX_CONSTANT_S * recording.rate_hz)) | np.isnan(signal).any(axis=1)
    faults = {
        row: fault
        for row in np.flatnonzero(suspect).tolist()
        if (fault := channel_fault(signal[row], recording.rate_hz))
    }
    rows = [row for row in range(len(signal)) if row not in faults]
    if len(rows) < settings.min_leads:
        kinds = [kind for kind, _ in faults.values()]
        reason = max(dict.fromkeys(kinds), key=kinds.count)
        listed = "; ".join(f"{settings.channels[row]} {detail}" for row, (_, detail) in sorted(faults.items()))
        raise Excluded(reason, f"{len(rows)} usable channels < {settings.min_leads}: {listed}")
    spectrum = Spectrum(interpolate_gaps(signal[rows]), recording.rate_hz, new_rate_hz=settings.model_rate_hz)
    strip = spectrum.without_mains().resampled(settings.highpass_hz, settings.lowpass_hz)
    bucket = bucket_of(recording.seconds, settings)
    about = {"rate_hz": recording.rate_hz, "seconds": recording.seconds, "unit": unit, "n_leads": len(rows)}
    beat = np.full((len(signal), beat_samples(settings)), MISSING, dtype=np.int16)
    strip = stored_strip(strip, rows, bucket, settings)
    about["scale"] = settings.microvolts_per_count / MICROVOLTS
    check_clipped(strip[rows], unit, LARGEST_COUNT * about["scale"])
    measures = {"sample_hash": sample_hash(recording.signal, recording.rate_hz, recording.seconds)}
    measures |= cut_off(recording) | {"warnings": list(recording.cut)}
    no_beats, no_rr = np.tile(beat, (2**bucket, 1, 1)), np.full(2**bucket, np.nan, dtype=np.float32)
    return Processed(strip, beat, about | {"n_beats": 0, "bucket": bucket}, {}, measures, no_beats, no_rr)


def channel_rows(names: Sequence[str], channels: Sequence[str]) -> list[int | None]:
    """Row in `channels` of each of the names in a file, None of others: by the whole name, its type may stand before.

    Blanks, underscores, hyphens and capitals do not matter, but -C3 is not C3.
    """
    rows = {_bare(name): row for row, name in enumerate(channels)}
    return [next((rows[key] for key in _spellings(name) if key in rows), None) for name in names]


def _spellings(name: str) -> list[str]:
    """The bare name of a channel, and without the type of signal before it."""
    text = name.split("(")[0].strip().upper().replace(" ", "_")
    rests = [text.removeprefix(prefix).strip("_") for prefix in ("", *_PREFIXES) if text.startswith(prefix)]
    return [_bare(rest) for rest in rests if not rest.startswith("-")]


def _bare(name: str) -> str:
    return name.strip().upper().replace(" ", "_").replace("-", "")


def channel_fault(samples: np.ndarray, rate_hz: float) -> tuple[str, str] | None:
    """Reason and detail why one channel [sample] cannot be used, or None."""
    gaps = np.isnan(samples).mean()
    if gaps == 1:
        return "missing_leads", "absent"
    if gaps > MAX_GAP:
        return "gaps", f"{gaps:.0%} missing > {MAX_GAP:.0%}"
    length, _ = longest_constant(samples)
    if length > MAX_CONSTANT_S * rate_hz:
        return "flat_lead", f"constant for {length / rate_hz:.1f} s > {MAX_CONSTANT_S:.1f} s"
    return None
