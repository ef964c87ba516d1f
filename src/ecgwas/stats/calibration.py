"""Logits -> probabilities by Platt scaling; probabilities and labels -> reliability, slope, intercept and ECE."""

from dataclasses import dataclass

import numpy as np
import scipy.special

from ecgwas.stats import discrimination
from ecgwas.stats.bootstrap import Draws, centred, interval

DECILES = tuple(k / 10 for k in range(1, 10))
MEASURES = ("brier", "slope", "intercept", "ece")


@dataclass(frozen=True)
class Platt:
    """probability = expit(intercept + slope logit); `reason` where it could not be fitted and is the logit itself."""

    intercept: float
    slope: float
    reason: str | None = None

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Probabilities of logits [n]."""
        return scipy.special.expit(self.intercept + self.slope * logits)


@dataclass(frozen=True)
class Bin:
    """People of neighbouring risks."""

    rows: np.ndarray  # places of the recordings
    start: float  # quantile of risk where it starts, 0 to 1
    end: float  # where it ends


def platt(y: np.ndarray, logits: np.ndarray) -> Platt:
    """Logistic regression of y on logits of the validation split (Platt 1999, Advances in Large Margin Classifiers 61).

    Where it has no maximum (one class only, or separated classes), or a slope of 0 or less, the logit is left as it is.
    """
    intercept, slope = discrimination.logistic(logits, y)
    if not np.isfinite(slope):
        return Platt(0.0, 1.0, "the validation split has one class only, or the logit separates the classes")
    if slope <= 0:
        return Platt(0.0, 1.0, "in the validation split, risk does not rise with the logit")
    return Platt(float(intercept), float(slope))


def bins(y: np.ndarray, p: np.ndarray, person: np.ndarray, least: int, edges: tuple[float, ...] = DECILES) -> list[Bin]:
    """Recordings in groups of neighbouring probability p [n], cut at the quantiles `edges`, equal ones together.

    Each has at least `least` people, people with a case and people with a control: one with fewer joins the next
    higher, the last the one before. More cuts split these groups further and never across, so that two such tables do
    not tell a smaller number either. One group where there are not enough.
    """
    order = np.argsort(p, kind="stable")
    places = np.searchsorted(p[order], np.quantile(p, edges), "left")
    joined: list[Bin] = []
    held, since = np.zeros(0, int), 0.0
    for start, end, edge in zip([0, *places], [*places, len(p)], [*edges, 1.0], strict=True):
        held = np.r_[held, order[start:end]]
        if _enough(y, person, held, least):
            joined.append(Bin(held, since, edge))
            held, since = np.zeros(0, int), edge
    if len(held) or not joined:
        last = joined.pop() if joined else Bin(np.zeros(0, int), 0.0, 1.0)
        joined.append(Bin(np.r_[last.rows, held], last.start, 1.0))
    return joined


def _enough(y: np.ndarray, person: np.ndarray, rows: np.ndarray, least: int) -> bool:
    return all(len(np.unique(person[rows[y[rows] == kind]])) >= least for kind in (0, 1))


def expected_error(y: np.ndarray, p: np.ndarray, groups: list[Bin], weights: np.ndarray | None = None) -> np.ndarray:
    """ECE [b]: mean over groups, by size, of |share of cases - mean probability| (Naeini et al. 2015, AAAI, eq. 3)."""
    weights = np.ones((1, len(y))) if weights is None else weights
    off = [np.abs(weights[:, g.rows] @ (y[g.rows] - p[g.rows])) for g in groups]
    return np.sum(off, axis=0) / weights.sum(1)


def measures(
    y: np.ndarray, p: np.ndarray, person: np.ndarray, draws: Draws, least: int
) -> dict[str, tuple[float, float, float]]:
    """MEASURES of probabilities p [n]: value and the interval over resamples of people; NaN where there is none."""
    groups = bins(y, p, person, least)
    x = discrimination.logit(p)
    fits = discrimination.logistic(x, y), discrimination.intercept_at_one(y, x)

    def resampled(weights: np.ndarray) -> np.ndarray:
        w = weights.astype(np.float64)
        slope, intercept = refitted(y, x, fits[0], w), one_step_at_one(y, x, fits[1], w)
        return np.column_stack([discrimination.brier(y, p, w), slope, intercept, expected_error(y, p, groups, w)])

    again = draws.over(person, resampled).reshape(-1, 4)
    values = [discrimination.brier(y, p), float(fits[0][1]), fits[1], float(expected_error(y, p, groups)[0])]
    ends = [interval(column) for column in again.T[:3]] + [centred(values[3], again[:, 3])]
    return {name: (values[k], *ends[k]) for k, name in enumerate(MEASURES)}


def refitted(y: np.ndarray, x: np.ndarray, fit: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Slope [b] of the logistic regression of y on x in each resample: two Newton steps from the `fit` of all.

    Moulton & Zeger 1991 (Comput Stat Data Anal 11:53) take one, which is short in the tails.
    """
    if not np.isfinite(fit).all():
        return np.full(len(weights), np.nan)
    w = np.tile(fit, (len(weights), 1))
    for _ in range(2):
        p = scipy.special.expit(w[:, :1] + w[:, 1:] * x)
        off, v = weights * (y - p), weights * p * (1 - p)
        g, h = off.sum(1), off @ x
        a, b, c = v.sum(1), v @ x, v @ (x * x)
        with np.errstate(invalid="ignore", divide="ignore"):
            w = w + np.column_stack([c * g - b * h, a * h - b * g]) / (a * c - b * b)[:, None]
    return w[:, 1]


def one_step_at_one(y: np.ndarray, x: np.ndarray, fit: float, weights: np.ndarray) -> np.ndarray:
    """Intercept [b] with the slope held at 1 in each resample, one Newton step from that of all."""
    if not np.isfinite(fit):
        return np.full(len(weights), np.nan)
    p = scipy.special.expit(fit + x)
    return fit + weights @ (y - p) / (weights @ (p * (1 - p)))
