"""One recording as an array -> its embedding: the whole way of the pipeline, ingestion included, without files."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import config
from ecgwas.checkpoints import checkpoint as files
from ecgwas.ecg.quality import Excluded
from ecgwas.embed.embed import embed, encoder_of
from ecgwas.encoder.leads import UNKNOWN
from ecgwas.errors import UserError
from ecgwas.ingest.process import Processed, process, strip_samples
from ecgwas.signals.data import Signals, coded
from ecgwas.signals.recording import Recording, Unreadable

LONGEST = 12  # doublings of the window, at most


class Embedder:
    """A checkpoint (.pt, or .safetensors as released), ready to embed recordings one by one."""

    def __init__(self, checkpoint: Path):
        trained = files.load(checkpoint)
        self.ingest = config.Ingest(**trained["ingest"])
        self._encode = encoder_of(trained)

    def embed(
        self, signal: np.ndarray, rate_hz: float, leads: Sequence[str], unit: str = "mV", min_leads: int = 1
    ) -> np.ndarray:
        """Embedding, float32 [width], of samples [lead, sample] in `unit` ("mV", "uV", …; NaN is missing).

        As in the pipeline: lead names are normalised, missing limb leads derived, the signal filtered, checked and
        averaged; of a long recording the mean over all of its windows (the pipeline keeps the beginning, up to its
        longest bucket). A single lead may be called "unknown". Raises `UserError` for a recording that the pipeline
        would exclude, with its reason.
        """
        unnamed = [name.lower() for name in leads] == [UNKNOWN]
        recording = as_recording(signal, rate_hz, ["I"] if unnamed else leads, unit)
        settings = self.ingest.model_copy(update={"min_leads": min_leads, "doublings": LONGEST})
        try:
            result = process(recording, settings)
        except (Excluded, Unreadable) as fault:
            raise UserError(f"the recording cannot be embedded: {fault.reason}, {fault.detail}") from None
        signals = replace(in_memory(result, settings), unnamed=unnamed)
        found = embed(self._encode, signals, config.Embed().batch)[0]
        if np.isnan(found).any():
            raise UserError("the recording cannot be embedded: no median beat, which this model needs")
        return found


def as_recording(signal: np.ndarray, rate_hz: float, leads: Sequence[str], unit: str) -> Recording:
    """The array as a `Recording`, as returned by a reader."""
    signal = np.asarray(signal, dtype=np.float32)
    if signal.ndim != 2 or len(signal) != len(leads):
        raise UserError(f"an array of shape {list(signal.shape)} for {len(leads)} leads; give [lead, sample]")
    seconds = signal.shape[1] / rate_hz
    return Recording(tuple(leads), (unit,) * len(leads), signal, float(rate_hz), seconds)


def in_memory(result: Processed, settings: config.Ingest) -> Signals:
    """One processed recording as the signals of a cohort."""
    bucket = result.recording["bucket"]
    place = {"recording_id": "r", "person_id": "p", "file": 0, "row": 0, "strip_row": 0, "bucket": bucket}
    table = pl.DataFrame(place | {"rr_ms": result.recording["rr_ms"]}, schema_overrides={"rr_ms": pl.Float64})
    table = coded(table.with_columns(cohort=pl.lit("c"), unit=pl.lit(result.recording["unit"])))
    of_windows = {bucket: (result.window_beats[None], result.window_rr_ms[None])}
    window = strip_samples(settings, 0)
    return Signals(table, [{bucket: result.strip[None]}], [result.beat[None]], window, [of_windows])
