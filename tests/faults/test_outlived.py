"""A job that outlives a killed run writes nothing over a later run's results; a live run is left alone."""

import signal
import subprocess
import sys
import time

import psutil
import pytest
from tests.faults.one_step import Project

pytestmark = pytest.mark.workflow


@pytest.fixture
def mine(tmp_path, project):
    made = Project(tmp_path, project)
    yield made
    for text in ("old", "new"):
        made.go(text)  # whatever still waits ends
    for run in made.started:
        run.kill()
        run.communicate()


def leftovers(mine) -> list[str]:
    return [path.name for path in (mine.study / "deep").iterdir() if path.name != "table"]


@pytest.mark.parametrize("by", ["run", "snakemake"])
def test_a_job_that_outlives_its_run_writes_nothing_once_the_next_has_ended(mine, by):
    mine.killed(by, "old")
    assert (mine.study / ".snakemake/locks").exists(), "Snakemake's own lock was not left behind: nothing to clear"
    mine.go("new")
    assert mine.run(by, "new").startswith("0\n")
    assert mine.table == "new"
    assert leftovers(mine) == []
    mine.go("old")
    mine.wait("../ended-mine")  # by the new step, perhaps: the old one has some time to write
    time.sleep(2)
    assert mine.table == "new"
    assert leftovers(mine) == []


def test_a_job_that_ends_while_the_next_run_works_writes_nothing_either(mine):
    mine.killed("run", "old")
    run = mine.start("snakemake", "new")
    mine.wait("writing-new", run)
    mine.go("old")
    mine.wait("../ended-mine")
    assert not (mine.study / "deep/table").exists()
    mine.go("new")
    run.communicate(timeout=300)
    assert run.returncode == 0
    assert mine.table == "new"


@pytest.mark.parametrize("by", ["run", "snakemake"])
def test_a_live_run_is_left_alone(mine, by):
    first = mine.start("snakemake", "old")
    mine.wait("writing-old", first)
    locks = sorted((mine.study / ".snakemake/locks").iterdir())
    said = mine.run(by, "new")
    assert said.startswith("1\n")
    assert f"study 'mine' is being run by another process (process {first.pid} on " in said
    assert "Traceback" not in said
    assert mine.run("snakemake", "new", "--unlock").startswith("1\n")
    assert sorted((mine.study / ".snakemake/locks").iterdir()) == locks
    assert mine.run("snakemake", "new", "--dry-run").startswith("0\n"), "planning needs no lock"
    assert mine.run("snakemake", "new", "--summary").startswith("0\n")
    mine.go("old")
    first.communicate(timeout=300)
    assert first.returncode == 0, "the live run lost its study"
    assert mine.table == "old"


@pytest.mark.parametrize("asked", [["--dry-run"], ["--lint"], ["--unlock"]])
def test_what_runs_nothing_takes_no_study(mine, asked):
    mine.run("snakemake", "new", *asked)
    assert not (mine.study / ".run").exists()


def test_a_step_by_hand_does_not_write_into_a_live_run(mine, monkeypatch):
    monkeypatch.delenv("ECGWAS_RUN", raising=False)
    run = mine.start("run", "old")
    mine.wait("writing-old", run)
    by_hand = [sys.executable, mine.folder / "step.py", "--out", "deep/table", "--text", "new"]
    mine.go("new")
    refused = subprocess.run(by_hand, cwd=mine.study, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: deep/table: nothing was written: the study is being run")
    mine.go("old")
    run.communicate(timeout=300)
    assert run.returncode == 0
    assert mine.table == "old"
    assert subprocess.run(by_hand, cwd=mine.study, check=False).returncode == 0
    assert mine.table == "new"


def test_a_terminated_run_can_be_continued(mine):
    """SIGTERM, as `timeout`, systemd and batch systems send it, to Snakemake and its step alike."""
    run = mine.start("run", "old")
    mine.wait("writing-old", run)
    steps = [p for p in psutil.Process(run.pid).children(recursive=True) if f"{mine.folder}/step.py" in p.cmdline()]
    assert len(steps) == 1
    for process in (*steps, run):
        process.send_signal(signal.SIGTERM)
    run.communicate(timeout=300)
    assert run.returncode != 0
    assert [name for name in leftovers(mine) if not name.endswith(".owner")] == []
    mine.go("new")
    assert mine.run("run", "new").startswith("0\n")
    assert mine.table == "new"


def remote(mine, run_id: str, monkeypatch) -> subprocess.CompletedProcess:
    """A job as a cluster starts it: Snakemake in the mode of a remote job, with the run's id in the environment."""
    monkeypatch.setenv("ECGWAS_RUN", run_id)
    command = [sys.executable, "-m", "snakemake", "--configfile", "config.yaml", "--config", "text=old", "--cores", "1"]
    command += ["--target-jobs", "step:", "--allowed-rules", "step", "--mode", "remote", "--nolock", "--force"]
    command += ["--ignore-incomplete", "--no-hooks", "deep/table"]
    return subprocess.run(command, cwd=mine.folder, capture_output=True, text=True, check=False)


def test_a_job_that_waited_in_the_queue_of_a_cluster_removes_nothing(mine, monkeypatch):
    """Snakemake on a cluster removes a job's earlier output before it starts: not that of a later run."""
    mine.go("new")
    assert mine.run("run", "new").startswith("0\n")
    current = (mine.study / ".run/id").read_text()
    mine.go("old")
    late = remote(mine, "f" * 32, monkeypatch)
    assert late.returncode != 0
    assert "study 'mine': the run that started this job is over" in late.stderr
    assert mine.table == "new"
    assert remote(mine, current, monkeypatch).returncode == 0, "a job of the study's run is refused"
    assert mine.table == "old"
