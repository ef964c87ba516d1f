"""Labels and scores of several methods -> variance of AUROCs and paired tests, people with several recordings allowed.

DeLong, DeLong & Clarke-Pearson 1988 (Biometrics 44:837) with the midranks of Sun & Xu 2014 (IEEE Signal Process Lett
21:1389), O(n log n); over the recordings of a person as Obuchowski 1997 (Biometrics 53:567).
"""

from typing import NamedTuple

import numpy as np
import scipy.special
import scipy.stats

from ecgwas.stats import Z


class Difference(NamedTuple):
    """AUROC of one method less that of another."""

    value: float
    se: float
    low: float
    high: float
    p: float


def components(y: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Structural components of scores [method, n]: V10 [method, positives] and V01 [method, negatives].

    V10 is the share of negatives that a positive scores above (ties half), V01 the share of positives above a
    negative, from midranks: Sun & Xu 2014, eq. 5 and algorithm 2.
    """
    positive = y == 1
    m, n = int(positive.sum()), int((~positive).sum())
    whole = scipy.stats.rankdata(scores, axis=1)
    among_positives = scipy.stats.rankdata(scores[:, positive], axis=1)
    among_negatives = scipy.stats.rankdata(scores[:, ~positive], axis=1)
    return (whole[:, positive] - among_positives) / n, 1 - (whole[:, ~positive] - among_negatives) / m


def covariance(y: np.ndarray, scores: np.ndarray, person: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """AUROCs [method] of scores [method, n] and their covariance [method, method].

    `person` [n] says whose each recording is; without it each is another's. One recording a person makes it DeLong's:
    Obuchowski 1997, eq. 5 to 8. NaN with fewer than two people on either side.
    """
    positive = y == 1
    m, n = int(positive.sum()), int((~positive).sum())
    if not (m and n):
        return np.full(len(scores), np.nan), np.full((len(scores), len(scores)), np.nan)
    v10, v01 = components(y, scores)
    auc = v10.mean(1)
    group = np.arange(len(y)) if person is None else np.unique(person, return_inverse=True)[1]
    a = _sums(v10 - auc[:, None], group[positive], int(group.max()) + 1)
    b = _sums(v01 - auc[:, None], group[~positive], int(group.max()) + 1)
    with_positive, with_negative = len(np.unique(group[positive])), len(np.unique(group[~positive]))
    everyone = len(np.unique(group))
    if min(with_positive, with_negative) < 2:
        return auc, np.full((len(auc), len(auc)), np.nan)
    s10 = with_positive / (with_positive - 1) * (a @ a.T) / m**2
    s01 = with_negative / (with_negative - 1) * (b @ b.T) / n**2
    s11 = everyone / (everyone - 1) * (a @ b.T) / (m * n)
    return auc, s10 + s01 + s11 + s11.T


def _sums(values: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Sums [method, group] of values [method, n]."""
    return np.stack([np.bincount(group, row, minlength=groups) for row in values])


def auroc_interval(y: np.ndarray, s: np.ndarray, person: np.ndarray | None = None) -> tuple[float, float, float]:
    """AUROC of s [n] and its interval, normal on the logit scale, which keeps it between 0 and 1.

    Pepe 2003, The Statistical Evaluation of Medical Tests, section 5.2.4. Without errors the AUROC is 1 and its
    variance 0: there is no interval (NaN).
    """
    auc, cov = covariance(y, s[None], person)
    value, variance = float(auc[0]), float(cov[0, 0])
    if not (0 < value < 1 and variance > 0):
        return value, float("nan"), float("nan")
    reach = Z * np.sqrt(variance) / (value * (1 - value))
    middle = scipy.special.logit(value)
    return value, float(scipy.special.expit(middle - reach)), float(scipy.special.expit(middle + reach))


def difference(y: np.ndarray, s: np.ndarray, other: np.ndarray, person: np.ndarray | None = None) -> Difference:
    """AUROC of s less that of `other` on the same recordings, with interval and two-sided p."""
    return compared(*covariance(y, np.stack([s, other]), person))


def compared(auc: np.ndarray, cov: np.ndarray) -> Difference:
    """The first of two AUROCs [2] less the second, by their covariance [2, 2].

    The p is 1 where the two never differ, and NaN where a variance of 0 says nothing about a difference.
    """
    value, variance = float(auc[0] - auc[1]), float(cov[0, 0] + cov[1, 1] - 2 * cov[0, 1])
    if not np.isfinite(variance):
        return Difference(value, *[float("nan")] * 4)
    se = float(np.sqrt(max(variance, 0.0)))
    if se < 1e-12:
        same = abs(value) < 1e-12
        return Difference(value, 0.0, value if same else np.nan, value if same else np.nan, 1.0 if same else np.nan)
    reach = Z * se
    return Difference(value, se, value - reach, value + reach, float(2 * scipy.stats.norm.sf(abs(value) / se)))
