"""Rules carry their own defaults, so that the workflow runs without a profile."""

import os
import re
import shutil
import subprocess
import sys

import pytest

REMEDY = "add `resources: mem_mb=2000,` (what the step needs on a cohort of a few thousand people)"


def test_each_rule_says_how_much_memory_it_needs(project):
    """Where no profile sets defaults, `{resources.mem_mb}` of a command would end the run before it starts."""
    for file in sorted((project / "workflow/rules").glob("*.smk")):
        for text in re.split(r"\n(?=(?:rule|checkpoint) \w+:)", file.read_text())[1:]:
            name = text.split(":")[0]
            if "    shell:" in text:
                assert re.search(r"\n    resources:\n(        .*\n)*?        mem_mb=", text), (
                    f"{file.name}, {name}: {REMEDY}"
                )


@pytest.fixture
def dry(project):
    """Runs `snakemake -n` of a study file without a profile, in a results folder that is removed afterwards."""
    studies = []

    def run(study, *arguments):
        studies.append(f"dry-{study}-{os.getpid()}")
        command = [sys.executable, "-m", "snakemake", "-n", "--configfile", f"config/{study}.yaml", *arguments]
        command += ["--config", f"study={studies[-1]}"]
        return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)

    yield run
    for name in studies:
        shutil.rmtree(project / "results" / name, ignore_errors=True)


def test_a_dry_run_needs_no_profile(dry):
    done = dry("tiny")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "rule genotypes:" in done.stdout + done.stderr
