"""Real recordings that planted effects are made of: one that is replaced in place makes the cohort anew."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

SPIKE = {
    "cohort": "spike",
    "simulate": {
        "kind": "spike",
        "ecg": {"format": "wfdb", "path": "ecg"},
        "genotypes": {"format": "plink", "paths": ["g.bed"], "build": "GRCh37"},
    },
}
STUDY = {"study": "replaced", "cohorts": ["spike"], "models": ["tab"]}
TABLE = {"kind": "table", "path": "values.csv"}
TRUTH = "simulated/spike/truth.json"
STEP = """import pathlib

def main(settings: dict, seed: int, folder: pathlib.Path):
    (folder / "ecg").mkdir(parents=True, exist_ok=True)
    for name in ("recordings.csv", "people.csv", "id_bridge.csv", "truth.json"):
        (folder / name).write_text("{}")
"""


@pytest.fixture
def snakemake(project: Path, tmp_path: Path):
    """Snakemake for a study of one such cohort, whose recordings lie in `ecg` below the folder of the test.

    The step that plants the effects is one that only writes its files: what is tested is when it runs.
    """
    for name in ("Snakefile", "workflow", "envs"):
        (tmp_path / name).symlink_to(project / name)
    shutil.copytree(project / "src", tmp_path / "src")
    (tmp_path / "src/ecgwas/simulate/spike.py").write_text(STEP)
    for name, values in {"cohorts/spike": SPIKE, "models/tab": TABLE, "study": STUDY}.items():
        path = tmp_path / "config" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(values))
    (tmp_path / "ecg").mkdir()
    for name in ("ecg/a.hea", "ecg/a.dat", "g.bed", "g.bim", "g.fam", "values.csv"):
        (tmp_path / name).touch()

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "snakemake", "--configfile", "config/study.yaml", "--cores", "1", *arguments]
        environment = os.environ | {"PYTHONPATH": str(tmp_path / "src")}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        return done.stdout + done.stderr

    return run


def test_a_replaced_recording_makes_the_planted_effects_anew(snakemake, tmp_path: Path):
    snakemake(TRUTH)
    assert "rule simulate_spike" not in snakemake("-n", TRUTH)
    about, folder = (tmp_path / "ecg/a.dat").stat(), (tmp_path / "ecg").stat()
    os.utime(tmp_path / "ecg/a.dat", ns=(about.st_atime_ns, about.st_mtime_ns + 10**9))
    os.utime(tmp_path / "ecg", ns=(folder.st_atime_ns, folder.st_mtime_ns))
    planned = snakemake("-n", TRUTH)
    assert "rule simulate_spike" in planned
    assert "Params have changed" in planned
