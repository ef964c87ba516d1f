"""A workflow of one step that waits until it is told to go on, run by the project's own run.py and run.smk."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

SNAKEFILE = """
include: "workflow/rules/run.smk"
workdir: f"{workflow.basedir}/results/mine"

rule all:
    default_target: True
    input:
        "deep/table",

rule step:
    output:
        "deep/table",
    log:
        "step.log",
    shell:
        "python {workflow.basedir}/step.py --out {output} --text {config[text]} > {log} 2>&1"
"""
STEP = """
import time
from pathlib import Path
from ecgwas import cli, files

def main(out: Path, text: str) -> None:
    with files.atomic(out) as temporary:
        temporary.write_text(text)
        Path(f"writing-{text}").touch()
        while not Path(f"go-{text}").exists():
            time.sleep(0.05)

if __name__ == "__main__":
    try:
        cli.run(main)
    finally:
        Path(f"../ended-{Path.cwd().name}").touch()
"""

RUNNER = ["workflow/run.py", "config.yaml"]
# Without accounts Slurm's executor has only squeue to ask how a job ended.
CLUSTER = ["--profile", "slurm", "--slurm-status-command", "squeue", "--slurm-no-account", "--latency-wait", "10"]
STARTED_BY = {
    "run": RUNNER,
    "snakemake": ["-m", "snakemake", "--configfile", "config.yaml", "--cores", "2", "--rerun-incomplete"],
    "slurm": [*RUNNER, *CLUSTER],
}


class Project:
    """A project of one step in a folder of its own."""

    def __init__(self, folder: Path, original: Path) -> None:
        self.folder, self.study, self.started = folder, folder / "results" / "mine", []
        profiles = [f"workflow/profiles/{name}/config.yaml" for name in ("local", "slurm")]
        for part in ("workflow/rules/run.smk", "workflow/run.py", *profiles):
            (folder / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(original / part, folder / part)
        (folder / "Snakefile").write_text(SNAKEFILE)
        (folder / "step.py").write_text(STEP)
        (folder / "config.yaml").write_text("text: none\n")

    def start(self, by: str, text: str, *more: str) -> subprocess.Popen:
        """Start a run: by the runner, by Snakemake itself, or by the runner on a cluster."""
        command = [sys.executable, *STARTED_BY[by], *more, "--config", f"text={text}"]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        run = subprocess.Popen(command, cwd=self.folder, start_new_session=True, **streams)
        self.started.append(run)
        return run

    def run(self, by: str, text: str, *more: str) -> str:
        """A run from start to end; what it said."""
        run = self.start(by, text, *more)
        output, errors = run.communicate(timeout=600)
        return f"{run.returncode}\n{errors}{output}"

    def killed(self, by: str, text: str) -> None:
        """A run whose Snakemake was killed while its step was writing; the step lives on."""
        run = self.start(by, text)
        self.wait(f"writing-{text}", run)
        run.kill()
        run.wait()

    def wait(self, name: str, run: subprocess.Popen | None = None) -> None:
        for _ in range(6000):
            if (self.study / name).exists():
                return
            if run is not None and run.poll() is not None:
                raise AssertionError(run.stderr.read())
            time.sleep(0.05)
        raise AssertionError(f"{name} did not come")

    def go(self, text: str) -> None:
        self.study.mkdir(parents=True, exist_ok=True)
        (self.study / f"go-{text}").touch()

    @property
    def table(self) -> str:
        return (self.study / "deep/table").read_text()
