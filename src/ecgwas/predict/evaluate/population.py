"""Risks of a cohort's people -> their distribution, trend, highest-risk groups and yield of screening.

One row per group of people. No count under `least` is shown, nor can be derived from rows and totals.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ecgwas.predict.evaluate.subgroups import UNKNOWN
from ecgwas.stats import Z, calibration, disclosure
from ecgwas.stats.thresholds import wilson

BANDS = (*calibration.DECILES, 0.95, 0.99)  # quantiles of risk
MONTHS_UNDER_YEARS = 3  # a span of fewer calendar years is shown by month


@dataclass(frozen=True)
class PopulationRow:
    """A group of people: count, mean risk, cases. None: suppressed, or not applicable."""

    view: str  # total, risk, date, screening, or the grouping column
    group: str
    people: int | None = None
    cases: int | None = None
    risk: tuple[float, float, float] | None = None  # mean, low, high
    observed: tuple[float, float, float] | None = None  # share of cases, low, high
    screen: tuple[float, float, float] | None = None  # people screened per case found
    found: float | None = None  # share of all cases found
    reason: str | None = None


@dataclass(frozen=True)
class PredictedRisks:
    """One recording a person, the latest."""

    risk: np.ndarray  # [n] probability
    y: np.ndarray  # [n], 0 or 1
    time: np.ndarray  # [n] ISO 8601, "" where unknown


def latest(person: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Places of each person's latest recording; the last in the table among unknown or equal times."""
    order = np.lexsort((np.arange(len(person)), time.astype(str), person))
    last = np.r_[np.diff(person[order]) != 0, True] if len(order) else np.zeros(0, bool)
    return np.sort(order[last])


def view(people: PredictedRisks, least: int, groupings: dict[str, np.ndarray]) -> list[PopulationRow]:
    """All views of one outcome and one method's risks; `groupings`: further columns [n] of group names."""
    n, cases = len(people.y), int(people.y.sum())
    seen = disclosure.shown(np.array([n]), np.array([cases]), least)
    if not seen.total_people:
        return [PopulationRow("total", "all", reason=f"fewer than {least} people")]
    rows = list(partition("total", np.zeros(n, int), ["all"], people, least))
    rows += banded(people, least)
    for name, words in ({"date": dates(people.time)} | groupings).items():
        groups, code = np.unique(words, return_inverse=True)
        if list(groups) != [UNKNOWN]:
            rows += partition(name, code, [str(group) for group in groups], people, least)
    return rows


def dates(time: np.ndarray) -> np.ndarray:
    """Year of each recording, or month where they span fewer than MONTHS_UNDER_YEARS calendar years."""
    time = time.astype(str)
    known = np.array([len(t) >= 7 and t[:4].isdigit() for t in time], bool)
    years = np.array([int(t[:4]) for t in time[known]], int)
    length = 7 if len(years) and years.max() - years.min() < MONTHS_UNDER_YEARS - 1 else 4
    return np.array([t[:length] if good else UNKNOWN for t, good in zip(time, known, strict=True)], dtype=object)


def partition(
    name: str, code: np.ndarray, words: list[str], people: PredictedRisks, least: int
) -> Iterator[PopulationRow]:
    """Rows of a partition into groups, `code` [n] the index of the group in `words`; empty groups have none."""
    size = np.bincount(code, minlength=len(words))
    cases = np.bincount(code, people.y, minlength=len(words)).astype(int)
    there = np.flatnonzero(size)
    seen = disclosure.shown(size[there], cases[there], least)
    if not seen.total_people:
        yield PopulationRow(name, "all", reason=f"groups of fewer than {least} people")
        return
    for k, group in enumerate(there):
        if not seen.people[k]:
            yield PopulationRow(name, words[group], reason=f"hidden: fewer than {least} people could be worked out")
            continue
        n, c = int(size[group]), int(cases[group])
        risk = mean_risk(people.risk[code == group])
        if not seen.cases[k]:
            why = f"cases hidden: fewer than {least} cases or controls could be worked out"
            yield PopulationRow(name, words[group], n, None, risk, reason=why)
            continue
        yield PopulationRow(name, words[group], n, c, risk, (c / n, *wilson(c, n)))


def mean_risk(risk: np.ndarray) -> tuple[float, float, float]:
    """Mean of risks [n] with its normal 95 % interval, kept between 0 and 1."""
    mean = float(risk.mean())
    reach = Z * float(risk.std(ddof=1)) / np.sqrt(len(risk)) if len(risk) > 1 else float("nan")
    return mean, max(0.0, mean - reach), min(1.0, mean + reach)


def banded(people: PredictedRisks, least: int) -> Iterator[PopulationRow]:
    """Bands of risk, each with at least `least` cases and controls; then the yield of screening the highest bands.

    Number needed to screen: people screened per case found, 1/PPV (Rembold 1998, BMJ 317:307).
    """
    n, total = len(people.y), int(people.y.sum())
    bands = calibration.bins(people.y, people.risk, np.arange(n), least, BANDS)
    code = np.zeros(n, int)
    for k, band in enumerate(bands):
        code[band.rows] = k
    names = [f"{100 * band.start:g}-{100 * band.end:g} %" for band in bands]
    yield from partition("risk", code, names, people, least)
    for k in range(len(bands) - 1, 0, -1):
        size = int((code >= k).sum())
        found = int(people.y[code >= k].sum())
        low, high = wilson(found, size)
        name, needed = f"highest {100 * (1 - bands[k].start):g} %", (size / found, 1 / high, 1 / low)
        yield PopulationRow("screening", name, size, found, None, (found / size, low, high), needed, found / total)
