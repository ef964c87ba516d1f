"""A stage -> a hash of the code that it runs: its own modules and every module of ours that they import."""

import ast
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

SRC = Path(__file__).resolve().parents[1]


def fingerprint(package: str) -> str:
    """Sixteen hexadecimal digits that change with any file of `ecgwas.{package}` or of what it imports.

    What functions import counts, and so do files that are no Python (templates, style sheets, tables of SNPs) in every
    folder of which a module is used.
    """
    folder = SRC.joinpath("ecgwas", *package.split("."))
    modules = used(tuple(module_of(file) for file in sorted(folder.rglob("*.py"))))
    files = {file for module in modules if (file := file_of(module))}
    files |= {data for file in files for data in file.parent.iterdir() if data.is_file() and data.suffix != ".py"}
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files))).hexdigest()[:16]


def used(modules: tuple[str, ...]) -> set[str]:
    """These modules of ours, the packages that hold them, those that they import, lazily too, and so on."""
    seen: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        waiting += [name.rpartition(".")[0]] if "." in name else []
        waiting += [target for target in imported(file_of(name), True) if target.split(".")[0] == "ecgwas"]
    return seen


def module_of(file: Path) -> str:
    """Dotted name of a file in `SRC`."""
    parts = file.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def file_of(module: str) -> Path | None:
    """File of one of our modules; None where there is no such module."""
    path = SRC.joinpath(*module.split("."))
    files = (path / "__init__.py", path.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)


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
        raise AssertionError(f"import_module({ast.unparse(argument)}): begin it with ecgwas and the folder")
    folder = first.value.rstrip(".")
    return [f"{folder}.{file.stem}" for file in file_of(folder).parent.glob("*.py") if file.stem != "__init__"]
