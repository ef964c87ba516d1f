"""Years and events -> Kaplan–Meier and Aalen–Johansen estimates with intervals, and the log-rank test."""

from dataclasses import dataclass

import numpy as np
import scipy.stats

from ecgwas.stats import Z


@dataclass(frozen=True)
class Curve:
    """Steps at the distinct times of events and deaths; values hold from a time on."""

    times: np.ndarray  # [t]
    at_risk: np.ndarray  # [t], just before
    survival: np.ndarray  # [t], neither event nor death (Kaplan–Meier)
    incidence: np.ndarray  # [t], of the event (Aalen–Johansen)
    death: np.ndarray  # [t], of death before it
    survival_variance: np.ndarray  # [t], Greenwood
    variance: np.ndarray  # [t], of the incidence

    def at(self, values: np.ndarray, when: np.ndarray | float, start: float = 0.0) -> np.ndarray:
        """`values` [t] as they stand at `when`; `start` before the first step."""
        return np.concatenate([[start], values])[np.searchsorted(self.times, when, side="right")]


def curve(years: np.ndarray, event: np.ndarray) -> Curve:
    """Kaplan–Meier and Aalen–Johansen of one group; event [n]: 0 censored, 1 event, 2 died before.

    Kaplan & Meier 1958, JASA 53:457, by statsmodels, with Greenwood's variance; Aalen & Johansen 1978, Scand J Stat
    5:141. The variance of the incidence is that of the delta method (Marubini & Valsecchi 1995, section 10.3), which is
    Greenwood's where nobody dies. The incidence is computed here: that of statsmodels (CumIncidenceRight) has no
    variance from the time on at which nobody is left at risk.
    """
    from statsmodels.duration.survfunc import SurvfuncRight

    estimate = SurvfuncRight(years, (event > 0).astype(int))
    times, survival = estimate.surv_times, estimate.surv_prob
    place = np.searchsorted(times, years[event > 0])
    first = np.bincount(place, event[event > 0] == 1, len(times))
    second = np.bincount(place, event[event > 0] == 2, len(times))
    n = (len(years) - np.searchsorted(np.sort(years), times)).astype(float)
    both = first + second
    before = np.concatenate([[1.0], survival[:-1]])
    incidence, death = np.cumsum(before * first / n), np.cumsum(before * second / n)
    left = np.divide(both, n * (n - both), out=np.zeros_like(n), where=n > both)
    variance = _delta(incidence, left, before**2 * first * (n - first) / n**3, before * first / n**2)
    return Curve(times, n, survival, incidence, death, np.nan_to_num(estimate.surv_prob_se) ** 2, variance)


def _delta(f: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Sum over u ≤ t of (f(t) - f(u))² a(u) + b(u) - 2 (f(t) - f(u)) c(u), for every t."""
    a0, a1, a2 = (np.cumsum(a * f**k) for k in range(3))
    c0, c1 = np.cumsum(c), np.cumsum(c * f)
    return np.maximum(f**2 * a0 - 2 * f * a1 + a2 + np.cumsum(b) - 2 * (f * c0 - c1), 0)


def limits(value: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval of a share on the scale log(-log) (Kalbfleisch & Prentice 2002, section 1.4); NaN at 0 and 1."""
    value = np.asarray(value, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(variance) / np.abs(value * np.log(value))
        ends = value ** np.exp(Z * error), value ** np.exp(-Z * error)
    inside = (value > 0) & (value < 1)
    return np.where(inside, np.minimum(*ends), np.nan), np.where(inside, np.maximum(*ends), np.nan)


def log_rank(years: np.ndarray, event: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    """Chi-squared and p that the hazard of the event (1) is the same in all groups; other ends are censoring.

    Mantel 1966, Cancer Chemother Rep 50:163, by statsmodels; its p, 1 - cdf, has no digits where p is small, so p is
    the upper tail here. NaN where no two groups are at risk together at an event.
    """
    from statsmodels.duration.survfunc import survdiff

    try:
        statistic = float(survdiff(years, (event == 1).astype(int), group)[0])
    except np.linalg.LinAlgError:
        return float("nan"), float("nan")
    return statistic, float(scipy.stats.chi2.sf(statistic, len(np.unique(group)) - 1))
