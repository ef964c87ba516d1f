"""No figure of rooms.py grows, no new import upward, no new circle; and the counting itself."""

import json
import shutil
from pathlib import Path

import pytest
from tests.contract import rooms, rule_text, sizes
from tests.contract.names import Target, Tree

# Libraries that cost seconds of a job's start -> rooms that compute with them.
IMPORTERS = {
    "torch": {"embed", "gwas", "interpret", "predict", "pretrain", "encoder", "checkpoints", "genotype_files"},
    "hail": {"genotypes", "gwas", "hail_session"},
}


@pytest.fixture(scope="module")
def figures(project) -> rooms.Figures:
    return rooms.Figures(project)


@pytest.fixture(scope="module")
def baseline() -> dict:
    return json.loads(rooms.BASELINE.read_text())


@pytest.mark.parametrize("figure", rooms.LIMITS)
def test_no_figure_grows(figure, figures, baseline):
    allowed = max(baseline["figures"][figure], rooms.LIMITS[figure])
    assert figures.values[figure] <= allowed, (
        f"`python tests/contract/rooms.py --show {figure}` lists them: {figures.items.get(figure)}"
    )


@pytest.mark.parametrize("figure", ["upward_imports", "circles_of_modules", "circles_of_rooms"])
def test_no_new_import_upward_and_no_new_circle(figure, figures, baseline):
    known = [set(item.split()) for item in baseline[figure]]
    assert [item for item in figures.items[figure] if not any(set(item.split()) <= each for each in known)] == []


@pytest.mark.parametrize("library", IMPORTERS)
def test_heavy_libraries_are_imported_where_they_compute(library, figures):
    found = {item.split(":")[0] for item in figures.items[f"modules_importing_{library}"]}
    assert found <= IMPORTERS[library]


def write(folder: Path, files: dict[str, str]) -> Tree:
    """A package `ecgwas` of these files."""
    for name, text in ({"__init__.py": ""} | files).items():
        path = folder / "src" / "ecgwas" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        for above in path.relative_to(folder / "src" / "ecgwas").parents:
            (folder / "src" / "ecgwas" / above / "__init__.py").touch()
    return Tree(folder / "src")


OTHER = {
    "gwas/tails.py": "LIMIT = 1\ndef from_t(): ...\ndef other(): ...\n",
    "gwas/loci.py": "def main(): ...\n",
    "embed/__init__.py": "from ecgwas.gwas.tails import from_t\nfrom ecgwas.gwas import tails\nfar = tails.other\n",
    "lazy/__init__.py": "NAMES = {'from_t': 'ecgwas.gwas.tails'}\ndef __getattr__(name): ...\n",
    "predict/pick.py": "import importlib as i\ndef chosen(name):\n    return i.import_module(f'ecgwas.gwas.{name}')\n",
}
FROM_T, LOCI = Target("ecgwas.gwas.tails", "from_t"), Target("ecgwas.gwas.loci")
WAYS = {
    "from": ("from ecgwas.gwas.tails import from_t as t\nx = t()\n", {FROM_T}),
    "import as": ("import ecgwas.gwas.tails as t\nx = t.from_t()\n", {FROM_T}),
    "dotted": ("import ecgwas.gwas.tails\nx = ecgwas.gwas.tails.from_t()\n", {FROM_T}),
    "module": ("from ecgwas.gwas import tails\nx = tails.from_t().real\n", {FROM_T}),
    "relative": ("from ..gwas import tails\nx = tails.from_t()\n", {FROM_T}),
    "re-export": ("from ecgwas.embed import from_t\nx = from_t()\n", {FROM_T}),
    "alias": ("from ecgwas import embed\nx = embed.far()\n", {Target("ecgwas.gwas.tails", "other")}),
    "lazy re-export": ("from ecgwas import lazy\nx = lazy.from_t\n", {FROM_T}),
    "in a function": ("def f():\n    from ecgwas.gwas.tails import from_t\n    return from_t()\n", {FROM_T}),
    "in a class": (
        "from ecgwas.gwas import tails\nclass A:\n    def f(self):\n        return tails.from_t\n",
        {FROM_T},
    ),
    "annotation": ("from ecgwas.gwas import tails\ndef f(x: 'list[tails.from_t]'): ...\n", {FROM_T}),
    "annotated": ("from ecgwas.gwas import tails\nx: tails.from_t | None = None\n", {FROM_T}),
    "not a name": ("from typing import Literal\nfrom ecgwas.gwas import tails\nx: Literal['tails', '!']\n", set()),
    "getattr": ("from ecgwas.gwas import tails\nx = getattr(tails, 'from_t')\n", {Target("ecgwas.gwas.tails"), FROM_T}),
    "hidden": ("from ecgwas.gwas import tails\ndef f(tails):\n    return tails.from_t\n", set()),
    "hidden inside": ("from ecgwas.gwas import tails\nx = [tails.from_t for tails in ()]\n", set()),
    "not used": ("from ecgwas.gwas.tails import from_t\n", set()),
    "as a value": ("from ecgwas.gwas import tails\nx = [tails]\n", {Target("ecgwas.gwas.tails")}),
    "command": ("x = ['python', '-m', 'ecgwas.gwas.loci', '--loci']\n", {LOCI}),
    "one command": ("x = 'python -m ecgwas gwas loci --loci x'\n", {LOCI}),
    "documented": ('"""Run python -m ecgwas.gwas.loci."""\n', set()),
    "table": (
        "import importlib\nT = {'a': 'tails'}\nx = importlib.import_module(f'ecgwas.gwas.{T[k]}').from_t\n",
        {FROM_T},
    ),
    "variable": (
        "from importlib import import_module\nm = import_module('ecgwas.gwas.tails')\nx = m.from_t\n",
        {FROM_T},
    ),
    "function of another": (
        "from ecgwas.predict.pick import chosen\nx = chosen('tails').main\n",
        {
            Target("ecgwas.predict.pick", "chosen"),
            Target("ecgwas.gwas.loci", "main"),
            Target("ecgwas.gwas.tails", "main"),
        },
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_name_is_counted_however_it_is_reached(way, tmp_path):
    text, wanted = WAYS[way]
    tree = write(tmp_path, OTHER | {"predict/user.py": text})
    found = tree.uses("ecgwas.predict.user")
    assert found - {Target("ecgwas.gwas.tails")} >= wanted - {Target("ecgwas.gwas.tails")}
    assert {t for t in found if t.name} == {t for t in wanted if t.name}
    assert wanted <= found


def test_star_imports_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"user.py, line 1: import names one by one"):
        write(tmp_path, OTHER | {"predict/user.py": "from ecgwas.gwas.tails import *\n"})


def test_imports_count_unused_ones_and_modules_named_in_strings(tmp_path):
    text = "from ecgwas.embed import from_t\ndef f():\n    return importlib.import_module('ecgwas.gwas.loci')\n"
    tree = write(tmp_path, OTHER | {"predict/user.py": text})
    assert tree.imports("ecgwas.predict.user") == {"ecgwas.embed", "ecgwas.gwas.loci"}


def test_circles_are_sets_that_reach_each_other():
    edges = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": set(), "f": {"g"}, "g": {"f", "a"}}
    assert rooms.circles(edges) == [["a", "b", "c"], ["f", "g"]]


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("files", "gwas", False),
        ("files", "people", False),
        ("people", "files", True),
        ("people", "stats", False),
        ("stats", "people", False),
        ("stats", "errors", True),
        ("gwas", "stats", True),
        ("stats", "gwas", False),
        ("gwas", "genotypes", True),
        ("gwas", "__main__", False),
        ("__main__", "gwas", True),
    ],
)
def test_imports_point_down(importer, imported, allowed):
    assert rooms.may_import(importer, imported) == allowed


SIZED = '''
import json
from dataclasses import dataclass
from ecgwas.cli import run

@dataclass
class Part:
    a: int
    b: int

def keyed(x: int, table: dict[str, int], **more: int):
    """Two
    lines.
    """
    return table["a"] + table.get("b") + more["c"] + more.pop("d") + ("e" in more)

def text(values: str, names: list[str]):
    read = json.loads(values)
    return read["a"], read["b"], json.loads(values)["c"]

class Some:
    def method(self, part: list[Part], *rest): return part

def command(parts: list[Part]): ...

run(command)
'''


def test_lines_and_parameters(tmp_path):
    tree = write(tmp_path, {"gwas/some.py": SIZED, "cli.py": "def run(main): ...\n"})
    found = {each.name: each for each in sizes.functions(tree)}
    counted = {name: (each.lines, each.parameters, each.spread) for name, each in found.items() if name != "run"}
    assert counted == {"keyed": (2, 6, 6), "text": (3, 4, 4), "method": (1, 2, 2), "command": (1, 1, 2)}
    assert found["keyed"].lines_with_docstring == 5
    assert {name for name, each in found.items() if each.main} == {"command"}


RULES = """
rule one:
    output:
        "a",
    log:
        "lambda.log",
    params:
        x=lambda wildcards: 1,
    shell:
        f"do {X}"
        " more"


if True:

    rule two:
        shell:
            "do"
"""


def test_rules_are_read():
    one, two = rule_text.rules(RULES)
    assert (one.name, one.interpolated, "log" in one.directives, "conda" in one.directives) == (
        "one",
        True,
        True,
        False,
    )
    assert (two.name, two.runs, two.interpolated) == ("two", True, False)
    assert rule_text.lambdas(RULES) == [8]


def test_a_figure_that_grew_keeps_its_baseline(figures, tmp_path, monkeypatch):
    path = tmp_path / "rooms.json"
    shutil.copy(rooms.BASELINE, path)
    monkeypatch.setattr(rooms, "BASELINE", path)
    before = path.read_text()
    monkeypatch.setitem(figures.values, "names_across_stages", 10_000)
    with pytest.raises(SystemExit, match="names_across_stages"):
        rooms.lower(figures)
    assert path.read_text() == before
