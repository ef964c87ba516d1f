"""A module -> the packages outside the standard library that it imports, lazily and through our modules too."""

import ast
import functools
import sys
from collections.abc import Iterator
from pathlib import Path

SRC = Path(__file__).parents[2] / "src"


def file_of(module: str) -> Path | None:
    """File of one of our modules; None where there is no such module."""
    path = SRC.joinpath(*module.split("."))
    files = (path / "__init__.py", path.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)


def needed(module: str, less: frozenset[str] = frozenset()) -> dict[str, str]:
    """Top-level package -> the module of ours that imports it first; modules in `less` are not followed.

    What a function imports counts. The parents of a module (`ecgwas.a` of `ecgwas.a.b`) are run, but their functions
    are not called: of those, only what they import at once counts, unless a name is taken from them.
    """
    packages: dict[str, str] = {}
    seen: set[tuple[str, bool]] = set()
    waiting = [(module, True)]
    while waiting:
        name, whole = waiting.pop()
        if (name, whole) in seen or name in less:
            continue
        seen.add((name, whole))
        parents = [".".join(name.split(".")[:k]) for k in range(1, name.count(".") + 1)]
        waiting += [(parent, False) for parent in parents]
        for target in imported(file_of(name), whole):
            if target.split(".")[0] == "ecgwas":
                waiting.append((target, True))
            elif target.split(".")[0] not in sys.stdlib_module_names:
                packages.setdefault(target.split(".")[0], name)
    return packages


@functools.cache
def imported(file: Path, whole: bool) -> tuple[str, ...]:
    """Modules that a file imports; with `whole` in functions too, without only when it is loaded."""
    return tuple(_imported(file, whole))


def _imported(file: Path, whole: bool) -> Iterator[str]:
    for node in nodes(ast.parse(file.read_text()), whole):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if file_of(name) else node.module for name in inner)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "import_module":
            yield from by_name(node.args[0])


def nodes(tree: ast.AST, whole: bool) -> Iterator[ast.AST]:
    """Every node that may be run: not what only type checkers read."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not whole:
            continue
        yield node
        yield from nodes(node, whole)


def by_name(argument: ast.expr) -> list[str]:
    """Modules that `import_module(argument)` may load: the one named, or all of the folder an f-string begins with."""
    if isinstance(argument, ast.Constant):
        return [argument.value]
    first = argument.values[0] if isinstance(argument, ast.JoinedStr) else None
    if not (isinstance(first, ast.Constant) and first.value.startswith("ecgwas.")):
        raise AssertionError(f"import_module({ast.unparse(argument)}): begin it with the folder, as 'ecgwas.room.'")
    folder = first.value.rstrip(".")
    return [f"{folder}.{file.stem}" for file in file_of(folder).parent.glob("*.py") if file.stem != "__init__"]
