"""The command `ecgwas`: every step is listed, help imports nothing heavy, a wrong word is answered by the right."""

import ast
import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
from tests.contract.test_help import SRC, steps

from ecgwas import __main__ as ecgwas
from ecgwas import runner
from ecgwas.errors import UserError

LISTED = [module for named in ecgwas.STAGES.values() for module in named.values()]
HEAVY = ("torch", "polars", "hail", "pyspark", "numpy", "scipy", "pydantic", "jsonargparse", "yaml", "snakemake")


def ecgwas_command(*words, cwd=None, flags=()):
    command = [sys.executable, *flags, "-m", "ecgwas", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_every_step_is_listed_once():
    verbs = [ecgwas.CHECK, ecgwas.WITHDRAWN, *ecgwas.OF_MODEL.values()]
    assert sorted([*LISTED, *verbs]) == steps()


def test_no_verb_is_called_as_a_stage():
    assert not {*ecgwas.OF_STUDY, *ecgwas.OF_MODEL} & set(ecgwas.STAGES)
    assert not set(ecgwas.OF_STUDY) & set(ecgwas.OF_MODEL)
    assert set(ecgwas.OF_MODEL) == set(ecgwas.OF_MODEL_HELP)


@pytest.mark.parametrize("module", LISTED)
def test_the_line_of_a_step_is_the_first_of_its_docstring(module):
    docstring = ast.get_docstring(ast.parse(SRC.joinpath(*module.split(".")).with_suffix(".py").read_text()))
    assert ecgwas.first_line(module) == docstring.splitlines()[0]
    assert ecgwas.first_line(module) in ecgwas.overview()


def test_the_console_command_is_the_same_entry_point(project, capsys):
    """What pip makes of `project.scripts`, and `python -m ecgwas`."""
    entry = tomllib.loads((project / "pyproject.toml").read_text())["project"]["scripts"]["ecgwas"]
    module, _, name = entry.partition(":")
    getattr(importlib.import_module(module), name)(["--help"])
    assert capsys.readouterr().out == ecgwas_command().stdout == ecgwas_command("--help").stdout


@pytest.mark.parametrize("words", [(), ("--help",), ("gwas",), ("gwas", "--help"), ("--version",)])
def test_help_imports_nothing_heavy(words):
    imported = ecgwas_command(*words, flags=["-X", "importtime"])
    assert imported.returncode == 0, imported.stderr[-2000:]
    names = {line.rpartition("|")[2].strip().split(".")[0] for line in imported.stderr.splitlines()}
    assert "ecgwas" in names
    assert not names & set(HEAVY)


def test_help_comes_at_once():
    """Its own CPU time, so that a machine that is busy fails nothing."""
    before = os.times()
    ecgwas_command("--help")
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    assert used <= 0.3


def test_a_step_is_run_by_its_name(tmp_path, project):
    done = ecgwas_command("gwas", "check-ssf", "--file", str(tmp_path / "no.tsv"))
    old = [sys.executable, "-m", "ecgwas.gwas.export.validate_ssf", "--file", str(tmp_path / "no.tsv")]
    old = subprocess.run(old, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (old.returncode, old.stdout, old.stderr)
    assert done.returncode == 1
    assert re.fullmatch(r"error: .*no\.tsv.*\n", done.stderr)
    shown = ecgwas_command("gwas", "check-ssf", "--help")
    assert shown.stdout.startswith("usage: ecgwas gwas check-ssf ")


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["gwass", "loci"], "there is no command 'gwass'; did you mean gwas?"),
        (["gwas", "locy"], "there is no step of gwas 'locy'; did you mean loci?"),
        (["traits"], "there is no command 'traits'; it is a step of a stage: ecgwas phenotypes traits"),
        (["xyzzy"], "there is no command 'xyzzy'; there are: run, check,"),
        (["check", "tyny"], "tyny: no such study file; did you mean config/tiny.yaml?"),
        (["run", "config/dmo.yaml"], "config/dmo.yaml: no such study file; did you mean config/demo.yaml?"),
        (
            ["plan", "tiny", "--profile", "lokal"],
            "--profile lokal: no such folder, here or in workflow/profiles, which has",
        ),
        (["report", "tiny", "--project", "nowhere"], "nowhere: no project of ecgwas"),
    ],
)
def test_a_wrong_word_is_answered_in_one_line(words, answer):
    refused = ecgwas_command(*words)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"error: {answer}")
    assert refused.stderr.count("\n") == 1


def test_without_a_project_it_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "SOURCE", tmp_path)
    with pytest.raises(UserError, match=r"no project of ecgwas, .* name it with --project DIR"):
        runner.project()


def test_the_project_is_that_of_the_folder_or_the_one_given(project, tmp_path, monkeypatch):
    other = tmp_path / "other"
    (other / "workflow/profiles").mkdir(parents=True)
    shutil.copy(project / "Snakefile", other)
    monkeypatch.chdir(other / "workflow")
    assert runner.project() == other
    assert runner.project(project) == project


def study_of(tmp_path, project, **keys):
    """A project with one cohort of a user's, whose tables are there."""
    import yaml

    for name in ("Snakefile", "workflow"):
        (tmp_path / name).symlink_to(project / name)
    shutil.copytree(project / "config", tmp_path / "config")
    (tmp_path / "people.csv").write_text("person_id,sex,age\np1,F,50\np2,M,61\n")
    (tmp_path / "g.vcf.gz").write_bytes(b"")
    (tmp_path / "ecg").mkdir()
    cohort = {"cohort": "mine", "ecg": {"format": "wfdb", "path": "ecg"}, "people": "people.csv"}
    cohort["genotypes"] = {"format": "vcf", "paths": ["g.vcf.gz"], "build": "GRCh37"}
    (tmp_path / "config/cohorts/mine.yaml").write_text(yaml.safe_dump(cohort))
    study = {"study": "mine", "cohorts": ["mine"], "models": ["intervals"]}
    (tmp_path / "config/mine.yaml").write_text(yaml.safe_dump(study | keys))


@pytest.mark.parametrize(
    ("keys", "status", "words"),
    [
        ({"phenotypes": {"covariates": ["sex", "age"]}}, 0, "cohort mine: 2 people; covariates sex, age"),
        ({"phenotypes": {"covariates": ["sex", "agee"]}}, 1, "agee"),
        ({"phenotypes": {"covariatse": []}}, 1, "did you mean 'covariates'"),
    ],
)
def test_check_reads_configuration_and_covariates(tmp_path, project, keys, status, words):
    study_of(tmp_path, project, **keys)
    done = ecgwas_command("check", "mine", cwd=tmp_path)
    assert done.returncode == status, done.stderr
    assert words in (done.stderr if status else done.stdout)
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()


def test_the_jobs_of_a_dry_run_are_counted():
    said = "Building DAG of jobs...\nJob stats:\njob      count\n-----  -------\n"
    said += "loci         3\nall          1\ntotal        4\n\n"
    assert runner.counts(said) == {"loci": 3, "total": 3}
    assert runner.counts("Nothing to be done.") == {}
