"""Entries of `phenotypes.covariates` -> formulas safe to evaluate: R's grammar, our columns, a fixed list of calls.

An entry is split into words and every column is replaced by an alias (`__b0__`) before formulaic parses it, so that
names of any characters can be used and no word of an entry reaches Python as a name. What formulaic will evaluate is
checked again on its syntax tree: one call of the list, on a column, with constants.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ecgwas.errors import UserError
from ecgwas.phenotypes.allowed_calls import ALIAS, CALLS, is_safe

DECLARATIONS = {"C": "levels", "numeric": "number"}  # calls that say what a column is: resolved here, never evaluated
LETTERS = {"bare": "b", "number": "n", "levels": "l", "raw": "r"}
CONSTANTS = {"TRUE": "True", "FALSE": "False", "NULL": "None", "True": "True", "False": "False", "None": "None"}
LONGEST = 500  # characters of an entry
ALLOWED = "columns, +, -, :, *, /, powers (age^2) and C, numeric, bs, cr, poly, scale, log"
TOKEN = re.compile(
    r"(?P<quoted>`[^`]+`)|(?P<string>'[^'\\]*'|\"[^\"\\]*\")|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>(?:[^\W\d]|\.(?!\d))[\w.]*)|(?P<operator>\*\*|[-+:*/^()\[\],=])|(?P<space>\s+)"
)
POWER = re.compile(r"(.+?)\s*(?:\^|\*\*)\s*([1-9])")
OURS = re.compile(rf"I\(({ALIAS.pattern}) \*\* ([2-9])\)")


@dataclass(frozen=True)
class Use:
    """A column and how a formula uses it: bare, declared a number or levels, or raw within a call."""

    column: str
    kind: str


@dataclass
class Formulas:
    """Terms of a design, in formulaic's words, and what their aliases stand for."""

    terms: list[str] = field(default_factory=list)
    uses: dict[str, Use] = field(default_factory=dict)  # by alias

    def alias(self, column: str, kind: str) -> str:
        """The alias of a use, a new one where it is the first."""
        for name, use in self.uses.items():
            if use == Use(column, kind):
                return name
        name = f"__{LETTERS[kind]}{len(self.uses)}__"
        self.uses[name] = Use(column, kind)
        return name

    def shown(self, text: str) -> str:
        """Text with powers as they are written and columns by their names: `I(__b0__ ** 2)` -> `age^2`."""
        return ALIAS.sub(lambda found: self._written(found[0]), OURS.sub(r"\1^\2", text))

    def _written(self, alias: str) -> str:
        use = self.uses.get(alias)
        return alias if use is None else f"C({use.column})" if use.kind == "levels" else use.column


def read(entries: Iterable[str], columns: Iterable[str], where: str, known: str = "") -> Formulas:
    """Formulas of the `entries` of `phenotypes.covariates` for a table with `columns`.

    `known`: how an error lists the columns. Raises `UserError` that names the entry where it is no formula, names what
    is no column, or calls what is not allowed; nothing is evaluated.
    """
    made, columns = Formulas(), list(columns)
    for entry in entries:
        for term in _Entry(entry, columns, where, known or ", ".join(columns), made).terms():
            if term not in made.terms:
                made.terms.append(term)
    used = set(ALIAS.findall(" ".join(made.terms)))
    return Formulas(made.terms, {alias: use for alias, use in made.uses.items() if alias in used})


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


@dataclass(frozen=True)
class _Group:
    """Parentheses: of a call or not, where they begin among the words written, and what closes them."""

    call: bool
    first: int
    closing: str


class _Entry:
    """One entry while it is read."""

    def __init__(self, entry: str, columns: list[str], where: str, known: str, made: Formulas):
        self.entry, self.columns, self.where, self.known, self.made = entry.strip(), columns, where, known, made

    def wrong(self, why: str) -> UserError:
        """The error of this entry."""
        return UserError(f"{self.where}: covariate {self.entry!r}: {why}. Correct `phenotypes.covariates`.")

    def column(self, name: str) -> str:
        """`name` where it is a column."""
        if name in self.columns:
            return name
        raise UserError(
            f"{self.where}: covariate '{name}' is not a column; the table has {self.known}."
            " Correct `phenotypes.covariates` or add the column."
        )

    def terms(self) -> list[str]:
        """The terms of this entry, as formulaic writes them."""
        if len(self.entry) > LONGEST:
            raise self.wrong(f"longer than {LONGEST} characters; write one term per entry")
        text = self.aliased(self.tokens())
        if not text:
            raise self.wrong("an empty entry")
        for chunk in re.split(r"[-+*/()]", text):
            parts = [part.strip() for part in chunk.split(":")]
            twice = next((p for p in parts if p and parts.count(p) > 1), None)
            if twice:
                name = self.made.shown(twice)
                raise self.wrong(f"'{name}' times itself is '{name}' in a formula; write {name}^2")
        found = [self.checked(term) for term in self.parsed(text)]
        if not found:
            raise self.wrong(
                "no term is left; an entry removes terms of its own alone (age*sex - age:sex), not of others"
            )
        return found

    def tokens(self) -> list[_Token]:
        """Words of the entry; an entry of names joined by colons alone needs no backticks."""
        parts = [self.split_power(part) for part in self.entry.split(":")]
        if all(name in self.columns for name, _ in parts):
            made = []
            for name, power in parts:
                made += [_Token("operator", ":")] * bool(made) + [_Token("quoted", f"`{name}`")]
                made += [_Token("operator", "^"), _Token("number", power)] if power else []
            return made
        found, at = [], 0
        while at < len(self.entry):
            match = TOKEN.match(self.entry, at)
            if match is None:
                raise self.wrong(f"{self.entry[at]!r} is not part of a formula here; allowed are {ALLOWED}")
            at = match.end()
            if match.lastgroup != "space":
                found.append(_Token(match.lastgroup, match[0]))
        return found

    def split_power(self, part: str) -> tuple[str, str]:
        """'age^2' -> ('age', '2'); the name alone where the whole is a column or there is no power."""
        power = POWER.fullmatch(part.strip())
        return (part.strip(), "") if power is None or part.strip() in self.columns else (power[1], power[2])

    def aliased(self, tokens: list[_Token]) -> str:
        """The entry with every column an alias, C() and numeric() resolved, and powers of columns as I()."""
        out: list[str] = []
        groups: list[_Group] = []  # that are open
        at = 0
        while at < len(tokens):
            token, inside = tokens[at], any(group.call for group in groups)
            opens = at + 1 < len(tokens) and tokens[at + 1].text == "("
            if token.text == ")":
                at, text = self.closed(tokens, at, groups, out)
            elif token.text == "(" or (token.kind == "name" and opens and (inside or token.text not in DECLARATIONS)):
                at, text = self.opened(tokens, at, groups, inside, len(out))
            elif token.kind == "name" and opens:
                at, text = self.declared(tokens, at)
            elif token.kind in ("name", "quoted"):
                at, text = self.named(tokens, at, inside)
            else:
                at, text = at + 1, self.other(token, inside)
            out.append(text)
        if groups:
            raise self.wrong("a '(' without its ')'")
        return "".join(out)  # formulaic knows a call by the parenthesis right after its name

    def opened(self, tokens: list[_Token], at: int, groups: list[_Group], inside: bool, first: int) -> tuple[int, str]:
        """'(' or 'name(' at `at`: the place after it, and what is written for it."""
        name = tokens[at].text
        if name == "(":
            groups.append(_Group(False, first, ")"))
            return at + 1, "("
        if inside and name == "c":  # R's vector
            groups.append(_Group(True, first, "]"))
            return at + 2, "["
        self.check_call_name(name)
        groups.append(_Group(True, first, ")"))
        return at + 2, f"{name}("

    def closed(self, tokens: list[_Token], at: int, groups: list[_Group], out: list[str]) -> tuple[int, str]:
        """')' at `at`, with the power that may follow it: the place after, and what is written for it."""
        if not groups:
            raise self.wrong("a ')' without its '('")
        group = groups.pop()
        if at + 1 >= len(tokens) or tokens[at + 1].text not in ("^", "**"):
            return at + 1, group.closing
        inside = group.call or any(outer.call for outer in groups)
        at, power = self.group_power(tokens, at + 1, inside, out[group.first :])
        return at, group.closing + power

    def check_call_name(self, name: str) -> None:
        """Raises where `name` is no call that may be evaluated."""
        if name == "I":
            raise self.wrong("I() is not allowed; write age^2 for a square, or add the column to the people table")
        if name not in CALLS:
            raise self.wrong(f"{name}() is not allowed here; allowed are {ALLOWED}")

    def declared(self, tokens: list[_Token], at: int) -> tuple[int, str]:
        """`C(centre)` or `numeric(centre)` from `at` on: where it ends, and its alias."""
        kind = DECLARATIONS[tokens[at].text]
        inner = tokens[at + 2 : at + 4]
        if len(inner) < 2 or inner[0].kind not in ("name", "quoted") or inner[1].text != ")":
            raise self.wrong(f"{tokens[at].text}() takes the name of one column")
        alias = self.made.alias(self.column(inner[0].text.strip("`")), kind)
        if kind == "levels":
            if at + 4 < len(tokens) and tokens[at + 4].text in ("^", "**"):
                raise self.wrong("levels have no powers")
            return at + 4, alias
        return self.powered(tokens, at + 4, alias)

    def named(self, tokens: list[_Token], at: int, inside: bool) -> tuple[int, str]:
        """A column, or within a call a keyword or constant, at `at`: where it ends, and what is written for it."""
        token = tokens[at]
        if not inside:
            return self.powered(tokens, at + 1, self.made.alias(self.column(token.text.strip("`")), "bare"))
        if token.kind == "name" and at + 1 < len(tokens) and tokens[at + 1].text == "=":
            return at + 1, token.text
        if token.text in CONSTANTS and token.text not in self.columns:
            return at + 1, CONSTANTS[token.text]
        return at + 1, self.made.alias(self.column(token.text.strip("`")), "raw")

    def powered(self, tokens: list[_Token], at: int, alias: str) -> tuple[int, str]:
        """`alias` with the power that may follow at `at`, which formulaic alone would drop."""
        if at >= len(tokens) or tokens[at].text not in ("^", "**"):
            return at, alias
        power = tokens[at + 1].text if at + 1 < len(tokens) else ""
        if power not in "123456789" or not power:
            raise self.wrong("a power is a whole number from 2 to 9")
        return at + 2, alias if power == "1" else f"I({alias} ** {power})"

    def group_power(self, tokens: list[_Token], at: int, call: bool, group: list[str]) -> tuple[int, str]:
        """The power of a group in parentheses, which means its products, as in R."""
        power = tokens[at + 1].text if at + 1 < len(tokens) else ""
        if call or not {"+", "*"} & set(group):
            raise self.wrong("a power is that of one column (age^2) or of a sum in parentheses, (a + b)^2; see poly()")
        if power not in "23456789" or not power:
            raise self.wrong("a power is a whole number from 2 to 9")
        return at + 2, f"**{power}"

    def other(self, token: _Token, inside: bool) -> str:
        """A number, text or operator where it is allowed."""
        if inside and (token.kind in ("number", "string") or token.text in ("[", "]", ",", "=", "-")):
            return token.text
        if not inside and token.text in ("+", "-", ":", "*", "/"):
            return token.text
        if token.kind == "number" and not inside:
            raise self.wrong(
                f"{token.text!r} stands alone: the intercept is always in the model, and a column whose name is no word"
                " stands in backticks"
            )
        raise self.wrong(f"{token.text!r} is not allowed here; allowed are {ALLOWED}")

    def parsed(self, text: str) -> list:
        """formulaic's terms of the aliased text."""
        from formulaic.errors import FormulaicError
        from formulaic.parser import DefaultFormulaParser

        try:
            return list(DefaultFormulaParser(include_intercept=False).get_terms(text))
        except (FormulaicError, SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
            what = str(error).strip().splitlines()
            raise self.wrong(f"not a formula ({self.made.shown(what[0]) if what else type(error).__name__})") from None

    def checked(self, term) -> str:
        """A term whose factors are all safe to evaluate, as text."""
        for factor in term.factors:
            if ALIAS.fullmatch(factor.expr):
                continue
            if factor.eval_method.value != "python":
                raise self.wrong(f"{factor.expr!r} is no column")
            if not is_safe(factor.expr):
                raise self.wrong(
                    f"{self.made.shown(factor.expr)!r} is not allowed: a call takes a column, then constants"
                    f" ({', '.join(CALLS)})"
                )
        return ":".join(factor.expr for factor in term.factors)
