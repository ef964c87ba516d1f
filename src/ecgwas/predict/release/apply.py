"""A bundle and a folder of ECG files -> a CSV with a row a file: probabilities, or the reason why there are none."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from ecgwas.cli import run
from ecgwas.config import EcgSource, Ingest
from ecgwas.ecg.quality import Excluded
from ecgwas.embed.encoder import in_memory
from ecgwas.encoder.windows import Encoder
from ecgwas.errors import UserError
from ecgwas.files import atomic
from ecgwas.ingest.process import process
from ecgwas.ingest.readers import Reader, open_source
from ecgwas.ingest.readers.folder import as_unreadable, check_size, scan
from ecgwas.predict.methods import networks
from ecgwas.predict.methods.tuning import encoded, scorer
from ecgwas.predict.release import bundle as bundles
from ecgwas.signals.recording import Unreadable

HEAD_BYTES = 65536  # of a file, in which its format must show
FORMATS = ("auto", "wfdb", "muse", "philips", "cardiosoft", "aecg", "dicom", "scp", "edf")
SUFFIXES = {".hea": "wfdb", ".dcm": "dicom", ".dicom": "dicom", ".scp": "scp", ".scpecg": "scp", ".edf": "edf"}
XML = {b"<RestingECG": "muse", b"<restingecgdata": "philips", b"<CardiologyXML": "cardiosoft", b"<AnnotatedECG": "aecg"}


def detect(path: Path) -> str | None:
    """Format of a file by its suffix, of XML by its first elements; None where it is none that is known."""
    suffix = path.suffix.lower()
    if suffix != ".xml":
        return SUFFIXES.get(suffix)
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES).replace(b"\0", b"")  # UTF-16
    places = {head.find(mark): name for mark, name in XML.items() if mark in head}
    return places[min(places)] if places else None  # the outermost: elements of other names may begin alike


def listed(folder: Path) -> list[str]:
    """Paths below the folder, sorted; signal files of a WFDB header are its record's, so not by themselves."""
    names = scan(folder, ("",))
    records = {name.removesuffix(".hea") for name in names if name.endswith(".hea")}
    return [name for name in names if name.endswith(".hea") or name.rpartition(".")[0] not in records]


def refused(name: str, reason: str) -> dict[str, Any]:
    """The row of a file without scores."""
    return {"file": name, "recording_id": str(Path(name).with_suffix("")), "reason": reason}


def scored(reader: Reader, key: str, name: str, encode: Encoder, settings: Ingest) -> np.ndarray | str:
    """Logits [O] of one file, or why there are none."""
    try:
        with as_unreadable(Path(name).name):
            try:
                result = process(reader.read(key), settings)
                if result.recording["unit"] != "mV":
                    raise Unreadable("unit_unknown", "the file does not say the size of its samples")
                signals = in_memory(result, settings)
            except Excluded as fault:
                raise Unreadable(fault.reason, fault.detail) from None
            logits = encoded(encode, signals, np.zeros(1, int))[0]
    except Unreadable as fault:
        return f"{fault.reason}: {fault.detail}"
    return logits if np.isfinite(logits).all() else "nothing_to_score: no signal that the model reads"


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


def rows(
    folder: Path, asked: str, encode: Encoder, settings: Ingest, outcomes: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """A row a file."""

    @cache
    def reader(name: str) -> Reader:
        return open_source(EcgSource(format=name, path=folder), settings.longest_s)

    for name in listed(folder):
        path = folder / name
        try:
            with as_unreadable(path.name):
                check_size(path)
                known = detect(path) if asked == "auto" else asked
        except Unreadable as fault:
            yield refused(name, f"{fault.reason}: {fault.detail}")
            continue
        if known is None:
            yield refused(name, "unknown_format: no ECG file format that is read here")
            continue
        key = name.removesuffix(".hea") if known == "wfdb" else name
        found = scored(reader(known), key, name, encode, settings)
        if isinstance(found, str):
            yield refused(name, found)
        else:
            yield refused(name, "") | {"reason": None} | columns(found, outcomes)


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
        out: CSV, written: a row a file, and why a file has no scores.
        format: auto (by suffix and content), or that of all files: wfdb, muse, philips, cardiosoft, aecg, dicom,
            scp, edf.
    """
    if format not in FORMATS:
        raise UserError(f"--format {format} is none of {', '.join(FORMATS)}")
    if not ecgs.is_dir():
        raise UserError(f"--ecgs {ecgs} is not a folder; give the folder of the ECG files")
    torch.set_num_threads(1)
    predictor, settings = bundles.load(bundle)
    network = networks.from_dict(predictor)
    found = list(rows(ecgs, format, scorer(network), network.ingest, settings["outcomes"]))
    with atomic(out) as temporary:
        to_table(found, settings["outcomes"]).write_csv(temporary)
    print(f"{len(found)} files, {sum(row['reason'] is None for row in found)} scored", flush=True)


if __name__ == "__main__":
    run(main)
