"""The same pins for conda and for pip."""

import tomllib

import yaml


def pins(project):
    lines = (project / "envs/constraints.txt").read_text().splitlines()
    return {canonical(name): version for name, version in (line.split("==") for line in lines if "==" in line)}


def canonical(name):
    return name.strip().lower().replace("_", "-")


def test_conda_and_pip_have_the_same_pins(project):
    expected = pins(project)
    files = sorted((project / "envs").glob("*.yaml"))
    assert {file.stem for file in files} == {"torch", "hail", "stats"}
    for file in files:
        listed = next(
            item["pip"] for item in yaml.safe_load(file.read_text())["dependencies"] if isinstance(item, dict)
        )
        for requirement in listed:
            name, version = requirement.split("==")
            assert expected[canonical(name)] == version, f"{file.name}: {requirement}"


def test_every_dependency_is_pinned(project):
    declared = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    names = declared["dependencies"] + declared["optional-dependencies"]["dev"]
    assert {canonical(name) for name in names} <= set(pins(project))
