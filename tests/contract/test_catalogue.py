"""The catalogue of files, the rules and the report agree: by the plan of a run, not by the text of rules."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from tests.contract.catalogue import entries_of

from ecgwas import tables

OVERRIDES = [
    "predict={outcomes: {mi: {column: mi}, later: {codes: ['I48*'], kind: incident}}, methods: [probe]}",
    "interpret={methods: [probe]}",
    "release={licence: CC-BY-4.0}",
    "exports={formats: [regenie]}",
    "phenotypes={relatives: keep}",
    "ingest={doublings: 1}",
]


@pytest.fixture(scope="module")
def plan(project: Path) -> dict[str, dict[str, set[str]]]:
    """Rule -> inputs and outputs of its jobs, in a study that makes every kind of result."""
    study = f"plan-{os.getpid()}"
    command = [sys.executable, "-m", "snakemake", "-n", "--configfile", "config/tiny.yaml"]
    command += ["--config", f"study={study}", *OVERRIDES]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    shutil.rmtree(project / "results" / study, ignore_errors=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    jobs: dict[str, dict[str, set[str]]] = defaultdict(lambda: {"input": set(), "output": set()})
    rule = ""
    for line in (done.stdout + done.stderr).splitlines():
        if started := re.match(r"(?:local)?rule (\w+):", line):
            rule = started[1]
        elif (files := re.match(r"    (input|output): (.*)", line)) and rule:
            jobs[rule][files[1]] |= set(files[2].split(", "))
    return jobs


def test_every_output_of_a_rule_has_an_entry(plan) -> None:
    outputs = {path for files in plan.values() for path in files["output"]}
    assert outputs
    assert {path for path in outputs if not entries_of(path)} == set()


def test_every_entry_is_the_output_of_a_rule(plan) -> None:
    made = {name for files in plan.values() for path in files["output"] for name in entries_of(path)}
    assert set(tables.entries()) - made == set()


def test_every_input_is_an_output_or_a_file_of_the_user(plan) -> None:
    outputs = {path for files in plan.values() for path in files["output"]}
    inputs = {path for files in plan.values() for path in files["input"]}
    ours = {path for path in inputs if entries_of(path)}
    assert ours
    assert ours <= outputs


def read_by(folder: Path) -> set[str]:
    """Names of the entries that the modules of a folder name."""
    trees = [ast.parse(path.read_text()) for path in folder.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    return {n.attr for n in nodes if isinstance(n.value, ast.Name) and n.value.id == "tables" and n.attr.isupper()}


def test_the_page_is_made_from_every_table_that_the_report_reads(plan, project: Path) -> None:
    given = {name for path in plan["page"]["input"] for name in entries_of(path)}
    read = read_by(project / "src/ecgwas/report")
    assert {"LOCI", "PREDICT_PERFORMANCE", "HISTORY"} <= read
    assert read - given == set()
