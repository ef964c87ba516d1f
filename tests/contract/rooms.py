"""The source tree -> figures of its rooms: `python tests/contract/rooms.py [--root DIR] [--show FIGURE] [--lower]`.

Prints a table and, as the last line, the figures as JSON. `--show` prints what a figure counts, one a line; `--lower`
writes the figures to the baseline of test_rooms.py where none of them has grown. What is counted:

- names: (module, name) pairs in which a module of a stage uses a name that a module of another stage defines.
- circles: sets of modules, or of rooms, that import each other, directly or not; imports in functions and for type
  checkers count. A package is not imported by its own modules unless they name it.
- upward: pairs of modules in which one imports from a room that lies above it, as ALLOWED says.
- folders: modules of a folder without those of its sub-folders and without `__init__`.
- lines and parameters: see sizes.py.
"""

import argparse
import ast
import json
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT))

from tests.contract import rule_text, sizes  # noqa: E402 (found by the line above where this file is run)
from tests.contract.names import Target, Tree  # noqa: E402

BASELINE = Path(__file__).with_name("rooms.json")
# Top-level folders and modules of the package by kind: those of today and those of the plan, which may be there or not.
KINDS = {
    "ground": "cli code command_lines config docs errors files hail_session memory provenance results runner runs"
    " study tables user_lists user_tables user_text",
    "data": "people signals genotype_files checkpoints associations",
    "pure": "ecg stats encoder",
    "stage": "simulate ingest pretrain embed genotypes phenotypes gwas finemap annotate replicate predict interpret"
    " recovery report",
    "command": "__main__ jobs",
}
KIND = {room: kind for kind, rooms in KINDS.items() for room in rooms.split()}
ALLOWED = {
    "ground": ["ground"],
    "data": ["ground", "data"],
    "pure": ["ground", "pure"],
    "stage": ["ground", "data", "pure", "stage"],
    "command": list(KINDS),
}
# Pure rooms that a data room may import: room -> rooms, with the reason beside it.
ALSO: dict[str, list[str]] = {}
HEAVY = ("torch", "hail", "scipy.stats", "pandas")
FOLDER, LINES, PARAMETERS, MAIN_PARAMETERS = 15, 50, 6, 8
# Figure -> what it may be in the end; figures without a limit are for reading.
LIMITS = {
    "names_across_stages": 60,
    "pairs_of_stages": 16,
    "circles_of_modules": 0,
    "circles_of_rooms": 0,
    "upward_imports": 0,
    "folders_over_15": 0,
    "lines_median": 8,
    "lines_p95": 25,
    "lines_max": 50,
    "functions_over_50_lines": 0,
    "functions_over_6_parameters": 0,
    "mains_over_8_parameters": 0,
    "lambdas_in_rules": 0,
    "fstring_shells": 0,
    "rules_without_log": 0,
    "rules_without_benchmark": 0,
    "rules_without_conda": 0,
    "rules_without_memory": 0,
    "lines_of_common_smk": 100,
}


class Figures:
    """Figures of a project, with the items that each counts."""

    def __init__(self, project: Path) -> None:
        self.values: dict[str, float] = {}
        self.items: dict[str, list[str]] = {}
        self.tree = Tree(project / "src")
        self.modules = sorted(name for name in self.tree.modules if name != self.tree.root)
        unknown = {room(module) for module in self.modules} - KIND.keys()
        if unknown:
            raise SystemExit(f"error: {', '.join(sorted(unknown))}: say in KINDS of {__file__} what kind of room it is")
        self.stages()
        self.directions()
        self.libraries()
        self.folders(project / "src")
        self.functions()
        self.rules(project)

    def count(self, figure: str, items: Iterable[str]) -> None:
        """A figure that is the number of its items."""
        self.items[figure] = sorted(items)
        self.values[figure] = len(self.items[figure])

    def stages(self) -> None:
        used = [(module, target) for module in self.modules for target in self.tree.uses(module)]
        across = [(m, t) for m, t in used if kind(m) == kind(t.module) == "stage" and room(m) != room(t.module)]
        self.count("names_across_stages", {f"{module} uses {said(target)}" for module, target in across})
        pairs = Counter((room(module), room(target.module)) for module, target in across)
        self.count("pairs_of_stages", (f"{a} uses {b}: {names} names" for (a, b), names in pairs.items()))

    def directions(self) -> None:
        edges = {module: self.tree.imports(module) for module in self.modules}
        rooms = defaultdict(set)
        for module, others in edges.items():
            rooms[room(module)] |= {room(other) for other in others} - {room(module)}
        self.count("circles_of_modules", (" ".join(circle) for circle in circles(edges)))
        self.values["modules_in_circles"] = sum(map(len, circles(edges)))
        self.count("circles_of_rooms", (" ".join(circle) for circle in circles(rooms)))
        self.values["rooms_in_circles"] = sum(map(len, circles(rooms)))
        pairs = ((module, other) for module, others in edges.items() for other in others)
        self.count("upward_imports", (f"{a} imports {b}" for a, b in pairs if not may_import(room(a), room(b))))

    def libraries(self) -> None:
        found = {module: packages(self.tree.modules[module].nodes) for module in self.modules}
        for library in HEAVY:
            importers = {m for m in self.modules if library in found[m]}
            rooms = Counter(map(room, importers))
            self.count(f"modules_importing_{library}", (f"{name}: {n}" for name, n in rooms.items()))
            self.values[f"modules_importing_{library}"] = len(importers)

    def folders(self, src: Path) -> None:
        files = Counter(path.parent for path in src.rglob("*.py") if path.name != "__init__.py")
        self.values |= {"modules": sum(files.values()), "largest_folder": max(files.values())}
        over = [(folder.relative_to(src), number) for folder, number in files.items() if number > FOLDER]
        self.count(f"folders_over_{FOLDER}", (f"{folder}: {number} modules" for folder, number in over))

    def functions(self) -> None:
        every = sizes.functions(self.tree)
        mains, others = [f for f in every if f.main], [f for f in every if not f.main]
        self.values |= {"functions": len(every), "mains": len(mains)}
        lines = sorted(each.lines for each in every)
        self.values |= {"lines_median": statistics.median(lines), "lines_p95": percentile(lines, 95)}
        self.values["lines_max"] = lines[-1]
        whole = sorted(each.lines_with_docstring for each in every)
        self.values |= {"with_docstring_median": statistics.median(whole), "with_docstring_p95": percentile(whole, 95)}
        self.values["with_docstring_max"] = whole[-1]
        self.over(f"functions_over_{LINES}_lines", every, lambda each: each.lines, LINES)
        self.over(f"functions_over_{PARAMETERS}_parameters", others, lambda each: each.parameters, PARAMETERS)
        self.over(f"mains_over_{MAIN_PARAMETERS}_parameters", mains, lambda each: each.parameters, MAIN_PARAMETERS)
        self.over("mains_over_8_with_fields_of_records", mains, lambda each: each.spread, MAIN_PARAMETERS)

    def over(self, figure: str, every: list[sizes.Function], size: Callable, limit: int) -> None:
        """A figure that counts functions over a limit."""
        self.count(figure, (f"{each.module}.{each.name}: {size(each)}" for each in every if size(each) > limit))

    def rules(self, project: Path) -> None:
        texts = {path.name: path.read_text() for path in rule_text.files(project)}
        every = [(name, rule) for name, text in texts.items() for rule in rule_text.rules(text)]
        ran = [(name, rule) for name, rule in every if rule.runs]
        self.values["rules"] = len(every)
        lambdas = (
            f"{name}, line {line}: no. {k}" for name in texts for k, line in enumerate(rule_text.lambdas(texts[name]))
        )
        self.count("lambdas_in_rules", lambdas)
        self.count("fstring_shells", (f"{name}, rule {rule.name}" for name, rule in ran if rule.interpolated))
        for directive, figure in (
            ("log", "log"),
            ("benchmark", "benchmark"),
            ("conda", "conda"),
            ("resources", "memory"),
        ):
            less = (f"{name}, rule {rule.name}" for name, rule in ran if directive not in rule.directives)
            self.count(f"rules_without_{figure}", less)
        self.values["lines_of_common_smk"] = texts["common.smk"].count("\n")


def room(module: str) -> str:
    """The room of a module: the folder or module below the package."""
    return module.split(".")[1]


def kind(module: str) -> str:
    """The kind of a module's room."""
    return KIND[room(module)]


def may_import(importer: str, imported: str) -> bool:
    """Whether a room may import another."""
    return imported in (importer, *ALSO.get(importer, ())) or KIND[imported] in ALLOWED[KIND[importer]]


def said(target: Target) -> str:
    """A target in one word."""
    return f"{target.module}.{target.name}" if target.name else target.module


def circles(edges: dict[str, Iterable[str]]) -> list[list[str]]:
    """Sets of nodes that reach each other: strongly connected components of more than one."""
    reached = {node: reach(node, edges) for node in edges}
    found = {frozenset(b for b in reached[a] if a in reached.get(b, ())) for a in edges if a in reached[a]}
    return sorted(sorted(circle) for circle in found if len(circle) > 1)


def reach(start: str, edges: dict[str, Iterable[str]]) -> set[str]:
    """Nodes that a path of at least one edge leads to."""
    found, waiting = set(), [start]
    while waiting:
        new = set(edges.get(waiting.pop(), ())) - found
        found |= new
        waiting += new
    return found


def packages(nodes: list[ast.AST]) -> set[str]:
    """Modules that a file imports, anywhere in it, with the packages that hold them."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {".".join(name.split(".")[:k]) for name in found for k in range(1, name.count(".") + 2)}


def percentile(values: list[int], percent: int) -> int:
    """The smallest of the sorted values that at least `percent` per cent do not exceed."""
    return values[max(0, -(-len(values) * percent // 100) - 1)]


def lower(figures: Figures) -> None:
    """Write the figures as the baseline, unless one of those with a limit has grown."""
    old = json.loads(BASELINE.read_text())["figures"] if BASELINE.exists() else {}
    grown = [name for name in LIMITS if figures.values[name] > max(old.get(name, float("inf")), LIMITS[name])]
    if grown:
        raise SystemExit(f"error: grown, so that the baseline stays: {', '.join(grown)}")
    listed = {name: figures.items[name] for name in ("upward_imports", "circles_of_modules", "circles_of_rooms")}
    content = {"figures": {name: figures.values[name] for name in LIMITS}} | listed
    BASELINE.write_text(json.dumps(content, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=PROJECT, help="project to look at")
    parser.add_argument("--show", nargs="*", default=[], help="figures whose items are printed")
    parser.add_argument("--lower", action="store_true", help="write the baseline of the test")
    arguments = parser.parse_args()
    figures = Figures(arguments.root)
    for name in arguments.show:
        print(*figures.items[name], sep="\n")
    for name, value in figures.values.items():
        limit = f"<= {LIMITS[name]}" if name in LIMITS else ""
        print(f"{name:40}{value:>8g}  {limit}")
    if arguments.lower:
        lower(figures)
    print(json.dumps(figures.values))


if __name__ == "__main__":
    main()
