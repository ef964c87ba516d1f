"""Text of the workflow's rules -> which have no log, benchmark, environment or memory; lambdas and f-string shells."""

import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RULE = re.compile(r"^( *)(?:rule|checkpoint) (\w+):\n((?:\1 +.*\n|\n)*)", re.MULTILINE)
DIRECTIVE = re.compile(r"^    (\w+):((?:.*\n)(?:(?:        .*)?\n)*)", re.MULTILINE)


@dataclass(frozen=True)
class Rule:
    """A rule: its name, and the text of its directives."""

    name: str
    directives: dict[str, str]

    @property
    def runs(self) -> bool:
        """Whether it runs anything."""
        return bool(self.directives.keys() & {"shell", "run", "script"})

    @property
    def interpolated(self) -> bool:
        """Whether its shell command is made by an f-string."""
        return any(re.match(r"(?i)[rb]*f", word) for word in strings(self.directives.get("shell", "")))


def files(project: Path) -> list[Path]:
    """The Snakefile and the files that it includes."""
    return [project / "Snakefile", *sorted((project / "workflow/rules").glob("*.smk"))]


def rules(text: str) -> list[Rule]:
    """The rules of a file."""
    found = RULE.findall(text + "\n")
    return [Rule(name, dict(DIRECTIVE.findall(re.sub(f"(?m)^{indent}", "", body)))) for indent, name, body in found]


def lambdas(text: str) -> list[int]:
    """Lines with a lambda, once for each."""
    return [token.start[0] for token in tokens(text) if token.type == tokenize.NAME and token.string == "lambda"]


def strings(text: str) -> list[str]:
    """The beginnings of all strings of a text, with their prefix."""
    kinds = {tokenize.STRING, getattr(tokenize, "FSTRING_START", tokenize.STRING)}
    return [token.string for token in tokens(f"({text})") if token.type in kinds]


def tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    """Python's tokens; Snakemake's language is made of them."""
    return tokenize.generate_tokens(io.StringIO(text).readline)
