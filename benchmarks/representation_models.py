"""Cohorts and recipes -> trained, untrained and baseline models, and their embeddings, kept in the work folder."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pydantic
import yaml
from benchmarks.representation_data import INGEST, RECORDINGS, files_of

from ecgwas import config
from ecgwas.embed import embed
from ecgwas.errors import UserError

SOURCE = Path(embed.__file__).parents[1]


def recipe(path: Path, **changed: int) -> config.Transformer:
    """The recipe of a file of config/models, with some keys changed."""
    settings = pydantic.TypeAdapter(config.Model).validate_python(yaml.safe_load(path.read_text()) | changed)
    if not isinstance(settings, config.Transformer):
        raise UserError(f"--model {path}: kind {settings.kind} is not pretrained; give a recipe of kind transformer")
    return settings


def code(*stages: str) -> str:
    """Hash of the code of some stages."""
    paths = sorted(path for stage in stages for path in (SOURCE / stage).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:8]


def folder_of(work: Path, name: str, settings: config.Transformer | config.Pca, cohorts: list[Path], seed: int) -> Path:
    """Where a model is kept: its name, and a hash of recipe, cohorts and their recordings."""
    what = [settings.model_dump_json(), INGEST.model_dump_json(), [c.name for c in cohorts]]
    what += [pl.read_parquet(c / RECORDINGS, columns=["recording_id"]).height for c in cohorts]
    digest = hashlib.sha256(json.dumps(what).encode()).hexdigest()[:8]
    return work / "models" / f"{name}-{digest}-seed{seed}"


def trained(
    work: Path,
    name: str,
    settings: config.Transformer | config.Pca,
    cohorts: list[Path],
    seed: int,
    threads: int,
) -> Path:
    """Checkpoint of a recipe on some cohorts, by the pipeline's command; one that is there already is taken.

    Where the code has changed since, that is said, and models that cost nothing are made again.
    """
    folder = folder_of(work, name, settings, cohorts, seed)
    checkpoint, log = folder / "checkpoint.pt", folder / "train.log"
    if checkpoint.exists():
        if (folder / "code").read_text() == code("pretrain"):
            return checkpoint
        if isinstance(settings, config.Transformer) and settings.steps:
            print(f"{folder.name}: trained by other code; delete {folder} to train it again", flush=True)
            return checkpoint
    folder.mkdir(parents=True, exist_ok=True)
    step = "pca" if isinstance(settings, config.Pca) else "train"
    flags = {flag: json.dumps([str(path) for path in paths]) for flag, paths in files_of(cohorts).items()}
    flags |= {"settings": settings.model_dump_json(), "ingest": INGEST.model_dump_json(), "checkpoint": checkpoint}
    flags |= {"seed": seed, "threads": threads}
    if step == "train":
        flags |= {"history": folder / "history.parquet", "resume": folder / "resume"}
    command = [sys.executable, "-m", f"ecgwas.pretrain.{step}"]
    command += [text for flag, value in flags.items() for text in (f"--{flag}", str(value))]
    began = time.monotonic()
    with open(log, "a") as output:
        environment = os.environ | {"OMP_WAIT_POLICY": "passive"}
        ended = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, env=environment, check=False)
    if ended.returncode:
        raise UserError(f"{' '.join(command[:3])} failed; see {log}")
    (folder / "code").write_text(code("pretrain"))
    print(f"{folder.name}: {time.monotonic() - began:.0f} s", flush=True)
    return checkpoint


def embeddings(checkpoint: Path, cohort: Path, threads: int) -> np.ndarray:
    """Embeddings [n, width] of a cohort in the order of its table; NaN where a recording cannot be embedded."""
    path = checkpoint.parent / f"{cohort.name}-{code('pretrain', 'embed')}.parquet"
    if not path.exists():
        inputs = files_of([cohort])
        inputs["recordings"] = inputs["recordings"][0]
        with open(checkpoint.parent / "embed.log", "a") as log, contextlib.redirect_stdout(log):
            embed.main(checkpoint, **inputs, embeddings=path, threads=threads)
    table = pl.read_parquet(cohort / RECORDINGS, columns=["recording_id"])
    found = table.join(pl.read_parquet(path), on="recording_id", how="left", maintain_order="left")
    return found.select("^e\\d+$").to_numpy().astype(float)
