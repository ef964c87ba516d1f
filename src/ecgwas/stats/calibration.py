"""Logits -> probabilities by Platt scaling; probabilities and labels -> reliability, slope, intercept and ECE."""

from dataclasses import dataclass

import numpy as np
import scipy.special

from ecgwas.stats import logistic
from ecgwas.stats.bootstrap import Draws, centred, interval

DECILES = tuple(k / 10 for k in range(1, 10))
SMALLEST = 1e-12  # keeps logarithms of probabilities finite
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
    intercept, slope = recalibration(logits, y)
    if not np.isfinite(slope):
        return Platt(0.0, 1.0, "the validation split has one class only, or the logit separates the classes")
    if slope <= 0:
        return Platt(0.0, 1.0, "in the validation split, risk does not rise with the logit")
    return Platt(float(intercept), float(slope))


def brier(y: np.ndarray, p: np.ndarray, weights: np.ndarray | None = None) -> float | np.ndarray:
    """Mean squared distance of probabilities p [n] from labels (Brier 1950, Mon Weather Rev 78:1); [b] with weights."""
    squared = (np.asarray(p) - y) ** 2
    return float(squared.mean()) if weights is None else weights @ squared / weights.sum(1)


def recalibration(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Intercept and slope [2] of P(y = 1) = expit(intercept + slope x), x and y [n]; NaN where there is no maximum.

    There is none without both classes, with constant x, and where x separates the classes.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if not (0 < y.sum() < len(y)) or np.ptp(x) == 0 or _separated(x, y):
        return np.full(2, np.nan)
    centre, spread = x.mean(), x.std()
    design = np.column_stack([np.ones(len(x)), (x - centre) / spread])
    intercept, slope = logistic.fit(y, design, start=np.array([scipy.special.logit(y.mean()), 0.0])).beta
    return np.array([intercept - slope * centre / spread, slope / spread])


def _separated(x: np.ndarray, y: np.ndarray) -> bool:
    cases, controls = x[y == 1], x[y == 0]
    return cases.min() >= controls.max() or controls.min() >= cases.max()


def slope_and_intercept(y: np.ndarray, p: np.ndarray) -> tuple[float, float]:
    """Calibration slope and intercept of probabilities p [n]; 1 and 0 for good ones (Cox 1958, Biometrika 45:562).

    Slope: of the logistic regression of y on logit p. Intercept: of the one whose slope is 1, calibration in the large:
    above 0 where the predicted risk is too low (Van Calster et al. 2019, BMC Med 17:230).
    """
    x = logit(p)
    return float(recalibration(x, y)[1]), in_the_large(y, x)


def in_the_large(y: np.ndarray, x: np.ndarray) -> float:
    """Intercept a for which the mean of expit(a + x) is that of y; NaN without both classes."""
    from scipy.optimize import brentq

    if not 0 < y.mean() < 1:
        return float("nan")
    wanted = scipy.special.logit(y.mean())
    low, high = wanted - np.max(x) - 1e-6, wanted - np.min(x) + 1e-6
    return float(brentq(lambda a: scipy.special.expit(a + x).mean() - y.mean(), low, high, xtol=1e-13))


def logit(p: np.ndarray) -> np.ndarray:
    """Log odds of probabilities, finite at 0 and 1."""
    return scipy.special.logit(np.clip(p, SMALLEST, 1 - SMALLEST))


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
    x = logit(p)
    fits = recalibration(x, y), in_the_large(y, x)

    def resampled(weights: np.ndarray) -> np.ndarray:
        w = weights.astype(np.float64)
        slope, intercept = refitted(y, x, fits[0], w), one_step_at_one(y, x, fits[1], w)
        return np.column_stack([brier(y, p, w), slope, intercept, expected_error(y, p, groups, w)])

    again = draws.over(person, resampled).reshape(-1, 4)
    values = [brier(y, p), float(fits[0][1]), fits[1], float(expected_error(y, p, groups)[0])]
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
