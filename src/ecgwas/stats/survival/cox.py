"""Covariates, years and events -> proportional hazards: partial likelihood with Efron's ties and a ridge."""

from dataclasses import dataclass

import numpy as np
import scipy.stats

from ecgwas.stats import Z

STEPS = 50
TOLERANCE = 1e-10
SMALLEST = 1e-8  # share of a step under which halving it is given up
LARGEST = 15.0  # coefficients per SD beyond it mean that the likelihood has no maximum
CELLS = 4_000_000  # risks held at once


@dataclass(frozen=True)
class Cox:
    """A fitted model: hazard at t of a person is d(baseline)(t) · exp((x - mean) @ beta)."""

    beta: np.ndarray  # [p]
    covariance: np.ndarray  # [p, p]
    mean: np.ndarray  # [p], of those fitted
    log_likelihood: float  # partial, without the penalty
    times: np.ndarray  # [t], distinct times of events, rising
    baseline: np.ndarray  # [t], cumulative hazard at the mean (Breslow 1972)
    converged: bool

    def linear(self, x: np.ndarray) -> np.ndarray:
        """Log hazard ratio [n] against the mean person."""
        return (x - self.mean) @ self.beta


@dataclass(frozen=True)
class Ordered:
    """People by falling time, and each event's place among those tied with it."""

    order: np.ndarray  # [n]
    rows: np.ndarray  # [e], places of events in the order
    last: np.ndarray  # [e], place of the last person at risk at the event
    first: np.ndarray  # [n], number of events, by rising time, up to and at each person's time
    fraction: np.ndarray  # [e], l/d of Efron's l-th of d tied events
    tie: np.ndarray  # [e], number of the event's tie
    times: np.ndarray  # [ties]


def ordered(years: np.ndarray, event: np.ndarray) -> Ordered:
    """What of the data does not change with the coefficients; event [n] is true for the cause modelled."""
    order = np.argsort(-years, kind="stable")
    time, hit = years[order], event[order].astype(bool)
    rows = np.flatnonzero(hit)[::-1]  # by rising time
    times, tie, counts = np.unique(time[rows], return_inverse=True, return_counts=True)
    place = np.arange(len(rows)) - np.searchsorted(tie, tie)
    last = np.searchsorted(-time, -time[rows], side="right") - 1
    first = np.searchsorted(time[rows], time, side="right")
    return Ordered(order, rows, last, first, place / counts[tie], tie, times)


def _tied(values: np.ndarray, data: Ordered) -> np.ndarray:
    """Sum of values [n, …] over the events of each event's tie: [e, …]."""
    total = np.zeros((len(data.times), *values.shape[1:]))
    np.add.at(total, data.tie, values[data.rows])
    return total[data.tie]


def likelihood(beta: np.ndarray, z: np.ndarray, data: Ordered) -> tuple[float, np.ndarray, np.ndarray]:
    """Log partial likelihood, gradient [p], information [p, p] (Efron 1977, JASA 72:557); z in `data`'s order."""
    eta = z @ beta
    top = eta.max(initial=0.0)
    weight = np.exp(eta - top)
    weighted = weight[:, None] * z
    at_risk = np.cumsum(weight)[data.last] - data.fraction * _tied(weight, data)
    mean = np.cumsum(weighted, 0)[data.last] - data.fraction[:, None] * _tied(weighted, data)
    mean /= at_risk[:, None]
    value = float((eta[data.rows] - top - np.log(at_risk)).sum())
    share = np.concatenate([[0.0], np.cumsum(1 / at_risk)])[data.first]
    share[data.rows] -= _tie_fraction(data, at_risk)
    information = (z * (weight * share)[:, None]).T @ z - mean.T @ mean
    return value, (z[data.rows] - mean).sum(0), information


def _tie_fraction(data: Ordered, at_risk: np.ndarray) -> np.ndarray:
    """What Efron's method takes from the weight of each tied event: sum of (l/d)/at_risk over its tie."""
    return np.bincount(data.tie, data.fraction / at_risk, len(data.times))[data.tie]


def fit(x: np.ndarray, years: np.ndarray, event: np.ndarray, penalty: np.ndarray | float = 0.0) -> Cox:
    """Maximum of the partial likelihood less ½ Σ penalty β² by Newton's method with halved steps.

    x [n, p], years [n], event [n] true for the cause modelled; penalty a number or [p]. Other causes are
    censoring (cause-specific hazard). The covariance is the inverse of the penalised information.
    """
    mean = x.mean(0)
    data = ordered(years, event)
    z, ridge = (x - mean)[data.order], np.broadcast_to(np.asarray(penalty, float), x.shape[1:])
    beta, converged = np.zeros(x.shape[1]), False
    value, gradient, information = likelihood(beta, z, data)
    for _ in range(STEPS):
        slope = gradient - ridge * beta
        step = np.linalg.lstsq(information + np.diag(ridge), slope, rcond=None)[0]
        beta, (value, gradient, information), size = _climb(beta, step, value, z, data, ridge)
        if (np.abs(beta) * x.std(0) > LARGEST).any():
            break  # the likelihood has no maximum: more covariates than the events identify
        if np.abs(size * step).max(initial=0) < TOLERANCE or slope @ step < TOLERANCE**2:
            converged = True
            break
    covariance = np.linalg.pinv(information + np.diag(ridge), hermitian=True)
    converged = converged and bool((np.abs(beta) * x.std(0) < LARGEST).all())
    times, baseline = breslow(z @ beta, data)
    return Cox(beta, covariance, mean, value, times, baseline, converged)


def _climb(
    beta: np.ndarray, step: np.ndarray, value: float, z: np.ndarray, data: Ordered, ridge: np.ndarray
) -> tuple[np.ndarray, tuple[float, np.ndarray, np.ndarray], float]:
    """The longest of the halved steps that does not go down."""
    before, size = value - 0.5 * (ridge * beta**2).sum(), 1.0
    while True:
        tried = beta + size * step
        found = likelihood(tried, z, data)
        gain = found[0] - 0.5 * (ridge * tried**2).sum() - before
        if gain >= -1e-9 * (1 + abs(before)):
            return tried, found, size
        if size < SMALLEST:
            return beta, likelihood(beta, z, data), size
        size /= 2


def breslow(eta: np.ndarray, data: Ordered) -> tuple[np.ndarray, np.ndarray]:
    """Times and cumulative baseline hazard (Breslow 1972, JRSS B 34:216); eta in `data`'s order."""
    at_risk = np.cumsum(np.exp(eta))[data.last]
    return data.times, np.cumsum(np.bincount(data.tie, 1 / at_risk, len(data.times)))


def deviance(model: Cox, x: np.ndarray, years: np.ndarray, event: np.ndarray) -> float:
    """Log partial likelihood of other people under the model's coefficients; selects the ridge."""
    data = ordered(years, event)
    return likelihood(model.beta, (x - model.mean)[data.order], data)[0]


def proportional(model: Cox, x: np.ndarray, years: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, float]:
    """p of each coefficient [p] and of all together for a change of the hazard ratio with the rank of time.

    Scaled Schoenfeld residuals against rank (Grambsch & Therneau 1994, Biometrika 81:515, equation 10, with the mean
    information an event); for a fit without a penalty.
    """
    data = ordered(years, event)
    z = (x - model.mean)[data.order]
    weight = np.exp(z @ model.beta)
    at_risk = np.cumsum(weight)[data.last] - data.fraction * _tied(weight, data)
    weighted = weight[:, None] * z
    mean = np.cumsum(weighted, 0)[data.last] - data.fraction[:, None] * _tied(weighted, data)
    residual = z[data.rows] - mean / at_risk[:, None]
    rank = scipy.stats.rankdata(years[data.order][data.rows])
    rank -= rank.mean()
    spread, score = (rank**2).sum(), rank @ residual
    events = len(data.rows)
    scaled = events * model.covariance @ score
    each = scaled**2 / (events * np.diag(model.covariance) * spread)
    together = events * score @ model.covariance @ score / spread
    return scipy.stats.chi2.sf(each, 1), float(scipy.stats.chi2.sf(together, len(each)))


def hazard_ratios(model: Cox, scale: np.ndarray) -> np.ndarray:
    """[p, 3]: hazard ratio for `scale` more of each covariate, and its 95 % Wald interval."""
    middle, error = model.beta * scale, np.sqrt(np.diag(model.covariance)) * scale
    return np.exp(np.column_stack([middle, middle - Z * error, middle + Z * error]))


def incidence(event: Cox, death: Cox | None, x: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Cumulative incidence [n, at] of the event, where death comes first or not: two cause-specific models.

    Cheng, Fine & Wei 1998, Biometrics 54:219, with survival exp(-sum of both hazards); what leaves in a step is shared
    by the hazards, so incidence, incidence of death and survival sum to 1.
    """
    models = [event] if death is None else [event, death]
    times = np.unique(np.concatenate([model.times for model in models]))
    steps = [np.diff(_cumulative(model, times), prepend=0.0) for model in models]
    place = np.searchsorted(times, at, side="right")
    piece = max(1, CELLS // max(len(times), 1))
    parts = []
    for start in range(0, len(x), piece):
        rates = [np.exp(m.linear(x[start : start + piece]))[:, None] * s for m, s in zip(models, steps, strict=True)]
        parts.append(_incident(rates[0], sum(rates))[:, place])
    return np.concatenate(parts) if parts else np.zeros((0, len(at)))


def _cumulative(model: Cox, times: np.ndarray) -> np.ndarray:
    return np.concatenate([[0.0], model.baseline])[np.searchsorted(model.times, times, side="right")]


def _incident(rate: np.ndarray, both: np.ndarray) -> np.ndarray:
    """[n, t + 1] cumulative incidence, from 0, of steps of hazard [n, t] out of `both`."""
    before = np.exp(-(np.cumsum(both, 1) - both))
    share = np.divide(rate, both, out=np.zeros_like(rate), where=both > 0)
    made = np.cumsum(before * -np.expm1(-both) * share, 1)
    return np.concatenate([np.zeros((len(made), 1)), made], 1)
