"""Syntax trees -> scopes, names that are bound, and the strings that an expression may be."""

import ast
import re
from collections.abc import Iterable
from pathlib import Path

FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
INNER = FUNCTION | ast.Lambda | ast.ClassDef | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
TARGETS = ast.Assign | ast.AnnAssign | ast.Tuple | ast.List | ast.Starred
OPEN = r"[\w.]+"  # what stands for a part of a string that is known only when it runs


def parse(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(), filename=str(path))


def same_scope(body: Iterable[ast.AST]) -> list[ast.AST]:
    """Nodes of `body` and below, without what is inside functions, classes and the like; these themselves are there."""
    found, waiting = [], list(body)[::-1]
    while waiting:
        node = waiting.pop()
        found.append(node)
        if not isinstance(node, INNER):
            waiting += list(ast.iter_child_nodes(node))[::-1]
    return found


def names_stored(node: ast.AST) -> list[str]:
    """Names that a node binds: a function, a class, the targets of an assignment, an exception."""
    if isinstance(node, FUNCTION | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.ExceptHandler):
        return [node.name] if node.name else []
    targets = getattr(node, "targets", [node]) if isinstance(node, ast.Assign) else [getattr(node, "target", node)]
    names = [inner for target in targets for inner in ast.walk(target)] if isinstance(node, TARGETS) else [node]
    return [name.id for name in names if isinstance(name, ast.Name) and is_stored(name)]


def is_stored(node: ast.Name) -> bool:
    """Whether a name is assigned rather than read."""
    return isinstance(node.ctx, ast.Store)


def arguments_of(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[ast.arg]:
    """All parameters of a function, `*args` and `**kwargs` too."""
    listed = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return [*listed, *filter(None, (node.args.vararg, node.args.kwarg))]


def dotted_chain(node: ast.AST) -> list[str]:
    """['a', 'b', 'c'] of `a.b.c`; empty for anything else."""
    if isinstance(node, ast.Attribute):
        inner = dotted_chain(node.value)
        return [*inner, node.attr] if inner else []
    return [node.id] if isinstance(node, ast.Name) else []


def strings_of(node: ast.AST | None) -> dict[str, str]:
    """The pairs of strings of a dict that is written out."""
    if not isinstance(node, ast.Dict):
        return {}
    pairs = zip(node.keys, node.values, strict=True)
    both = [(k, v) for k, v in pairs if isinstance(k, ast.Constant) and isinstance(v, ast.Constant)]
    return {k.value: v.value for k, v in both if isinstance(k.value, str) and isinstance(v.value, str)}


def pattern(node: ast.AST, defined: dict[str, ast.AST]) -> str:
    """Regular expression of the strings that an expression may be: of tables at the top level, their values."""
    if isinstance(node, ast.Constant):
        return re.escape(str(node.value))
    if isinstance(node, ast.JoinedStr):
        return "".join(pattern(part, defined) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return pattern(node.value, defined)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return pattern(node.left, defined) + pattern(node.right, defined)
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        table = strings_of(getattr(defined.get(node.value.id), "value", None))
        return f"(?:{'|'.join(map(re.escape, table.values()))})" if table else OPEN
    if isinstance(node, ast.Name):
        value = getattr(defined.get(node.id), "value", None)
        return pattern(value, {}) if isinstance(value, ast.Constant) else OPEN
    return OPEN
