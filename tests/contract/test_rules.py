"""Rules carry their own defaults, so that the workflow runs without a profile."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from tests.conftest import PROJECT

from ecgwas.memory import coefficients

RULES = sorted((PROJECT / "workflow/rules").glob("*.smk"))


def rules():
    """Name and text of every rule that runs a command."""
    for file in RULES:
        for text in re.split(r"\n(?=(?:rule|checkpoint) \w+:)", file.read_text())[1:]:
            if "    shell:" in text:
                yield pytest.param(text.split(":")[0].split()[1], text, id=text.split(":")[0].split()[1])


@pytest.mark.parametrize(("name", "text"), list(rules()))
def test_a_rule_has_the_shape_of_all(name, text):
    for part in ("output", "log", "benchmark", "conda", "resources"):
        assert f"\n    {part}:\n" in text, f"{name} has no {part}"
    shell = text[text.index("    shell:") :]
    assert not re.search(r'^\s+f"', shell, re.M), f"{name}: a shell command is no f-string"
    bare = re.findall(r"\{(?:input|output|log|wildcards)\b[^}:]*\}", shell)
    assert not bare, f"{name}: write {bare[0][:-1]}:q}}, so that the shell sees one word"
    assert ("seed=" in text) == ("{params.seed:q}" in shell), f"{name}: a seed is a parameter of rules that use one"
    assert re.search(rf'\n        mem_mb=memory\("{name}"\),', text), f'{name}: add mem_mb=memory("{name}")'


def test_rules_are_written_without_lambda():
    assert [file.name for file in RULES if "lambda" in file.read_text()] == []
    assert len((PROJECT / "workflow/rules/common.smk").read_text().splitlines()) < 100


def test_every_rule_has_coefficients_of_memory():
    assert set(coefficients(PROJECT / "workflow/resources.yaml")) == {param.values[0] for param in rules()}


@pytest.mark.parametrize(
    "file", sorted((PROJECT / "workflow/profiles").glob("*/config.yaml")), ids=lambda f: f.parent.name
)
def test_a_profile_retries_with_more_memory(file):
    """`mem_mb` of a profile's set-resources would replace the rule's for every attempt."""
    profile = yaml.safe_load(file.read_text())
    assert profile["retries"] == 2
    assert "mem_mb" not in str(profile.get("set-resources", ""))


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


def test_a_plan_counts_the_jobs_of_each_rule(project):
    study = f"dry-plan-{os.getpid()}"
    command = [sys.executable, "-m", "ecgwas", "plan", "tiny", "--config", f"study={study}"]
    try:
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        wrong = subprocess.run([*command, "models=[tyny]"], cwd=project, capture_output=True, text=True, check=False)
    finally:
        shutil.rmtree(project / "results" / study, ignore_errors=True)
    assert done.returncode == 0, done.stderr[-2000:]
    jobs = {rule: int(number) for rule, number in (line.split() for line in done.stdout.splitlines())}
    assert jobs["loci"] == 3
    assert jobs["genotypes"] == 1
    assert jobs["total"] == sum(number for rule, number in jobs.items() if rule != "total")
    assert wrong.returncode == 1
    assert re.match(r"error: models: 'tyny' has no file .*; did you mean 'tiny'\?", wrong.stderr)
