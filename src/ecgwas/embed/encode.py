"""A trained encoder and a folder of ECG files -> one embedding per file, or the reason why a file has none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import config
from ecgwas.checkpoints import checkpoint as files
from ecgwas.cli import run
from ecgwas.embed.embed import encoder_of
from ecgwas.embed.embedder import in_memory
from ecgwas.encoder.device import set_threads
from ecgwas.encoder.windows import Encode, of_rows
from ecgwas.errors import UserError
from ecgwas.files import write_parquet
from ecgwas.ingest import mixed
from ecgwas.ingest.process import Processed
from ecgwas.signals.recording import Unreadable


def embedding_by(encode: Encode, settings: config.Ingest) -> Callable[[Processed], np.ndarray]:
    """What makes the embedding, float32 [width], of one recording."""

    def embedding(result: Processed) -> np.ndarray:
        z = of_rows(encode, in_memory(result, settings), np.zeros(1, int), config.Embed().batch).mean[0]
        if np.isnan(z).any():
            raise Unreadable("no_median_beat", "no median beat, which this model needs")
        return z

    return embedding


def to_table(found: list[mixed.OfFile]) -> pl.DataFrame:
    """file, recording_id, e0000, e0001, …, reason: one row per file; the numbers are null where there is a reason."""
    width = max((len(one.values) for one in found if one.values is not None), default=0)
    blank = np.full(width, np.nan, dtype=np.float32)
    z = np.stack([blank if one.values is None else one.values for one in found]) if found else np.empty((0, width))
    texts = {name: [getattr(one, name) for one in found] for name in ("file", "recording_id", "reason")}
    table = pl.DataFrame(texts, schema=dict.fromkeys(texts, pl.String))
    axes = (pl.Series(f"e{k:04d}", z[:, k], dtype=pl.Float32).fill_nan(None) for k in range(width))
    return table.select("file", "recording_id", *axes, "reason")


def main(checkpoint: Path, ecgs: Path, out: Path, format: str = "auto", threads: int = 1) -> None:
    """Embed every ECG file below a folder: the same numbers as by the pipeline.

    Args:
        checkpoint: A trained encoder: checkpoint.pt of a study, or model.safetensors as released.
        ecgs: The folder of files.
        out: Parquet, written: one row per file with its embedding, or the reason why there is none.
        format: auto (by suffix and content), or that of all files: wfdb, muse, philips, cardiosoft, aecg, dicom,
            scp, edf.
        threads: CPU threads.
    """
    mixed.check(ecgs, format)
    set_threads(threads)
    trained = files.load(checkpoint)
    settings = config.Ingest(**trained["ingest"])
    found = list(mixed.each(ecgs, format, settings, embedding_by(encoder_of(trained), settings)))
    if not found:
        raise UserError(f"--ecgs {ecgs}: no file below this folder; give the folder of the ECG files")
    write_parquet(to_table(found), out)
    print(f"{len(found)} files, {sum(one.reason is None for one in found)} embedded", flush=True)


if __name__ == "__main__":
    run(main)
