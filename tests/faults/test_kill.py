"""A run killed in any stage, of its scheduler or of its job, ends in the tables of an unbroken run, bit for bit."""

import contextlib
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import psutil
import pytest

from ecgwas.tables import MEASURED

pytestmark = pytest.mark.workflow

# Each stage with a file it makes: asking for that file runs the stage and what comes before it.
STAGES = {
    "simulate": "simulated/demo-tiny/truth.json",
    "ingest": "cohorts/demo-tiny/ecg/recordings.parquet",
    "pretrain": "models/tiny/checkpoint.pt",
    "embed": "cohorts/demo-tiny/embeddings/tiny.parquet",
    "genotypes": "cohorts/demo-tiny/genotypes/samples.parquet",
    "phenotypes": "cohorts/demo-tiny/phenotypes/tiny/traits.parquet",
    "gwas": "cohorts/demo-tiny/gwas/tiny/loci.parquet",
    "finemap": "cohorts/demo-tiny/finemap/tiny/credible_sets.parquet",
    "study": "report/index.html",  # the step that makes the page
}
# Logs and timings differ from run to run; Hail's table holds ids of its own.
NOT_RESULTS = {"logs", "benchmarks", ".snakemake", ".run", "pruned.mt", "tmp", "resume"}


# The same people with windows of half a recording, as far as their embeddings.
LONG = ["--config", "study=tiny-long", "models=[pca]", "report={model: pca, title: Long}"]
LONG += ["ingest={shards: 2, seconds: 5, doublings: 1}", "--"]
LONG_TARGET = "cohorts/demo-tiny/embeddings/pca.windows.parquet"


def start(project: Path, *targets: str) -> subprocess.Popen:
    command = [sys.executable, "workflow/run.py", "config/tiny.yaml", "--retries", "0"]  # a killed job ends the run
    return subprocess.Popen(
        [*command, *targets], cwd=project, start_new_session=True, stderr=subprocess.PIPE, text=True
    )


def finish(run: subprocess.Popen) -> None:
    _, errors = run.communicate(timeout=1200)
    assert run.returncode == 0, errors[-3000:]


def job_of(stage: str, run: subprocess.Popen) -> psutil.Process:
    """The stage's Python process among the run's own, as soon as there is one; orphans of other runs do not count."""
    while run.poll() is None:
        for process in psutil.Process(run.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                words = process.cmdline()
                if words[1:4] == ["-m", "ecgwas", stage]:
                    return process
        time.sleep(0.01)
    raise AssertionError(f"no job of stage {stage} was seen: {run.stderr.read()[-3000:]}")


def results(folder: Path) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file() and not NOT_RESULTS & set(p.relative_to(folder).parts))
    return {str(p.relative_to(folder)): contents(p) for p in files if not p.name.endswith(".owner")}


def contents(path: Path) -> bytes:
    """Bytes of a file; of a training history without what a clock measured."""
    if path.name != "history.parquet":
        return path.read_bytes()
    return pl.read_parquet(path).drop(list(MEASURED)).write_csv().encode()


def kill_scheduler(run: subprocess.Popen) -> None:
    """SIGKILL Snakemake, whose place the runner gave up; the job is left alive, an orphan."""
    assert "snakemake" in psutil.Process(run.pid).cmdline()
    run.kill()
    run.wait()


def kill_job(run: subprocess.Popen, job: psutil.Process) -> None:
    job.send_signal(signal.SIGKILL)
    run.communicate(timeout=600)
    assert run.returncode != 0, "the run went on as if its job had ended well"


def kill_twice(project: Path, stage: str, *targets: str) -> None:
    """Start the run and kill its scheduler in this stage; then again, and kill the stage's job."""
    for victim in ("scheduler", "job"):
        run = start(project, *targets)
        job = job_of(stage, run)
        time.sleep(0.3)
        if victim == "scheduler":
            kill_scheduler(run)
        else:
            kill_job(run, job)


def test_killed_in_each_stage(project, tiny, tiny_in_place):
    folder = tiny_in_place
    shutil.rmtree(folder)
    for stage, target in STAGES.items():
        kill_twice(project, stage, target)
    finish(start(project))

    expected, found = results(tiny), results(folder)
    assert sorted(found) == sorted(expected)
    assert [name for name in expected if expected[name] != found[name]] == []


def test_killed_while_windows_of_long_recordings_are_written(project):
    folder = project / "results" / "tiny-long"
    shutil.rmtree(folder, ignore_errors=True)
    finish(start(project, *LONG, LONG_TARGET))
    expected = results(folder)
    assert sum(name.endswith(("beat-2x.npy", "rr-2x.npy")) for name in expected) == 4
    for name in expected:
        if name.startswith("cohorts/"):
            (folder / name).unlink()
    for stage in ("ingest", "embed"):
        kill_twice(project, stage, *LONG, LONG_TARGET)
    finish(start(project, *LONG, LONG_TARGET))
    found = results(folder)
    assert sorted(found) == sorted(expected)
    assert [name for name in expected if expected[name] != found[name]] == []
