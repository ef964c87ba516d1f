"""Coefficients and the size of a cohort -> the memory that a job asks for: a + b x size, times the attempt."""

import functools
import json
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ecgwas import config, tables
from ecgwas.errors import UserError
from ecgwas.study import Checked

ASSUMED = {"people": 5000, "recordings": 6000, "variants": 1_000_000}  # where nothing says how large a cohort is
UNITS = {"mb", "mb_per_1000_people", "mb_per_1000_recordings", "mb_per_million_variants"}


@dataclass(frozen=True)
class Size:
    """How large a cohort is, or several together."""

    people: int
    recordings: int
    variants: int

    def __add__(self, other: "Size") -> "Size":
        """Both cohorts: all people and recordings, and the variants of the larger."""
        variants = max(self.variants, other.variants)
        return Size(self.people + other.people, self.recordings + other.recordings, variants)


def size(name: str, cohort: config.Cohort, results: Path) -> Size:
    """Size of a cohort: as its file expects, else of its simulation, else of its genotypes' manifest, else assumed."""
    known = ASSUMED | manifest(tables.MANIFEST.at(results, cohort=name)) | simulated(cohort)
    if cohort.expected:
        known |= cohort.expected.model_dump(exclude_none=True)
    return Size(**known)


def simulated(cohort: config.Cohort) -> dict[str, int]:
    """What is known of a cohort before it is simulated."""
    made = cohort.simulate
    if not isinstance(made, config.Simulate):
        return {}
    variants = made.sparse_variants + len(made.loci) * made.dense_variants
    return {"people": made.people, "recordings": round(made.people * (1 + made.second_recording)), "variants": variants}


def manifest(path: Path) -> dict[str, int]:
    """People and variants of the genotype files that an earlier run has read; nothing where there was none."""
    if not path.is_file():
        return {}
    sources = json.loads(path.read_text())["sources"]
    return {"people": max(s["n_samples"] for s in sources), "variants": sum(s["n_variants"] for s in sources)}


def coefficients(path: Path) -> dict[str, dict[str, float]]:
    """Rule -> its coefficients, of the YAML file at `path`; raises `UserError` where one is no such number."""
    values = yaml.safe_load(path.read_text())
    for rule, terms in values.items():
        for name, value in terms.items():
            if name not in UNITS or not isinstance(value, int | float) or value < 0:
                raise UserError(f"{path}: {rule}: {name}: {value}; write numbers from 0 for {', '.join(sorted(UNITS))}")
    return values


def megabytes(terms: Mapping[str, float], size: Size) -> int:
    """Memory of a job's first attempt, MB."""
    return round(
        terms["mb"]
        + terms.get("mb_per_1000_people", 0) * size.people / 1e3
        + terms.get("mb_per_1000_recordings", 0) * size.recordings / 1e3
        + terms.get("mb_per_million_variants", 0) * size.variants / 1e6
    )


class Memory:
    """What the rules of a study ask for."""

    def __init__(self, checked: Checked, path: Path, results: Path = Path(".")):
        self._known = coefficients(path)
        self._path = path
        self._cohorts = checked.cohorts
        self._sizes = functools.cache(lambda name: size(name, checked.cohorts[name], results))

    def __call__(self, rule: str) -> Callable[..., int]:
        """The function by which a rule asks for memory: more with every attempt.

        A rule without wildcard {cohort} reads all cohorts.
        """
        if rule not in self._known:
            raise UserError(f"{self._path}: no memory of rule {rule}; write `{rule}: {{mb: 2000}}`")

        def memory(wildcards: Any, attempt: int) -> int:
            own = wildcards.get("cohort")
            sizes = [self._sizes(name) for name in ([own] if own else self._cohorts)]
            return attempt * megabytes(self._known[rule], functools.reduce(operator.add, sizes))

        return memory
