"""The tiny study through a real Slurm of one node: `make slurm-test` where slurm-wlm and munge are installed."""

import os
import shutil
import subprocess
import time

import pytest
from tests.conftest import PROJECT, run_study
from tests.faults.one_step import Project

pytestmark = [pytest.mark.slurm, pytest.mark.workflow]


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A running one-node Slurm; SLURM_CONF points at it."""
    if not os.environ.get("ECGWAS_SLURM"):
        pytest.skip("set ECGWAS_SLURM=1 to start a one-node Slurm (Debian: apt-get install slurm-wlm munge; as root)")
    script = PROJECT / "tests/workflow/start_slurm.sh"
    started = subprocess.run([script, tmp_path], capture_output=True, text=True, check=False)
    assert started.returncode == 0, started.stderr
    monkeypatch.setenv("SLURM_CONF", started.stdout.strip())
    yield tmp_path
    subprocess.run([script, tmp_path, "stop"], check=True)


def test_the_tiny_study_runs_through_slurm(slurm):
    study = os.environ.get("ECGWAS_SLURM_STUDY", "config/tiny.yaml")
    folder = PROJECT / "results" / "slurm"
    shutil.rmtree(folder, ignore_errors=True)
    # Without accounts the executor has only squeue to ask how a job ended.
    cluster = ["--profile", "slurm", "--slurm-status-command", "squeue", "--slurm-no-account", "--latency-wait", "10"]
    finished = run_study(study, "--config", "study=slurm", *cluster, "--slurm-logdir", str(slurm / "logs"))
    (PROJECT / "results" / "slurm.log").write_text(finished.stderr)
    assert finished.returncode == 0, finished.stderr[-5000:]
    assert "submitted with SLURM jobid" in finished.stderr or "SLURM jobid" in finished.stderr
    assert (folder / "report/index.html").stat().st_size > 10_000


def test_a_job_of_the_cluster_that_outlives_its_run_writes_nothing_once_the_next_has_ended(slurm, tmp_path_factory):
    """Its Snakemake on the node, too, removes nothing and records nothing of the new run's results."""
    mine = Project(tmp_path_factory.mktemp("mine"), PROJECT)
    try:
        mine.killed("slurm", "old")
        mine.go("new")
        said = mine.run("slurm", "new")
        assert said.startswith("0\n"), said[-5000:]
        assert mine.table == "new"
        recorded = {p.name: p.read_bytes() for p in (mine.study / ".snakemake/metadata").iterdir() if p.is_file()}
        (mine.study.parent / "ended-mine").unlink()
        mine.go("old")
        mine.wait("../ended-mine")
        empty = ["squeue", "--noheader", "--states", "RUNNING,COMPLETING,PENDING"]
        for _ in range(120):
            if not subprocess.run(empty, capture_output=True, text=True, check=True).stdout.strip():
                break
            time.sleep(1)
        else:
            pytest.fail("the old job is still there")
        assert mine.table == "new"
        assert {p.name: p.read_bytes() for p in (mine.study / ".snakemake/metadata").iterdir()} == recorded
        assert mine.run("slurm", "new", "--dry-run").count("Nothing to be done") == 1
    finally:
        mine.go("old")
        for run in mine.started:
            run.kill()
