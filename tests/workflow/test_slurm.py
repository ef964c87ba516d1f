"""The tiny study through a real Slurm of one node: `make slurm-test` where slurm-wlm and munge are installed."""

import os
import shutil
import subprocess

import pytest
from tests.conftest import PROJECT, run_study

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
