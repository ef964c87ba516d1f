"""Recordings that change between runs, or of which nothing is left, through the workflow's ingest alone."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import wfdb
from tests.conftest import PROJECT

from ecgwas.config import LEADS
from ecgwas.simulate.ecg import PARAMETERS, simulate_recordings

pytestmark = pytest.mark.workflow
TARGET = "cohorts/own/ecg/recordings.parquet"


def write_record(folder: Path, name: str, counts: np.ndarray) -> None:
    """One WFDB record of [12, sample] microvolts."""
    signal = {"fs": 500, "units": ["mV"] * 12, "sig_name": list(LEADS), "d_signal": counts.T.astype(np.int64)}
    wfdb.wrsamp(name, **signal, fmt=["16"] * 12, adc_gain=[1000.0] * 12, baseline=[0] * 12, write_dir=str(folder))


@pytest.fixture
def counts() -> np.ndarray:
    """[4, 12, 5000] microvolts of sinus rhythm."""
    rng = np.random.default_rng(3)
    parameters = {name: np.clip(rng.normal(p.mean, p.sd, 4), p.low, p.high) for name, p in PARAMETERS.items()}
    return simulate_recordings(parameters, np.array(["sinus"] * 4), rng, 500)


@pytest.fixture
def checkout(tmp_path: Path, counts: np.ndarray) -> Path:
    """A copy of the project with a cohort of three recordings in `ecg` beside it, without genotypes."""
    ecg, copy = tmp_path / "ecg", tmp_path / "project"
    ecg.mkdir()
    for k, name in enumerate(("a_0", "b_0", "c_0")):
        write_record(ecg, name, counts[k])
    for name in ("src", "workflow", "config", "envs"):
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "Snakefile", copy)
    (copy / "config/cohorts/own.yaml").write_text(f"cohort: own\necg: {{format: wfdb, path: {ecg}}}\n")
    (copy / "config/own.yaml").write_text("study: own\ncohorts: [own]\nmodels: [intervals]\ningest: {shards: 2}\n")
    return copy


def run(checkout: Path, *arguments: str, target: str = TARGET) -> subprocess.CompletedProcess[str]:
    """Snakemake as a user starts it, for the recordings of the cohort."""
    command = [sys.executable, "-m", "snakemake", "--configfile", "config/own.yaml", "--cores", "1", target]
    environment = os.environ | {"PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        [*command, *arguments], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )


def hashes(checkout: Path) -> dict[str, str]:
    found = pl.read_parquet(checkout / "results/own/cohorts/own/ecg/quality.parquet")
    return dict(found.select("recording_id", "sample_hash").iter_rows())


def in_place(path: Path, write: Callable[[], None]) -> None:
    """`write` replaces a file of the same name and size; the folder's own time stays what it was."""
    folder = path.parent.stat()
    write()
    os.utime(path.parent, ns=(folder.st_atime_ns, folder.st_mtime_ns))


def test_a_recording_replaced_in_place_is_ingested_again(checkout: Path, counts: np.ndarray) -> None:
    first = run(checkout)
    assert first.returncode == 0, first.stderr[-3000:]
    before = hashes(checkout)
    again = run(checkout)
    assert "Nothing to be done" in again.stderr, again.stderr[-3000:]

    ecg = checkout.parent / "ecg"
    size = (ecg / "b_0.dat").stat().st_size
    in_place(ecg / "b_0.dat", lambda: write_record(ecg, "b_0", counts[3]))
    assert (ecg / "b_0.dat").stat().st_size == size
    planned = run(checkout, "--dry-run")
    assert "ingest_shard" in planned.stdout, planned.stdout[-3000:] + planned.stderr[-3000:]
    replaced = run(checkout)
    assert replaced.returncode == 0, replaced.stderr[-3000:]
    after = hashes(checkout)
    assert {name for name in before if before[name] != after[name]} == {"b_0"}
    assert "Nothing to be done" in run(checkout).stderr


def test_reasons_survive_where_no_recording_is_left(checkout: Path, counts: np.ndarray) -> None:
    """One error that names the table, which is there; with a recording to keep both are gone."""
    ecg = checkout.parent / "ecg"
    for name in ("a_0", "b_0", "c_0"):
        write_record(ecg, name, np.tile(np.arange(12)[:, None] * 10, 5000))
    failed = run(checkout, "--show-failed-logs")
    kept = checkout / "results/own/cohorts/own/ecg/excluded.nothing-left.parquet"
    assert failed.returncode != 0
    assert (
        f"no recording is left: all 3 were excluded (3 flat_lead); each with its reason is in {kept}" in failed.stderr
    )
    assert pl.read_parquet(kept)["reason"].to_list() == ["flat_lead"] * 3
    assert not (kept.parent / "recordings.parquet").exists()
    write_record(ecg, "a_0", counts[0])
    mended = run(checkout)
    assert mended.returncode == 0, mended.stderr[-3000:]
    assert pl.read_parquet(kept.parent / "recordings.parquet").height == 1
    assert not kept.exists()
