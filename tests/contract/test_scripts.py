"""Every name that a benchmark takes from the package is there: scripts outlive the modules they call."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

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
