"""Covariates, years and events -> risk by discrete-time logistic regression."""

from dataclasses import dataclass

import numpy as np

from ecgwas.stats import newton

INTERVALS = 10
EVENTS_AN_INTERVAL = 5
STOP = newton.Stop(steps=50, change=1e-9, fall=1e-9)
FLOOR = 1e-6  # ridge of the intervals' own levels, which keeps an interval without deaths finite


@dataclass(frozen=True)
class DiscreteTime:
    """A fitted model: logit of leaving by a cause in an interval = level[interval] + (x - mean) @ beta."""

    edges: np.ndarray  # [k + 1], years, from 0
    mean: np.ndarray  # [p]
    level: np.ndarray  # [2, k]: of the event, of death
    beta: np.ndarray  # [2, p]
    log_likelihood: float  # of the event, without the penalty


def edges(years: np.ndarray, event: np.ndarray) -> np.ndarray:
    """Limits of intervals with about as many events each, the last event's time the last."""
    seen = years[event == 1]
    count = int(np.clip(len(seen) // EVENTS_AN_INTERVAL, 1, INTERVALS))
    return np.unique(np.concatenate([[0.0], np.quantile(seen, np.arange(1, count + 1) / count)]))


def exposed(years: np.ndarray, event: np.ndarray, cuts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """[n, k] each: weight of a person in an interval, the event in it, and the death in it.

    An event on a limit belongs to the interval that it ends. Whoever is censored within an interval has the
    share of it survived as weight.
    """
    low, high = cuts[:-1], cuts[1:]
    time = years[:, None]
    inside = (time > low) & (time <= high)
    happened, died = inside & (event == 1)[:, None], inside & (event == 2)[:, None]
    weight = np.clip((time - low) / (high - low), 0, 1)
    return np.where(happened | died, 1.0, weight), happened, died


def fit(x: np.ndarray, years: np.ndarray, event: np.ndarray, penalty: np.ndarray | float = 0.0) -> DiscreteTime:
    """Ridge regressions (Singer & Willett 1993, J Educ Stat 18:155) of the event, then of death among those without.

    event [n]: 0 censored, 1 event, 2 died before. Taken one after the other (a sequential logit: Tutz & Schmid 2016,
    Modeling Discrete Time-to-Event Data, chapter 8), the two chances can never exceed 1.
    """
    cuts, mean = edges(years, event), x.mean(0)
    weight, happened, died = exposed(years, event, cuts)
    ridge = np.concatenate([np.full(len(cuts) - 1, FLOOR), np.broadcast_to(np.asarray(penalty, float), x.shape[1:])])
    first = _regress(x - mean, weight, happened, ridge)
    second = _regress(x - mean, np.where(happened, 0.0, weight), died, ridge)
    k = len(cuts) - 1
    level, beta = np.stack([first[:k], second[:k]]), np.stack([first[k:], second[k:]])
    return DiscreteTime(cuts, mean, level, beta, _value(first, x - mean, weight, happened))


def _value(theta: np.ndarray, z: np.ndarray, weight: np.ndarray, y: np.ndarray) -> float:
    """Log likelihood of theta [k + p] over person-intervals [n, k]."""
    k = weight.shape[1]
    eta = theta[:k] + (z @ theta[k:])[:, None]
    return float((weight * (y * eta - np.logaddexp(0, eta))).sum())


def _regress(z: np.ndarray, weight: np.ndarray, y: np.ndarray, ridge: np.ndarray) -> np.ndarray:
    """Levels of intervals and coefficients [k + p] by Newton's method with halved steps."""
    k, theta = weight.shape[1], np.zeros(len(ridge))
    share = (weight * y).sum(0) / np.maximum(weight.sum(0), 1e-12)
    theta[:k] = np.log(np.clip(share, 1e-6, 1 - 1e-6) / (1 - np.clip(share, 1e-6, 1 - 1e-6)))
    return newton.maximise(
        lambda at: _value(at, z, weight, y) - 0.5 * float((ridge * at**2).sum()),
        lambda at: _derivatives(at, z, weight, y, ridge),
        theta,
        STOP,
    ).at


def _derivatives(
    theta: np.ndarray, z: np.ndarray, weight: np.ndarray, y: np.ndarray, ridge: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gradient [k + p] and information [k + p, k + p], without expanding person-intervals to rows."""
    k = weight.shape[1]
    p = 1 / (1 + np.exp(-(theta[:k] + (z @ theta[k:])[:, None])))
    rest, curve = weight * (y - p), weight * p * (1 - p)
    gradient = np.concatenate([rest.sum(0), z.T @ rest.sum(1)]) - ridge * theta
    cross = curve.T @ z
    information = np.block([[np.diag(curve.sum(0)), cross], [cross.T, (z * curve.sum(1)[:, None]).T @ z]])
    return gradient, information + np.diag(ridge)


def deviance(model: DiscreteTime, x: np.ndarray, years: np.ndarray, event: np.ndarray) -> float:
    """Log likelihood of the event in other people; selects the ridge."""
    weight, happened, _ = exposed(years, event, model.edges)
    return _value(np.concatenate([model.level[0], model.beta[0]]), x - model.mean, weight, happened)


def chances(model: DiscreteTime, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """[n, k + 1] each, at the edges: cumulative incidence of the event, of death, and survival; they sum to 1."""
    eta = (x - model.mean) @ model.beta.T
    event, death = (1 / (1 + np.exp(-(model.level[c] + eta[:, [c]]))) for c in (0, 1))
    alive = np.cumprod((1 - event) * (1 - death), 1)
    before = np.concatenate([np.ones((len(x), 1)), alive[:, :-1]], 1)
    zero = np.zeros((len(x), 1))
    first = np.concatenate([zero, np.cumsum(before * event, 1)], 1)
    second = np.concatenate([zero, np.cumsum(before * (1 - event) * death, 1)], 1)
    return first, second, np.concatenate([zero + 1, alive], 1)


def incidence(model: DiscreteTime, x: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Cumulative incidence [n, at] of the event, straight between edges; NaN after the last."""
    first = chances(model, x)[0]
    place = np.clip(np.searchsorted(model.edges, at, side="right") - 1, 0, len(model.edges) - 2)
    share = (at - model.edges[place]) / np.diff(model.edges)[place]
    told = first[:, place] + np.clip(share, 0, 1) * (first[:, place + 1] - first[:, place])
    return np.where(at > model.edges[-1], np.nan, told)
