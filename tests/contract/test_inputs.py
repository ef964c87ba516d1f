"""Every file that a configuration names is an input of a rule, and stands quoted in its shell command."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import types
import typing
from pathlib import Path

import pydantic
import pytest
import yaml

from ecgwas import config

ODD = "a b'c (d) & $e"  # what a shell would take apart
COHORT = {
    "cohort": "all",
    "ecg": {"format": "wfdb", "path": "ecg/", "recordings": "recordings.csv"},
    "people": "people.csv",
    "id_bridge": "bridge.csv",
    "withdrawn": "withdrawn.txt",
    "labels": {"statements": "statements.csv", "diagnoses": "diagnoses.csv", "followup": "followup.csv"},
    "genotypes": {
        "format": "bgen",
        "paths": ["g.bgen"],
        "sample_file": "g.sample",
        "build": "GRCh37",
        "fasta": "ref.fa",
        "panel": {"paths": ["panel.bed"], "labels": "panel.txt"},
    },
}
SPIKE = {
    "cohort": "spike",
    "simulate": {
        "kind": "spike",
        "ecg": {"format": "wfdb", "path": "ecg2/", "recordings": "recordings2.csv"},
        "genotypes": COHORT["genotypes"] | {"paths": ["h.bgen"], "sample_file": "h.sample", "fasta": "r.fa"},
        "labels": "groups.csv",
    },
}
MODELS = {
    "net": {"kind": "transformer", "start": "start.pt"},
    "tab": {"kind": "table", "path": "values.csv"},
}
STUDY = {
    "study": "named",
    "cohorts": ["all", "spike"],
    "models": ["net", "tab"],
    "report": {"genes": "genes.tsv"},
    "predict": {"outcomes": {"af": {"codes": ["I48"]}}},
}
TABLE = {"TableModel.path"}  # a pattern with {cohort}, so that it is text


def is_block(kind: object) -> bool:
    """Whether a type is a block of keys."""
    return isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)


def path_keys(block: type[pydantic.BaseModel]) -> set[str]:
    """Block.key of every path below a block of the configuration."""
    found = set()
    for key, field in block.model_fields.items():
        for kind in kinds(field.annotation):
            if kind is Path:
                found.add(f"{block.__name__}.{key}")
            elif is_block(kind):
                found |= path_keys(kind)
    return found


def kinds(annotation: object) -> list[object]:
    """The types that an annotation is made of."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType, list, dict, typing.Annotated):
        return [kind for part in typing.get_args(annotation) for kind in kinds(part)]
    return [annotation]


def keys_of(values: dict, block: type[pydantic.BaseModel]) -> set[str]:
    """Block.key of the keys of `values` that name files."""
    found = set()
    for key, value in values.items():
        field = block.model_fields[key]
        for kind in kinds(field.annotation):
            if kind is Path:
                found.add(f"{block.__name__}.{key}")
            elif is_block(kind) and isinstance(value, dict) and set(value) <= set(kind.model_fields):
                found |= keys_of(value, kind)
    return found


def placed(values: object, folder: Path) -> object:
    """`values` with file names (with a suffix, or a last slash) under `folder`, where they are made."""
    if isinstance(values, dict):
        return {key: placed(value, folder) for key, value in values.items()}
    if isinstance(values, list):
        return [placed(value, folder) for value in values]
    if not isinstance(values, str) or not re.search(r"\.[a-z]+$|/$", values):
        return values
    path = folder / values
    if values.endswith("/"):
        path.mkdir(exist_ok=True)
    else:
        path.touch()
    if values.endswith(".fa"):
        Path(f"{path}.fai").touch()
    return str(path)


@pytest.fixture(scope="module")
def planned(project: Path, tmp_path_factory) -> tuple[str, Path]:
    """What Snakemake would do for a study that names a file at every key, in a folder with an odd name; the folder."""
    root = tmp_path_factory.mktemp("project")
    folder = root / ODD
    folder.mkdir()
    for name in ("Snakefile", "workflow", "src", "envs"):
        (root / name).symlink_to(project / name)
    shutil.copytree(project / "config/montages", root / "config/montages")
    blocks = {"cohorts/all": COHORT, "cohorts/spike": SPIKE, "study": STUDY}
    for name, values in (blocks | {f"models/{name}": model for name, model in MODELS.items()}).items():
        path = root / "config" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(yaml.safe_dump(placed(values, folder)))
    (folder / "g.fai").touch()
    command = [sys.executable, "-m", "snakemake", "-n", "-p", "--snakefile", str(root / "Snakefile")]
    command += ["--configfile", "config/study.yaml", "--cores", "1"]
    environment = os.environ | {"PYTHONPATH": str(project / "src")}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout, folder


def test_the_study_of_this_test_names_a_file_at_every_key_that_takes_one():
    wanted = path_keys(config.Cohort) | path_keys(config.Study) | path_keys(config.Transformer) | TABLE
    named = keys_of(COHORT, config.Cohort) | keys_of(SPIKE, config.Cohort) | keys_of(STUDY, config.Study)
    named |= keys_of(MODELS["net"], config.Transformer) | TABLE
    assert named == wanted


def test_every_file_is_an_input_of_a_rule(planned):
    printed, folder = planned
    inputs = "\n".join(re.findall(r"^    input: (.*)$", printed, re.MULTILINE))
    missing = [path.name for path in sorted(folder.iterdir()) if str(path) not in inputs and path.name != "g.fai"]
    assert missing == []


def test_every_file_stands_in_shell_commands_as_one_word(planned):
    printed, folder = planned
    commands = re.findall(r"^Shell command: (.*)$", printed, re.MULTILINE)
    assert sum(str(folder) in " ".join(shlex.split(command)) for command in commands) > 5
    for command in commands:
        words = shlex.split(command)
        for at in (k for k, word in enumerate(words) if str(folder.parent) in word):
            assert str(folder) in words[at], command
