"""`--help` of every step prints what its docstring says of each argument."""

import ast
import importlib
import re
from pathlib import Path

import docstring_parser
import pytest

from ecgwas import cli

SRC = Path(__file__).parents[2] / "src"


def steps() -> list[str]:
    """Modules that are commands: those that end in `run(main)`."""
    files = [file for file in sorted(SRC.rglob("*.py")) if re.search(r"^    run\(main\)$", file.read_text(), re.M)]
    return [".".join(file.relative_to(SRC).with_suffix("").parts) for file in files]


def main_of(module: str) -> ast.FunctionDef:
    tree = ast.parse(SRC.joinpath(*module.split(".")).with_suffix(".py").read_text())
    return next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main")


def bare(text: str) -> str:
    """Letters and digits alone: lines are broken anywhere."""
    return re.sub(r"\W+", "", text)


@pytest.mark.parametrize("module", steps())
def test_every_argument_of_a_step_is_described(module):
    main = main_of(module)
    described = {item.arg_name for item in docstring_parser.parse(ast.get_docstring(main)).params}
    assert {argument.arg for argument in main.args.args + main.args.kwonlyargs} <= described


@pytest.mark.parametrize(
    "module", ["ecgwas.docs", "ecgwas.ingest.shard", "ecgwas.predict.evaluate.evaluate", "ecgwas.gwas.loci"]
)
def test_help_prints_the_descriptions(module, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", [module, "--help"])
    with pytest.raises(SystemExit) as end:
        cli.run(importlib.import_module(module).main)
    assert end.value.code == 0
    shown, main = bare(capsys.readouterr().out), main_of(module)
    for item in docstring_parser.parse(ast.get_docstring(main)).params:
        assert bare(item.description) in shown, item.arg_name
