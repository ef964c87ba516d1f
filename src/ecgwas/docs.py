"""config/ and tables/ -> the key table, the JSON schemas and the table reference, so that they cannot drift."""

import json
import re
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic
from pydantic.fields import FieldInfo

from ecgwas import config, tables
from ecgwas.cli import run

ROOT = Path(__file__).resolve().parents[2]

UNITS = {
    "hz": "Hz",
    "s": "s",
    "seconds": "s",
    "bp": "bp",
    "mb": "Mb",
    "count": "µV/count",
    "sd": "SD",
    "years": "years",
    "p": "–",
}
COUNTED = {"people": "people", "steps": "steps", "axes": "axes", "pcs": "components", "components": "components"}
NAMES = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path", types.NoneType: "none"}
INTRO = """# Configuration

*Made by `python -m ecgwas.docs` from `src/ecgwas/config/`; edit that, not this.*

One file describes a study: `config/demo.yaml`, for example. It names cohorts (one file each in `config/cohorts/`) and
models (one file each in `config/models/`). Only the keys without a default must be written; a key that is not listed
here is an error. Relative paths start at the project's folder.
"""
SECTIONS = {
    "A study: config/{study}.yaml": [
        "Study",
        "Ingest",
        "Embed",
        "Phenotypes",
        "Genotypes",
        "Step1",
        "Gwas",
        "Exports",
        "Release",
        "Finemap",
        "Hail",
        "Predict",
        "Outcome",
        "Splits",
        "Interpret",
        "Report",
    ],
    "A cohort: config/cohorts/{cohort}.yaml": ["Cohort", "EcgSource", "GenotypeSource", "Panel", "Labels", "Expected"],
    "A simulated cohort: the block `simulate` of a cohort": ["Simulate", "PlantedLocus", "Spike", "SpikeEffect"],
    "A model: config/models/{model}.yaml": [],
}


def config_readme() -> str:
    """config/README.md: every key with type, range, default, unit and meaning."""
    parts = [INTRO]
    for title, names in SECTIONS.items():
        parts.append(f"## {title}\n")
        blocks = [getattr(config, name) for name in names] or [*models(), config.Augment]
        parts += [_block(block) for block in blocks]
    return "\n".join(parts)


def models() -> list[type[pydantic.BaseModel]]:
    """The kinds of model."""
    return list(typing.get_args(typing.get_args(config.Model)[0]))


def _block(block: type[pydantic.BaseModel]) -> str:
    head = f"### {block.__name__}\n\n{(block.__doc__ or '').strip()}\n"
    lines = ["| key | type | range | default | unit | meaning |", "|---|---|---|---|---|---|"]
    for name, field in block.model_fields.items():
        cells = (
            f"`{name}`",
            *kind_and_range(field),
            default(field),
            unit(name, field),
            field.description or _first_line(field),
        )
        lines.append("| " + " | ".join(_cell(text) for text in cells) + " |")
    return head + "\n" + "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ") or "–"


def _first_line(field: FieldInfo) -> str:
    """What a key without a description means: a block says its own purpose, a single choice names the block."""
    kind = field.annotation
    if typing.get_origin(kind) is typing.Literal:
        return "Says which kind of block this is."
    return (kind.__doc__ or "").strip().split("\n")[0] if isinstance(kind, type) else ""


def kind_and_range(field: FieldInfo) -> tuple[str, str]:
    """Type in words, and the limits on the value."""
    kind, limits = _describe(field.annotation)
    return kind, ", ".join([*_limits(field.metadata), *limits])


def _describe(annotation: Any) -> tuple[str, list[str]]:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        kind, limits = _describe(inner[0])
        own = [part for item in inner[1:] for part in (_limits(item.metadata) if isinstance(item, FieldInfo) else [])]
        return kind, own + limits
    if origin is typing.Literal:
        return "one of", [", ".join(f"`{value}`" for value in inner)]
    if origin in (typing.Union, types.UnionType):
        described = [_describe(part) for part in inner]
        return " or ".join(kind for kind, _ in described), [part for _, limits in described for part in limits]
    if origin in (list, dict):
        kind, limits = _describe(inner[-1])
        return ("list of " if origin is list else "by name: ") + kind, [f"each {limit}" for limit in limits]
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})", []
    return NAMES.get(annotation, str(annotation)), []


def _limits(metadata: list[Any]) -> list[str]:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = []
    for item in metadata:
        found += [f"{sign} {getattr(item, key)}" for key, sign in signs.items() if getattr(item, key, None) is not None]
        if getattr(item, "min_length", None) is not None:
            found.append(f"at least {item.min_length} in the list")
        if getattr(item, "pattern", None):
            found.append("letters, digits, - and _")
    return found


def default(field: FieldInfo) -> str:
    """The default as YAML would have it."""
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, pydantic.BaseModel):
        return "its defaults"
    plain = json.dumps(value, default=str, ensure_ascii=False)
    return "none" if value is None else f"`{plain}`"


def unit(name: str, field: FieldInfo) -> str:
    """Unit of a number: from the end of its key, or a share where its range is 0 to 1; – for what has none."""
    numbers = {int, float} & set(_leaves(field.annotation))
    if not numbers:
        return "–"
    last = name.rsplit("_", 1)[-1]
    if last in UNITS:
        return UNITS[last]
    if name in COUNTED:
        return COUNTED[name]
    kind, limits = kind_and_range(field)
    bounds = set(limits.replace("each ", "").split(", "))
    return "share" if {"number", "list of number"} & set(kind.split(" or ")) and bounds >= {"≥ 0", "≤ 1"} else "–"


def _leaves(annotation: Any) -> Iterator[Any]:
    inner = typing.get_args(annotation)
    if not inner or typing.get_origin(annotation) is typing.Literal:
        yield annotation
    for part in inner:
        yield from _leaves(part)


def schema(kind: Any, title: str) -> str:
    """JSON schema of one kind of configuration file, for editors and other tools."""
    described = pydantic.TypeAdapter(kind).json_schema()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    return json.dumps(head | {k: v for k, v in described.items() if k != "title"}, indent=1, ensure_ascii=False) + "\n"


def tables_page() -> str:
    """docs/tables.md: every file that crosses a rule boundary."""
    parts = [
        "# Files of results\n",
        "*Made by `python -m ecgwas.docs` from `src/ecgwas/tables/`; edit that, not this.*\n",
        "Paths start at `results/{study}/`. A name with braces is a pattern: `t:{trait}` is a column for each trait.\n",
    ]
    for name, entry in tables.entries().items():
        parts += [f"## {_title(name)}\n", f"`{entry.path}`\n", _contents(entry) + "\n"]
    return "\n".join(parts)


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _contents(entry: tables.Entry) -> str:
    if isinstance(entry, tables.Document):
        return entry.meaning
    if isinstance(entry, tables.Array):
        rows = [(f"`{name}`", *(_cell(text) for text in described)) for name, described in entry.arrays.items()]
        return _markdown(("array", "type", "axes", "meaning and unit"), rows)
    if same := _same_columns(entry):
        return f"The columns of [{_title(same)}](#{_title(same).lower().replace(' ', '-')})."
    every = [*entry.columns.items(), *entry.further.items()]
    rows = [(f"`{name}`", _dtype(kind), _cell(words)) for name, (kind, words) in every]
    return _markdown(("column", "type", "meaning and unit"), rows)


def _same_columns(table: tables.Table) -> str | None:
    """The name of the first table that has the very columns of this one."""
    others = {name: other for name, other in tables.entries().items() if isinstance(other, tables.Table)}
    first = next(name for name, other in others.items() if other.columns is table.columns)
    return None if others[first] is table else first


def _markdown(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(
        "|" + "|".join(cells) + "|" if cells[0] == "---" else f"| {' | '.join(cells)} |" for cells in lines
    )


def _dtype(kind: str) -> str:
    return re.sub(r"List\((\w+)\)", r"list of \1", kind)


def generated() -> dict[str, str]:
    """Path from the project's folder -> content, of every generated file."""
    return {
        "config/README.md": config_readme(),
        "docs/tables.md": tables_page(),
        "workflow/schemas/study.schema.json": schema(config.Study, "study"),
        "workflow/schemas/cohort.schema.json": schema(config.Cohort, "cohort"),
        "workflow/schemas/model.schema.json": schema(config.Model, "model"),
    }


def stale(root: Path) -> list[str]:
    """Generated files that differ from what the code says."""
    return [name for name, text in generated().items() if not _same(root / name, text)]


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def main(check: bool = False, root: Path = ROOT) -> None:
    """Write the generated documents, or with `--check true` only say whether they are up to date.

    Args:
        check: write nothing; end with status 1 where a document is out of date.
        root: the project's folder.
    """
    names = stale(root)
    if check:
        sys.exit(f"error: out of date: {', '.join(names)}; run `make docs` and commit" if names else 0)
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(generated()[name], encoding="utf-8")
        print(f"wrote {name}", flush=True)


if __name__ == "__main__":
    run(main)
