"""Labels, scores and a column of groups -> discrimination in each group, and its gap to everybody else."""

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas.errors import UserError
from ecgwas.people.values import read_values
from ecgwas.stats import disclosure, discrimination
from ecgwas.stats.bootstrap import Draws, interval

MEASURES = ("auroc", "auprc", "sensitivity", "specificity")
UNKNOWN, OTHER = "unknown", "other"
MOST_GROUPS = 20  # the largest; the rest are one group


@dataclass(frozen=True)
class GroupTables:
    """Tables of a cohort that hold grouping columns."""

    recordings: Path | None = None
    people: Path | None = None
    samples: Path | None = None


@dataclass(frozen=True)
class ScoredRecordings:
    """Scores of one method and outcome, missing ones excluded."""

    y: np.ndarray  # [n], 0 or 1
    s: np.ndarray  # [n]
    person: np.ndarray  # [n], codes of people, as in the resamples
    draws: Draws
    threshold: float | None  # fixed in the validation split


@dataclass(frozen=True)
class GroupMeasure:
    """A measure of one group, or why there is none."""

    group: str
    measure: str | None
    value: tuple[float, float, float] | None  # value, low, high
    gap: tuple[float, float, float] | None  # group less the rest
    people: int | None
    cases: int | None
    reason: str | None


def grouping(name: str, labels: pl.DataFrame, columns: GroupTables, age_bands: list[float]) -> np.ndarray | str:
    """Group name of each labelled recording; or the reason why there are no groups."""
    if name == "age":
        found = labels["age"].cast(pl.Float64)
        return banded(found.to_numpy(), age_bands) if found.is_not_null().any() else "no age is known"
    column = {"leads": "n_leads"}.get(name, name)
    values = labels["sex"] if name == "sex" else _looked_up(column, labels, columns)
    if values is None:
        return f"the cohort has no column {column}"
    if values.is_null().all():
        return f"{column} is not known of anyone"
    if values.dtype.is_float() and values.n_unique() > MOST_GROUPS:
        return f"{column} has {values.n_unique()} values: a number, and no group"
    return _largest(values.cast(pl.String).fill_null(UNKNOWN).to_numpy().astype(str))


def _looked_up(column: str, labels: pl.DataFrame, columns: GroupTables) -> pl.Series | None:
    """The column from the first of recordings, people and samples that has it; None where none does."""
    places = (columns.recordings, "recording_id"), (columns.people, "person_id"), (columns.samples, "person_id")
    for path, key in places:
        if path is None:
            continue
        table = read_values(path)
        if column not in table.columns or table.schema[column].is_nested():
            continue
        if key not in table.columns:
            raise UserError(f"{path}: column {column} is asked for by predict.subgroups, but there is no {key}; add it")
        one = table.filter(pl.col(key).is_not_null()).unique(key, keep="first", maintain_order=True)
        return labels.join(one.select(key, pl.col(column).alias("_")), on=key, how="left", maintain_order="left")["_"]
    return None


def banded(age: np.ndarray, limits: list[float]) -> np.ndarray:
    """Names of age bands: below the first limit, between limits, from the last limit on."""
    limits = sorted(limits)
    if not limits:
        return np.where(np.isfinite(age), "all", UNKNOWN)
    inner = [f"{low:g}-{high:g}" for low, high in itertools.pairwise(limits)]
    names = np.array([f"<{limits[0]:g}", *inner, f">={limits[-1]:g}"])
    return np.where(np.isfinite(age), names[np.searchsorted(limits, np.nan_to_num(age), "right")], UNKNOWN)


def _largest(words: np.ndarray) -> np.ndarray:
    names, counts = np.unique(words, return_counts=True)
    if len(names) <= MOST_GROUPS:
        return words
    return np.where(np.isin(words, names[np.argsort(-counts, kind="stable")][:MOST_GROUPS]), words, OTHER)


def counts(group: np.ndarray, names: np.ndarray, y: np.ndarray, person: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """People and cases among them [group]; a case is a person with any recording of a case in the group."""
    people = [len(np.unique(person[group == name])) for name in names]
    cases = [len(np.unique(person[(group == name) & (y == 1)])) for name in names]
    return np.array(people), np.array(cases)


def group_measures(scored: ScoredRecordings, group: np.ndarray, least: int, min_cases: int) -> Iterator[GroupMeasure]:
    """Measures of each group and gaps to all others; one row, why, where people, cases or controls are too few."""
    names = np.unique(group)
    people, cases = counts(group, names, scored.y, scored.person)
    seen = disclosure.shown(people, cases, least)
    if not seen.total_people:
        yield GroupMeasure("all", None, None, None, None, None, f"groups of fewer than {least} people")
        return
    shown_people, shown_cases = disclosure.masked(people, seen.people), disclosure.masked(cases, seen.cases)
    needed = max(min_cases, least)
    for k, name in enumerate(names):
        about = GroupMeasure(str(name), None, None, None, shown_people[k], shown_cases[k], None)
        if not seen.cases[k]:
            why = f"hidden: fewer than {least} people with, or without, the outcome could be worked out"
            yield dataclasses.replace(about, reason=why)
        elif min(cases[k], people[k] - cases[k]) < needed:
            why = f"not estimable: fewer than {needed} people with, or without, the outcome"
            yield dataclasses.replace(about, reason=why)
        else:
            yield from _measured(scored, group == name, about, needed)


def _measured(scored: ScoredRecordings, inside: np.ndarray, about: GroupMeasure, needed: int) -> Iterator[GroupMeasure]:
    values, again = _both(scored, inside)
    rest = ~inside
    rest_cases = len(np.unique(scored.person[rest & (scored.y == 1)]))
    rest_controls = len(np.unique(scored.person[rest & (scored.y == 0)]))
    compared = min(rest_cases, rest_controls) >= needed
    other, other_again = _both(scored, rest) if compared else (values, again)
    for j, measure in enumerate(MEASURES if scored.threshold is not None else MEASURES[:2]):
        gap = (values[j] - other[j], *interval(again[:, j] - other_again[:, j])) if compared else None
        why = None if compared else f"no gap: fewer than {needed} people with, or without, the outcome in the rest"
        value = (values[j], *interval(again[:, j]))
        yield dataclasses.replace(about, measure=measure, value=value, gap=gap, reason=why)


def _both(scored: ScoredRecordings, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """MEASURES of the rows: as they are [measure], and in each resample [b, measure]."""
    y, s = scored.y[rows], scored.s[rows]
    ranks, called = discrimination.ranking(y, s), np.zeros(len(y), bool)
    if scored.threshold is not None:
        called = s >= scored.threshold
    right, kinds = (called == (y == 1)).astype(np.float64), [(y == kind).astype(np.float64) for kind in (1, 0)]

    def measured(weights: np.ndarray) -> np.ndarray:
        w = weights.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = [(w @ (kind * right)) / (w @ kind) for kind in kinds]
        return np.column_stack([discrimination.ranked(ranks, weights), *shares])

    once = measured(np.ones((1, len(y)), np.int16))[0]
    return once, scored.draws.over(scored.person[rows], measured).reshape(-1, len(MEASURES))
