"""Functions of a tree -> their lines and parameters.

Lines run from `def` to the last line, without decorators and without the docstring (a main's is the help of its
command). Parameters are counted without `self` and `cls`; `**` and a dict (or JSON text) by the keys that the function
takes from it by name, at least one each. Records (dataclasses, named tuples) and blocks of `config` are one each;
`spread`, of mains, counts a record by its fields, which shows what a signature holds in the end.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tests.contract.names import Module, Target, Tree, Uses
from tests.contract.syntax import FUNCTION, arguments_of, dotted_chain

DICTS = [["dict"], ["Dict"], ["Mapping"], ["MutableMapping"]]
RUN = Target("ecgwas.cli", "run")


@dataclass(frozen=True)
class Function:
    """A function, a method, or a command line (`main`)."""

    module: str
    name: str
    lines: int
    lines_with_docstring: int
    parameters: int
    spread: int
    main: bool


def functions(tree: Tree) -> list[Function]:
    """Every function of the tree, inner ones too."""
    return [each for module in tree.modules.values() for each in _functions(tree, module)]


def _functions(tree: Tree, module: Module) -> Iterator[Function]:
    nodes, mains = module.nodes, commands(tree, module)
    methods = {inner for node in nodes if isinstance(node, ast.ClassDef) for inner in node.body}
    for node in (node for node in nodes if isinstance(node, FUNCTION)):
        whole, listed = node.end_lineno - node.lineno + 1, arguments_of(node)
        if node in methods and not any(ast.unparse(d) == "staticmethod" for d in node.decorator_list):
            listed = listed[1:]
        counts = [fields(node, argument) for argument in listed]
        main = node.name in mains and node in module.tree.body
        records = [record_fields(tree, module, argument) for argument in listed] if main else counts
        spread = map(max, counts, records)
        yield Function(module.dotted, node.name, whole - docstring(node), whole, sum(counts), sum(spread), main)


def commands(tree: Tree, module: Module) -> set[str]:
    """Names of a module's functions that are command lines: given to `cli.run`, or called main."""
    uses = Uses(tree, module)
    uses.scopes.append({name: frozenset([target]) for name, target in module.imported.items()})
    calls = [n for n in module.nodes if isinstance(n, ast.Call) and RUN in uses.value(n.func)]
    given = {call.args[0].id for call in calls if call.args and isinstance(call.args[0], ast.Name)}
    return given | {"main"}


def docstring(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's docstring."""
    first = getattr(node.body[0], "value", None)
    if len(node.body) == 1 or not isinstance(first, ast.Constant) or not isinstance(first.value, str):
        return 0  # where it is all of the function, it is its body
    return node.body[0].end_lineno - node.body[0].lineno + 1


def fields(function: ast.FunctionDef | ast.AsyncFunctionDef, argument: ast.arg) -> int:
    """How many parameters one counts as: a dict, `**` or JSON text, by the keys that the function names."""
    keyed = argument is function.args.kwarg or is_dict(argument.annotation)
    if not keyed and not is_text(argument.annotation):
        return 1
    nodes = list(ast.walk(function))
    loads = [n for n in nodes if isinstance(n, ast.Assign) and loaded(n.value) == argument.arg]
    names = {target.id for node in loads for target in node.targets if isinstance(target, ast.Name)}
    keys = {key_of(node, names | ({argument.arg} if keyed else set()), argument.arg) for node in nodes}
    return max(1, len(keys - {None}))


def is_dict(annotation: ast.AST | None) -> bool:
    """Whether an annotation is a dict, or may be one."""
    if isinstance(annotation, ast.BinOp):
        return is_dict(annotation.left) or is_dict(annotation.right)
    outer = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return outer is not None and dotted_chain(outer)[-1:] in DICTS


def is_text(annotation: ast.AST | None) -> bool:
    """Whether an annotation is text, or may be it."""
    if isinstance(annotation, ast.BinOp):
        return is_text(annotation.left) or is_text(annotation.right)
    return annotation is not None and dotted_chain(annotation) in (["str"], ["Any"])


def loaded(node: ast.AST) -> str | None:
    """x of `json.loads(x)`."""
    is_load = isinstance(node, ast.Call) and dotted_chain(node.func) == ["json", "loads"] and node.args
    return node.args[0].id if is_load and isinstance(node.args[0], ast.Name) else None


def key_of(node: ast.AST, names: set[str], text: str) -> str | None:
    """key of `x["key"]`, `x.get("key")`, `x.pop("key")` and `"key" in x`: x is in `names`, or `json.loads(text)`."""
    key = owner = None
    if isinstance(node, ast.Subscript):
        owner, key = node.value, node.slice
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "pop"):
        owner, key = node.func.value, node.args[0] if node.args else None
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In):
        owner, key = node.comparators[0], node.left
    named = owner is not None and ((isinstance(owner, ast.Name) and owner.id in names) or loaded(owner) == text)
    return key.value if named and isinstance(key, ast.Constant) and isinstance(key.value, str) else None


def record_fields(tree: Tree, module: Module, argument: ast.arg) -> int:
    """Fields of the record that a parameter is, or is a list of; 1 where it is none, and for blocks of `config`."""
    uses = Uses(tree, module)
    uses.scopes.append({name: frozenset([target]) for name, target in module.imported.items()})
    uses.scopes[0].update({name: frozenset([Target(module.dotted, name)]) for name in module.defined})
    uses.annotation(argument.annotation)
    records = [
        tree.modules[target.module].defined.get(target.name)
        for target in uses.found
        if target.name and target.module in tree.modules and not target.module.startswith(f"{tree.root}.config")
    ]
    counts = [annotated(node) for node in records if isinstance(node, ast.ClassDef) and is_record(node)]
    return max(counts, default=1)


def is_record(node: ast.ClassDef) -> bool:
    """Whether a class is a dataclass, a named tuple or a typed dict."""
    words = [ast.unparse(each) for each in (*node.decorator_list, *node.bases)]
    return any(word.split("(")[0].rpartition(".")[2] in ("dataclass", "NamedTuple", "TypedDict") for word in words)


def annotated(node: ast.ClassDef) -> int:
    """How many fields a record has."""
    return max(1, sum(isinstance(each, ast.AnnAssign) for each in node.body))
