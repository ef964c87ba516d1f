"""Every name that a benchmark takes from the package is there: scripts outlive the modules they call."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

from ecgwas.code import file_of

SCRIPTS = sorted((Path(__file__).parents[2] / "benchmarks").glob("*.py"))
OURS = ("ecgwas", "benchmarks")


def missing_names(text: str) -> list[str]:
    """What a script imports from our packages, or takes from a module or class it imported, that is not there."""
    tree, known, missing = ast.parse(text), {}, []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in OURS:
            module = importlib.import_module(node.module)
            for alias in node.names:
                try:
                    thing = getattr(module, alias.name, None) or importlib.import_module(f"{node.module}.{alias.name}")
                except ImportError:
                    missing.append(f"{node.module}.{alias.name}")
                else:
                    known[alias.asname or alias.name] = thing
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known:
            thing = known[node.value.id]
            if inspect.ismodule(thing) and not hasattr(thing, node.attr):
                missing.append(f"{thing.__name__}.{node.attr}, line {node.lineno}")
    return missing


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_benchmark_names_what_is_there(script: Path) -> None:
    assert missing_names(script.read_text()) == []


def test_a_name_that_has_moved_is_found() -> None:
    text = "from ecgwas import tables\nfrom ecgwas.cli import nothing\nprint(tables.no_such_table)\n"
    assert missing_names(text) == ["ecgwas.cli.nothing", "ecgwas.tables.no_such_table, line 3"]


PROJECT = Path(__file__).parents[2]
NAMING = [
    "src/**/*.py",
    "workflow/rules/*.smk",
    "docs/*.md",
    "docs/cohorts/*.md",
    "*.md",
    "config/**/*.yaml",
    "Makefile",
]


def said(path: Path) -> set[str]:
    """Dotted names of ours in a file's text: of Python files, in its strings alone (imports fail by themselves)."""
    text = path.read_text()
    if path.suffix == ".py":
        nodes = ast.walk(ast.parse(text))
        text = "\n".join(n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str))
    return set(re.findall(r"(?<![\w/.])ecgwas(?:\.[a-z_]\w*)+", text))


def is_there(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    for known in range(name.count(".") + 1, 0, -1):
        module, rest = name.split(".")[:known], name.split(".")[known:]
        if file_of(".".join(module)):
            return not rest or hasattr(importlib.import_module(".".join(module)), rest[0])
    return False


@pytest.mark.parametrize("pattern", NAMING)
def test_messages_and_documents_name_modules_that_are_there(pattern: str) -> None:
    absent = {
        f"{path.relative_to(PROJECT)}: {n}" for path in PROJECT.glob(pattern) for n in said(path) if not is_there(n)
    }
    assert {name for name in absent if not name.endswith((".yaml", ".egg"))} == set()
