"""Source tree -> which name of which module each module uses, wherever and however it is imported.

A name is followed to the module that defines it: through `from a import b`, `import a.b as c` and `c.d`, imports inside
functions and for type checkers, annotations in quotes, re-exports, tables of `import_module`, and modules that a
command line names (`python -m ecgwas.a.b`). Nothing is imported: the text alone is read.
"""

import ast
import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.contract.syntax import (
    FUNCTION,
    OPEN,
    arguments_of,
    dotted_chain,
    names_stored,
    parse,
    pattern,
    same_scope,
    strings_of,
)

COMMAND = re.compile(r"(?:^|\s)-m (\w+(?:\.\w+)*)(?: (\w+) (\w+))?")


class Target(NamedTuple):
    """A name and the module that defines it; without a name, the module itself."""

    module: str
    name: str | None = None


Targets = frozenset[Target]
NONE: Targets = frozenset()


@dataclass
class Module:
    """One module of the tree: its text, and what its top level imports and defines."""

    dotted: str
    path: Path
    tree: ast.Module
    imported: dict[str, Target] = field(default_factory=dict)
    defined: dict[str, ast.AST] = field(default_factory=dict)

    @functools.cached_property
    def nodes(self) -> list[ast.AST]:
        """All nodes of its text."""
        return list(ast.walk(self.tree))

    @property
    def package(self) -> str:
        """The package that relative imports start from."""
        return self.dotted if self.path.stem == "__init__" else self.dotted.rpartition(".")[0]


class Tree:
    """All modules of the one package in a folder `src`."""

    def __init__(self, src: Path) -> None:
        self.root = next(path.parent.name for path in sorted(src.glob("*/__init__.py")))
        self.modules = {dotted(path, src): path for path in sorted((src / self.root).rglob("*.py"))}
        self.modules = {name: Module(name, path, parse(path)) for name, path in self.modules.items()}
        for module in self.modules.values():
            self._bind(module)

    def _bind(self, module: Module) -> None:
        for node in same_scope(module.tree.body):
            for name, target in self.bound(node, module).items():
                module.imported[name] = target
            for name in names_stored(node):
                module.defined.setdefault(name, node)

    def bound(self, node: ast.AST, module: Module) -> dict[str, Target]:
        """Local name -> target, of an import of ours; other nodes and packages bind nothing."""
        if isinstance(node, ast.Import):
            ours = [alias for alias in node.names if alias.name.split(".")[0] == self.root]
            return {a.asname or self.root: Target(a.name if a.asname else self.root) for a in ours}
        source = self.source(node, module) if isinstance(node, ast.ImportFrom) else ""
        if source.split(".")[0] != self.root:
            return {}
        if any(alias.name == "*" for alias in node.names):
            raise ValueError(f"{module.path}, line {node.lineno}: import names one by one, not *")
        return {alias.asname or alias.name: Target(source, alias.name) for alias in node.names}

    def source(self, node: ast.ImportFrom, module: Module) -> str:
        """The module that `from ... import` reads, relative ones resolved."""
        if not node.level:
            return node.module
        parts = module.package.split(".")
        return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])

    def home(self, target: Target) -> Target:
        """The target where it is defined: re-exports and aliases at the top level of modules followed."""
        module = self.modules.get(target.module)
        if module is None or target.name is None:
            return target
        if target.name in module.imported and module.imported[target.name] != target:
            return self.home(module.imported[target.name])
        if target.name in module.defined:
            alias = self.alias(module, target.name)
            return self.home(alias) if alias else target
        inner = f"{target.module}.{target.name}"
        if inner in self.modules:
            return Target(inner)
        return self.lazily(module, target.name) or target

    def alias(self, module: Module, name: str) -> Target | None:
        """What `name = other` or `name = module.other` at the top level of a module stands for."""
        node = module.defined[name]
        simple = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        if not simple or not isinstance(node.value, ast.Name | ast.Attribute):
            return None
        chain = dotted_chain(node.value)
        if not chain or chain[0] not in module.imported:
            return None
        found = functools.reduce(self.step, chain[1:], self.home(module.imported[chain[0]]))
        return found if len(chain) == 1 or found.name else None

    def lazily(self, module: Module, name: str) -> Target | None:
        """A name that a module's `__getattr__` takes from the module that a table at its top level names."""
        if "__getattr__" not in module.defined:
            return None
        for node in module.defined.values():
            for key, value in strings_of(getattr(node, "value", None)).items():
                inner = [f"{module.package}.{value.lstrip('.')}", value]
                if key == name and (found := next((place for place in inner if place in self.modules), None)):
                    return self.home(Target(found, name))
        return None

    def step(self, target: Target, attribute: str) -> Target:
        """The target of `target.attribute`: a name of a module; the attribute of a name is the name's own."""
        return target if target.name else self.home(Target(target.module, attribute))

    def named(self, text: str) -> Targets:
        """Modules that a string names: it is the dotted name, or a command line that runs it."""
        words = [text, *(".".join(filter(None, match.groups())) for match in COMMAND.finditer(text))]
        return frozenset(Target(word) for word in words if word != self.root and word in self.modules)

    @functools.cache  # noqa: B019 (one tree a run)
    def returned(self, function: Target) -> Targets:
        """Modules that a function of ours returns by `return import_module(...)`."""
        module = self.modules.get(function.module)
        node = module.defined.get(function.name) if module else None
        returns = [n.value for n in ast.walk(node) if isinstance(n, ast.Return)] if isinstance(node, FUNCTION) else []
        calls = [n for n in returns if isinstance(n, ast.Call) and dotted_chain(n.func)[-1:] == ["import_module"]]
        return frozenset().union(*(Uses(self, module).called(call) for call in calls))

    @functools.cache  # noqa: B019
    def uses(self, dotted: str) -> Targets:
        """Every name of ours that a module uses, where it is defined; its own are not among them."""
        visitor = Uses(self, self.modules[dotted])
        visitor.visit(self.modules[dotted].tree)
        return frozenset(target for target in visitor.found if target.module not in (dotted, self.root))

    @functools.cache  # noqa: B019
    def imports(self, dotted: str) -> frozenset[str]:
        """Modules of ours that a module imports, in functions too, or whose names it uses; not its parents."""
        module, found = self.modules[dotted], {target.module for target in self.uses(dotted)}
        for node in (n for n in module.nodes if isinstance(n, ast.Import | ast.ImportFrom)):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            for target in self.bound(node, module).values():
                inner = f"{target.module}.{target.name}"
                found.add(inner if inner in self.modules else target.module)
        return frozenset(found & self.modules.keys()) - {dotted, self.root}


class Uses(ast.NodeVisitor):
    """Collects what a module uses, with Python's scopes: what a function binds hides what the module imports."""

    def __init__(self, tree: Tree, module: Module) -> None:
        self.tree, self.module, self.found = tree, module, set()
        self.scopes: list[dict[str, Targets]] = []

    def visit_Module(self, node: ast.Module) -> None:
        self.inside(node.body, ())

    def inside(self, body: Iterable[ast.AST], arguments: Iterable[str]) -> None:
        """Visit what has a scope of its own."""
        body, scope = list(body), dict.fromkeys(arguments, NONE)
        self.scopes.append(scope)
        nodes = same_scope(body)
        for node in nodes:
            scope.update(dict.fromkeys(names_stored(node), NONE))
            scope.update((name, frozenset([target])) for name, target in self.tree.bound(node, self.module).items())
        for node in (n for n in nodes if isinstance(n, ast.Assign) and isinstance(n.value, ast.Call)):
            modules = self.value(node.value)
            if isinstance(node.targets[0], ast.Name) and modules and all(target.name is None for target in modules):
                scope[node.targets[0].id] = modules
        for node in body:
            self.visit(node)
        self.scopes.pop()

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """A function: its signature belongs outside, its body has a scope of its own."""
        for outside in (*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(outside)
        for argument in arguments_of(node):
            self.annotation(argument.annotation)
        self.annotation(node.returns)
        self.inside(node.body, [argument.arg for argument in arguments_of(node)])

    visit_FunctionDef = visit_AsyncFunctionDef = function  # noqa: N815

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for outside in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(outside)
        self.inside([node.body], [argument.arg for argument in arguments_of(node)])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for outside in (*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)):
            self.visit(outside)
        # Methods do not see the names of their class.
        self.inside((n for n in node.body if not isinstance(n, FUNCTION)), ())
        for method in (n for n in node.body if isinstance(n, FUNCTION)):
            self.visit(method)

    def comprehension(self, node: ast.AST) -> None:
        parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        targets = [name for generator in node.generators for name in names_stored(generator.target)]
        self.visit(node.generators[0].iter)
        later = [generator.iter for generator in node.generators[1:]]
        self.inside([*parts, *later, *(test for g in node.generators for test in g.ifs)], targets)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = comprehension  # noqa: N815

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.annotation(node.annotation)
        if node.value:
            self.visit(node.value)

    def annotation(self, node: ast.AST | None) -> None:
        """An annotation, in quotes or not."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            self.annotation(ast.parse(node.value, mode="eval").body)
        elif isinstance(node, ast.Subscript):
            self.annotation(node.value)
            if dotted_chain(node.value)[-1:] != ["Literal"]:
                self.annotation(node.slice)
        elif isinstance(node, ast.Tuple | ast.List | ast.BinOp):
            for inner in ast.iter_child_nodes(node):
                self.annotation(inner)
        elif node is not None:
            self.visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring uses nothing
            self.visit(node.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.found |= self.tree.named(node.value)

    def sequence(self, node: ast.List | ast.Tuple) -> None:
        """A list that may be a command: `[python, "-m", "ecgwas.a.b", ...]`."""
        words = [n.value for n in node.elts if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        self.found |= self.tree.named(" ".join(words))
        self.generic_visit(node)

    visit_List = visit_Tuple = sequence  # noqa: N815

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.found |= self.value(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        targets = self.value(node)
        self.found |= targets
        if not targets:
            self.visit(node.value)
            return
        inner = node.value
        while isinstance(inner, ast.Attribute):
            inner = inner.value
        if isinstance(inner, ast.Call):
            self.visit(inner)

    def visit_Call(self, node: ast.Call) -> None:
        self.found |= self.value(node)
        self.generic_visit(node)

    def value(self, node: ast.AST) -> Targets:
        """Names of ours, or modules, that an expression may stand for; nothing where it is a value of another kind."""
        if isinstance(node, ast.Name):
            scope = next((scope for scope in reversed(self.scopes) if node.id in scope), {})
            return frozenset(self.tree.home(target) for target in scope.get(node.id, NONE))
        if isinstance(node, ast.Attribute):
            return frozenset(self.tree.step(target, node.attr) for target in self.value(node.value))
        return self.called(node) if isinstance(node, ast.Call) else NONE

    def called(self, node: ast.Call) -> Targets:
        """What `import_module(...)`, a function that returns it, or `getattr` of a module stands for."""
        name = "".join(dotted_chain(node.func)[-1:])
        if name == "import_module" and node.args:
            wanted = pattern(node.args[0], self.module.defined)
            return frozenset(Target(each) for each in self.tree.modules if re.fullmatch(wanted, each))
        if name == "getattr" and len(node.args) > 1:
            wanted = pattern(node.args[1], self.module.defined)
            modules = [target.module for target in self.value(node.args[0]) if target.name is None]
            return frozenset(
                self.tree.home(Target(module, attribute))
                for module in modules
                for attribute in (*self.tree.modules[module].defined, *self.tree.modules[module].imported)
                if wanted != OPEN and re.fullmatch(wanted, attribute)
            )
        functions = [*self.value(node.func)] or [Target(self.module.dotted, name)]
        return frozenset().union(*(self.tree.returned(target) for target in functions))


def dotted(path: Path, src: Path) -> str:
    """Name of the module in a file below `src`."""
    parts = path.relative_to(src).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
