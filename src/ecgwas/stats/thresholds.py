"""Validation scores -> a threshold; scores of any cohort at it -> sensitivity, specificity, PPV, NPV.

A recording is called positive when its score is the threshold or above it.
"""

from dataclasses import dataclass

import numpy as np

from ecgwas.stats import CONFIDENCE

MEASURES = ("sensitivity", "specificity", "ppv", "npv", "flagged")


@dataclass(frozen=True)
class Threshold:
    """Its value, the rule that selected it, and its performance in the validation split."""

    value: float
    rule: str
    sensitivity: float
    specificity: float


@dataclass(frozen=True)
class Rate:
    """A share with its Wilson interval; None without recordings."""

    value: float | None
    low: float | None
    high: float | None
    n: int  # recordings
    people: int


def select(y: np.ndarray, s: np.ndarray, rule: str, specificity: float = 0.9) -> Threshold | None:
    """Threshold among the scores s [n] of labels y [n]; None without both classes.

    youden: largest sensitivity + specificity - 1 (Youden 1950, Cancer 3:32); of equal ones the highest threshold.
    specificity: the lowest threshold with at least that specificity, or just above all scores where none has it.
    """
    cases, controls = np.sort(s[y == 1]), np.sort(s[y == 0])
    if not (len(cases) and len(controls)):
        return None
    above_all = np.nextafter(max(cases[-1], controls[-1]), np.inf)
    candidates = np.r_[np.unique(s), above_all]
    sensitivity = 1 - np.searchsorted(cases, candidates, "left") / len(cases)
    specific = np.searchsorted(controls, candidates, "left") / len(controls)
    if rule == "youden":
        gain = np.round(sensitivity + specific, 12)
        best = len(gain) - 1 - int(np.argmax(gain[::-1]))
    else:
        best = int(np.argmax(specific >= specificity - 1e-12))
    return Threshold(float(candidates[best]), rule, float(sensitivity[best]), float(specific[best]))


def rates(y: np.ndarray, s: np.ndarray, threshold: float, person: np.ndarray | None = None) -> dict[str, Rate]:
    """MEASURES of calling s >= threshold, over recordings y, s [n]; `person` [n] widens intervals of several each."""
    called, case = s >= threshold, y == 1
    asked = {
        "sensitivity": (case, called),
        "specificity": (~case, ~called),
        "ppv": (called, case),
        "npv": (~called, ~case),
        "flagged": (np.ones(len(y), bool), called),
    }
    whose = np.arange(len(y)) if person is None else person
    return {name: rate(good[among], whose[among]) for name, (among, good) in asked.items()}


def rate(good: np.ndarray, person: np.ndarray) -> Rate:
    """Share of True in good [n], with a Wilson interval for n over the design effect of several recordings a person."""
    n = len(good)
    if not n:
        return Rate(None, None, None, 0, 0)
    low, high = wilson(float(good.sum()), float(n), design_effect(good, person))
    return Rate(float(good.mean()), low, high, n, len(np.unique(person)))


def wilson(k: float, n: float, effect: float = 1.0, level: float = CONFIDENCE) -> tuple[float, float]:
    """Interval of the share k of n (Wilson 1927, JASA 22:209), n divided by a design effect (Rao & Scott 1992)."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(k / effect, n / effect, alpha=1 - level, method="wilson")
    return (0.0 if k == 0 else max(0.0, float(low))), (1.0 if k == n else min(1.0, float(high)))


def design_effect(good: np.ndarray, person: np.ndarray) -> float:
    """Variance of the share over people's recordings by that of as many people: 1 with one each, never less than 1.

    Ratio estimate over clusters: Rao & Scott 1992, Biometrics 48:577, eq. 1.
    """
    ids, group = np.unique(person, return_inverse=True)
    share, m = float(good.mean()), len(ids)
    if m == len(good) or m < 2:
        return 1.0
    if share in (0.0, 1.0):
        return len(good) / m  # within-person correlation is not estimable: taken as 1
    off = np.bincount(group, good) - share * np.bincount(group)
    variance = m / (m - 1) * float(off @ off) / len(good) ** 2
    return max(1.0, variance / (share * (1 - share) / len(good)))
