"""Fixtures every test may use."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's folder."""
    return PROJECT


@pytest.fixture(scope="session")
def realdata() -> Path:
    """Folder of the public real data; tests that ask for it skip where it is absent."""
    folder = Path(os.environ.get("ECGWAS_REALDATA", PROJECT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}; set ECGWAS_REALDATA to the folder that holds it")
    return folder


def run_study(config: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a study as a user does, with the runner of the project; its output is captured."""
    command = [sys.executable, "workflow/run.py", config, *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


def run_plainly(config: str) -> subprocess.CompletedProcess[str]:
    """Run a study by Snakemake alone: `snakemake --cores 2 --configfile config/tiny.yaml`."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", config]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


@contextlib.contextmanager
def owned(study: str) -> Iterator[None]:
    """Nobody else among the processes of the tests works in results/{study} meanwhile."""
    held = PROJECT / "results" / ".tests" / study
    held.parent.mkdir(parents=True, exist_ok=True)
    with held.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """A copy of the results of the tiny study, run whole and from nothing in results/tiny, once for all processes.

    By Snakemake itself, without a profile: `tiny_in_place` then runs it with one, and finds nothing to do.
    """
    base = tmp_path_factory.getbasetemp()
    copy = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "tiny-unbroken"
    with owned("tiny"):
        if not copy.exists():
            shutil.rmtree(PROJECT / "results" / "tiny", ignore_errors=True)
            finished = run_plainly("config/tiny.yaml")
            assert finished.returncode == 0, finished.stderr[-5000:]
            shutil.copytree(PROJECT / "results" / "tiny", copy.with_suffix(".part"))
            copy.with_suffix(".part").rename(copy)
    return copy


@pytest.fixture(scope="module")
def tiny_in_place(tiny) -> Iterator[Path]:
    """results/tiny, whole, for one file of tests alone until it is done."""
    with owned("tiny"):
        finished = run_study("config/tiny.yaml")
        assert finished.returncode == 0, finished.stderr[-5000:]
        yield PROJECT / "results" / "tiny"
