"""Settings and files of a job -> words of its command line: JSON strings and quoted flags."""

import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

Values = Mapping[str, Any]  # named files of a job, as Snakemake has them


def as_json(block: Any) -> str:
    """A block of settings as the JSON string that a step's command line takes."""
    return block.model_dump_json() if block is not None else "{}"


def json_list(paths: Iterable[Any]) -> str:
    """Paths as the JSON list that a step's command line takes."""
    return json.dumps([str(path) for path in paths])


def json_lists(named: Values) -> dict[str, str]:
    """Named files as such lists."""
    return {name: json_list([files] if isinstance(files, str) else files) for name, files in named.items()}


def flag(name: str, path: Any) -> str:
    """`--name path`, quoted for the shell, or nothing where there is no path."""
    return f"--{name} {shlex.quote(str(path))}" if path else ""


def flags(named: Values) -> str:
    """Such flags of those that have a path."""
    return " ".join(flag(name, path) for name, path in named.items() if path)


def input_lists(wildcards: Any, input: Values) -> dict[str, str]:
    """Named inputs as the JSON lists that command lines take."""
    return json_lists(input)


def output_lists(wildcards: Any, output: Values) -> dict[str, str]:
    """Named outputs as such lists."""
    return json_lists(output)


def output_flags(wildcards: Any, output: Values) -> str:
    """`--{name}_out path` of every named output."""
    return flags({f"{name}_out": path for name, path in output.items()})


def people_flag(wildcards: Any, input: Any) -> str:
    """`--people path` where the cohort has a table of people."""
    return flag("people", input.people)


def analysed(wildcards: Any, input: Values) -> str:
    """The same people, traits and variants by the same flags, for every step that goes back to the genotypes.

    With the predictions of step 1 where they are an input, so that every step takes them from the traits.
    """
    named = dict(input.items())
    names = ("manifest", "variants", "samples", "traits", "covariates", "loco")
    return flags({name: named[name] for name in names if name in named})
