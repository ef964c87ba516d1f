"""Years, events and predicted risks -> concordance, AUC, Brier score, calibration with censoring and death.

event [n]: 0 censored, 1 event, 2 died before. Whoever dies first never has the event, and remains a control
(Wolbers et al. 2009, Epidemiology 20:555). `weight` [n] counts a person in a resample.
"""

from dataclasses import dataclass

import numpy as np
import scipy.special

from ecgwas.stats import newton

SMALLEST = 1e-6  # predicted risks are kept this far from 0 and 1 for logarithms
STOP = newton.Stop(steps=60, change=1e-9, fall=1e-12)


@dataclass(frozen=True)
class Censoring:
    """Probability of remaining uncensored (Kaplan–Meier of the end of follow-up); events come first at a tie."""

    times: np.ndarray
    left: np.ndarray

    def before(self, years: np.ndarray | float) -> np.ndarray:
        """Chance just before."""
        return np.concatenate([[1.0], self.left])[np.searchsorted(self.times, years, side="left")]

    def at(self, years: np.ndarray | float) -> np.ndarray:
        """Chance at the time itself."""
        return np.concatenate([[1.0], self.left])[np.searchsorted(self.times, years, side="right")]


def censoring(years: np.ndarray, event: np.ndarray, weight: np.ndarray | None = None) -> Censoring:
    """Kaplan–Meier of being censored; at a tie events and deaths have left first."""
    weight = np.ones(len(years)) if weight is None else weight
    times = np.unique(years[event == 0])
    order = np.argsort(years)
    running = np.concatenate([[0.0], np.cumsum(weight[order])])
    later = running[-1] - running[np.searchsorted(years[order], times, side="left")]
    same = np.isin(years[event > 0], times)
    gone = np.bincount(np.searchsorted(times, years[event > 0][same]), weight[event > 0][same], len(times))
    ends = np.bincount(np.searchsorted(times, years[event == 0]), weight[event == 0], len(times))
    staying = later - gone
    return Censoring(times, np.cumprod(1 - np.divide(ends, staying, out=np.zeros_like(ends), where=staying > 0)))


def inverse(chance: np.ndarray) -> np.ndarray:
    """1/chance; 0 where it is 0, where nobody can be observed."""
    chance = np.asarray(chance, float)
    return np.divide(1.0, chance, out=np.zeros_like(chance), where=chance > 0)


def earlier_below(rank: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """For each place, weight of earlier places with a smaller rank and half that of equal ones; O(n log n).

    rank [n], whole numbers from 0. A wavelet tree: bit by bit from the highest, places that agree so far are compared.
    """
    made, order = np.zeros(len(rank)), np.arange(len(rank))
    for bit in range(int(rank.max(initial=0)).bit_length() - 1, -1, -1):
        prefix, one = rank[order] >> (bit + 1), (rank[order] >> bit) & 1
        zeros = np.cumsum(np.where(one == 0, weight[order], 0.0))
        made[order] += np.where(one == 1, zeros - _at_start(prefix, zeros, weight[order] * (one == 0)), 0.0)
        order = order[np.argsort(rank[order] >> bit, kind="stable")]
    order = np.argsort(rank, kind="stable")
    running = np.cumsum(weight[order]) - weight[order]
    made[order] += 0.5 * (running - running[np.searchsorted(rank[order], rank[order])])
    return made


def _at_start(prefix: np.ndarray, running: np.ndarray, own: np.ndarray) -> np.ndarray:
    """`running` just before the first place with each place's prefix; prefixes rise."""
    return (running - own)[np.searchsorted(prefix, prefix)]


def pairs(
    years: np.ndarray, event: np.ndarray, risk: np.ndarray, weight: np.ndarray, left: Censoring | None
) -> tuple[np.ndarray, np.ndarray]:
    """Weight [n] of the pairs in which an event's person has the higher risk (ties half), and of all its pairs.

    The other of a pair is under watch longer (a tie in time: without event), or has died before. With `left`, pairs
    count by the inverse chance to be seen: G(T-)² the first, G(T-) G(death-) the second (Wolbers et al. 2014,
    Biostatistics 15:526).
    """
    rank = np.unique(risk, return_inverse=True)[1]
    hit, died = event == 1, event == 2
    own = inverse(left.before(years)) if left is not None else np.ones(len(years))
    order = np.lexsort((hit, -years))
    above, total = np.zeros(len(years)), np.zeros(len(years))
    above[order], total[order] = _longer(rank[order], weight[order], years[order], hit[order])
    above, total = above * own, total * own
    order = np.lexsort((~hit, years))
    gone = (weight * died * own)[order]
    above[order] += earlier_below(rank[order], gone)
    total[order] += np.cumsum(gone) - gone
    return above * own * weight * hit, total * own * weight * hit


def _longer(rank: np.ndarray, weight: np.ndarray, years: np.ndarray, hit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs with people earlier in the order (longer times), those tied in event and time taken away again."""
    tied = hit & np.isin(years, _repeated(years[hit]))
    above, total = earlier_below(rank, weight), np.cumsum(weight) - weight
    if tied.any():
        group = np.cumsum(np.diff(years[tied], prepend=np.inf) != 0)
        within = (group.max() - group) * (int(rank.max()) + 1) + rank[tied]
        dense = np.unique(within, return_inverse=True)[1]
        running = np.cumsum(weight[tied]) - weight[tied]
        above[tied] -= earlier_below(dense, weight[tied])
        total[tied] -= running - running[np.searchsorted(group, group)]
    return above, total


def _repeated(values: np.ndarray) -> np.ndarray:
    found, counts = np.unique(values, return_counts=True)
    return found[counts > 1]


def harrell(years: np.ndarray, event: np.ndarray, risk: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Harrell's C: share of comparable pairs in which who has the event first has the higher risk, ties half.

    Harrell et al. 1982, JAMA 247:2543. NaN without a pair.
    """
    above, total = pairs(years, event, risk, np.ones(len(years)) if weight is None else weight, None)
    return float(above.sum() / total.sum()) if total.sum() > 0 else float("nan")


def uno(
    years: np.ndarray,
    event: np.ndarray,
    risk: np.ndarray,
    limit: float,
    left: Censoring,
    weight: np.ndarray | None = None,
) -> float:
    """Uno's C of events before `limit` years: free of who is censored when (Uno et al. 2011, Stat Med 30:1105).

    `left`: censoring of the cohort evaluated.
    """
    cut = (years >= limit) & (event == 1)
    weight = np.ones(len(years)) if weight is None else weight
    above, total = pairs(years, np.where(cut, 0, event), risk, weight, left)
    return float(above.sum() / total.sum()) if total.sum() > 0 else float("nan")


def at_horizon(years: np.ndarray, event: np.ndarray, when: float, left: Censoring) -> tuple[np.ndarray, np.ndarray]:
    """Case [n] by `when`, and inverse-probability-of-censoring weight [n]; 0 for those censored before.

    Graf et al. 1999, Stat Med 18:2529; with competing death Blanche et al. 2013, Stat Med 32:5381.
    """
    ended = (years <= when) & (event > 0)
    weight = np.where(ended, inverse(left.before(years)), np.where(years > when, inverse(left.at(when)), 0.0))
    return ended & (event == 1), weight


def auc(case: np.ndarray, weight: np.ndarray, risk: np.ndarray) -> float:
    """Cumulative/dynamic AUC: chance that a case by the horizon has the higher risk than who is none, ties half.

    Uno et al. 2007, JASA 102:527; weights of `at_horizon`. NaN where there is no case or no control.
    """
    rank = np.unique(risk, return_inverse=True)[1]
    controls = np.bincount(rank, weight * ~case)
    below = np.cumsum(controls) - controls / 2
    total = (weight * case).sum() * controls.sum()
    return float((weight * case * below[rank]).sum() / total) if total > 0 else float("nan")


def brier(case: np.ndarray, weight: np.ndarray, risk: np.ndarray) -> float:
    """Mean squared difference of predicted risk [n] and case, weighted by `at_horizon` (Graf et al. 1999)."""
    return float((weight * (case - risk) ** 2).sum() / weight.sum()) if weight.sum() > 0 else float("nan")


def integrated_brier(
    years: np.ndarray, event: np.ndarray, told: np.ndarray, times: np.ndarray, left: Censoring
) -> float:
    """Brier score over `times` [t] (rising), predicted risks [n, t]: area by trapezia over the span."""
    scores = [brier(*at_horizon(years, event, t, left), risk) for t, risk in zip(times, told.T, strict=True)]
    return float(np.trapezoid(scores, times) / (times[-1] - times[0]))


def slope(case: np.ndarray, weight: np.ndarray, risk: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of the logistic regression of case on logit risk, weighted by `at_horizon`.

    1 and 0 where risks are right (Cox 1958, Biometrika 45:562); NaN where it has no maximum.
    """
    p = np.clip(risk, SMALLEST, 1 - SMALLEST)
    x = np.column_stack([np.log(p / (1 - p)), np.ones(len(p))])
    if not (weight * case).any() or not (weight * ~case).any() or np.ptp(x[:, 0]) == 0:
        return float("nan"), float("nan")

    def value(b: np.ndarray) -> float:
        eta = x @ b
        return float((weight * (case * eta - np.logaddexp(0, eta))).sum())

    def derivatives(b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p = scipy.special.expit(x @ b)
        return x.T @ (weight * (case - p)), (x * (weight * p * (1 - p))[:, None]).T @ x

    try:
        found = newton.maximise(value, derivatives, np.array([1.0, 0.0]), STOP)
    except np.linalg.LinAlgError:
        return float("nan"), float("nan")
    return (float(found.at[0]), float(found.at[1])) if found.converged else (float("nan"), float("nan"))
