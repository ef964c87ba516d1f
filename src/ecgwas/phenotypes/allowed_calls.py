"""What formulaic may evaluate: powers of ours and a fixed list of calls, on an alias of a column, with constants."""

import ast
import re

# Keywords of each call that is evaluated: those of formulaic's functions of these names.
CALLS = {
    "bs": ("df", "knots", "degree", "include_intercept", "lower_bound", "upper_bound", "extrapolation"),
    "cr": ("df", "knots", "lower_bound", "upper_bound", "constraints", "extrapolation"),
    "poly": ("degree", "raw"),
    "scale": ("center", "scale", "ddof"),
    "log": (),
}
INNER = ("log", "scale")  # calls that another call may hold: one column of one column
ALIAS = re.compile(r"__[bnlr]\d+__")  # stands for a column
LARGEST = 1e6
LARGEST_COUNT = {"df": 100, "degree": 20, "ddof": 1}
LONGEST_LIST = 100


def is_safe(expression: str) -> bool:
    """Whether an expression is `I(alias ** k)` or a call of the list on an alias, with constants and known keywords."""
    try:
        return _is_safe(ast.parse(expression, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _is_safe(node: ast.AST) -> bool:
    """As `is_safe`, of a syntax tree."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
        return False
    name, first = node.func.id, node.args[0]
    if name == "I":
        plain = len(node.args) == 1 and not node.keywords and isinstance(first, ast.BinOp)
        return (
            plain and isinstance(first.op, ast.Pow) and _is_alias(first.left) and isinstance(first.right, ast.Constant)
        )
    keywords = CALLS.get(name)
    if keywords is None or len(node.args) > 2 or (len(node.args) == 2 and not keywords):
        return False
    column = _is_alias(first) or (_calls(first, INNER) and _is_safe(first))
    named = {word.arg: word.value for word in node.keywords}
    given = {keywords[0]: node.args[1]} | named if len(node.args) == 2 else named
    return column and all(key in keywords and _is_constant(key, value) for key, value in given.items())


def _calls(node: ast.AST, names: tuple[str, ...]) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def _is_alias(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and ALIAS.fullmatch(node.id) is not None


def _is_constant(key: str, node: ast.AST) -> bool:
    """Whether a value is a constant of a size that cannot exhaust memory, or a list of such."""
    if isinstance(node, (ast.List, ast.Tuple)):
        return len(node.elts) <= LONGEST_LIST and all(_is_constant("", item) for item in node.elts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return isinstance(node.operand, ast.Constant) and isinstance(node.operand.value, (int, float))
    if not isinstance(node, ast.Constant):
        return False
    value = node.value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return abs(value) <= LARGEST_COUNT.get(key, LARGEST)
    return isinstance(value, (bool, str)) or value is None
