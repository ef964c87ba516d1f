"""A bundle and a folder of ECG files -> a CSV with one row per file: probabilities, or why they are missing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from ecgwas.cli import run
from ecgwas.config import Ingest
from ecgwas.embed.embedder import in_memory
from ecgwas.encoder.windows import Encode
from ecgwas.files import atomic
from ecgwas.ingest import mixed
from ecgwas.ingest.process import Processed
from ecgwas.predict.methods import networks
from ecgwas.predict.methods.tuning import encoded, scorer
from ecgwas.predict.release import bundle as bundles
from ecgwas.signals.recording import Unreadable


def logits_by(encode: Encode, settings: Ingest) -> Callable[[Processed], np.ndarray]:
    """What makes the logits [O] of one recording."""

    def logits(result: Processed) -> np.ndarray:
        if result.recording["unit"] != "mV":
            raise Unreadable("unit_unknown", "the file does not say the size of its samples")
        found = encoded(encode, in_memory(result, settings), np.zeros(1, int))[0]
        if not np.isfinite(found).all():
            raise Unreadable("nothing_to_score", "no signal that the model reads")
        return found

    return logits


def row(of_file: mixed.OfFile, outcomes: list[dict[str, Any]]) -> dict[str, Any]:
    """The row of one file."""
    scores = {} if of_file.values is None else columns(of_file.values, outcomes)
    return {"file": of_file.file, "recording_id": of_file.recording_id, "reason": of_file.reason} | scores


def columns(logits: np.ndarray, outcomes: list[dict[str, Any]]) -> dict[str, float | bool | None]:
    """Probability (calibrated where the bundle says how) and whether the logit reaches the threshold."""
    row = {}
    for logit, outcome in zip(logits.astype(float), outcomes, strict=True):
        fitted = outcome["calibration"] or {"slope": 1.0, "intercept": 0.0}
        row[outcome["name"]] = float(1 / (1 + np.exp(-(fitted["slope"] * logit + fitted["intercept"]))))
        row[f"logit:{outcome['name']}"] = float(logit)
        limit = outcome["threshold"]
        row[f"above_threshold:{outcome['name']}"] = None if limit is None else bool(logit >= limit)
    return row


def to_table(found: list[dict[str, Any]], outcomes: list[dict[str, Any]]) -> pl.DataFrame:
    """file, recording_id, a probability, a flag and a logit an outcome, reason."""
    schema = {"file": pl.String, "recording_id": pl.String}
    for outcome in outcomes:
        schema |= {outcome["name"]: pl.Float64, f"above_threshold:{outcome['name']}": pl.Boolean}
        schema |= {f"logit:{outcome['name']}": pl.Float64}
    return pl.DataFrame(found, schema=schema | {"reason": pl.String})


def main(bundle: Path, ecgs: Path, out: Path, format: str = "auto") -> None:
    """Score every ECG file below a folder, on the CPU.

    Args:
        bundle: A folder that predict.bundle wrote.
        ecgs: The folder of files.
        out: CSV, written: one row per file, with the reason where it has no scores.
        format: auto (by suffix and content), or that of all files: wfdb, muse, philips, cardiosoft, aecg, dicom,
            scp, edf.
    """
    mixed.check(ecgs, format)
    torch.set_num_threads(1)
    predictor, settings = bundles.load(bundle)
    network = networks.from_dict(predictor)
    compute = logits_by(scorer(network), network.ingest)
    found = [row(one, settings["outcomes"]) for one in mixed.each(ecgs, format, network.ingest, compute)]
    with atomic(out) as temporary:
        to_table(found, settings["outcomes"]).write_csv(temporary)
    print(f"{len(found)} files, {sum(row['reason'] is None for row in found)} scored", flush=True)


if __name__ == "__main__":
    run(main)
