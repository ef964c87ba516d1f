"""Frozen embeddings and labels -> scores of linear probes, with draws of few labels and paired bootstrap intervals.

The probes of `predict/methods/probe.py`: logistic regression with a ridge penalty for each class; for age, ridge
regression. Scale and penalty are those with the least loss on the recordings of the validation split.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ecgwas.predict.methods import probe as linear
from ecgwas.stats.ridge import logistic


class Split(NamedTuple):
    """Rows of the recordings: to train, to validate and to test on."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


# -------------------------------------------------------------------------------------------------------- probes


def ridge(x: np.ndarray, y: np.ndarray, penalty: float) -> np.ndarray:
    """Coefficients [1 + width] of the ridge regression of y, the intercept first and free; x has mean 0 or nearly."""
    centre = x.mean(0)
    centred = x - centre
    slope = np.linalg.solve(centred.T @ centred + penalty * np.eye(x.shape[1]), centred.T @ (y - y.mean()))
    return np.r_[y.mean() - centre @ slope, slope]


def probe(x: np.ndarray, y: np.ndarray, split: Split, metric: str) -> np.ndarray:
    """Scores [n, class] of all recordings from x [n, width]; what is missing takes the mean of the training rows."""
    x = np.where(np.isnan(x), np.nanmean(x[split.train], 0), x)
    solve, misfit = (ridge, squared_error) if metric == "r2" else (logistic, linear.log_loss)

    def scores(labels: np.ndarray) -> np.ndarray:
        train, validation = split.train, split.validation
        return linear.fit(x[train], labels[train], x[validation], labels[validation], solve, misfit).logits(x)

    return np.column_stack([scores(labels) for labels in y.T])


def squared_error(scores: np.ndarray, y: np.ndarray) -> float:
    """Sum over recordings."""
    return float(np.square(y - scores).sum())


def best(runs: list[np.ndarray], y: np.ndarray, validation: np.ndarray, metric: str) -> np.ndarray:
    """Of scores [snapshot, n, class] of some runs, those [n, class] that do best on the validation recordings."""
    snapshots = np.concatenate(runs)
    values = [score(scores[validation], y[validation], metric)[0] for scores in snapshots]
    return snapshots[int(np.nanargmax(values))]


# ------------------------------------------------------------------------------------------- scores and intervals


def score(scores: np.ndarray, y: np.ndarray, metric: str, weight: np.ndarray | None = None) -> np.ndarray:
    """[b] mean over classes of AUROC, or R², of scores and y [n, class], for each of the weights [b, n] of recordings.

    Without weights: [1]. A class without positives or negatives counts for nothing.
    """
    weight = np.ones((1, len(y))) if weight is None else weight
    one = r2 if metric == "r2" else auroc
    values = np.stack([one(scores[:, k], y[:, k], weight) for k in range(y.shape[1])])
    return np.nanmean(values, 0)


def auroc(scores: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """[b] chance that a positive scores above a negative, ties half, recordings counting `weight` [b, n] times."""
    order = np.argsort(scores, kind="stable")
    ranked, positive, w = scores[order], y[order] == 1, weight[:, order]
    first, last = np.searchsorted(ranked, ranked, "left"), np.searchsorted(ranked, ranked, "right")
    below = np.column_stack([np.zeros(len(w)), np.cumsum(w * ~positive, 1)])
    wins = (w * positive * (below[:, first] + below[:, last]) / 2).sum(1)
    pairs = (w * positive).sum(1) * (w * ~positive).sum(1)
    return np.where(pairs > 0, wins / np.maximum(pairs, 1e-12), np.nan)


def r2(scores: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """[b] one minus the squared error over the squared distance from the mean, recordings counting `weight` times."""
    mean = weight @ y / weight.sum(1)
    return 1 - weight @ (y - scores) ** 2 / (weight * (y - mean[:, None]) ** 2).sum(1)


def resamples(y: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """How often each recording is drawn, [resample, recording]; resamples that lack a class are drawn again.

    Recordings are drawn, not people: nothing says which recordings are of one person.
    """
    out = np.empty((n, len(y)))
    classes = set(np.unique(y)) <= {0, 1}
    for row in range(n):
        while True:
            out[row] = np.bincount(rng.integers(0, len(y), len(y)), minlength=len(y))
            positives = out[row] @ y
            if not classes or ((positives > 0) & (positives < len(y))).all():
                break
    return out


def bootstrapped(runs: Iterable[np.ndarray], y: np.ndarray, metric: str, weight: np.ndarray) -> np.ndarray:
    """[run, 1 + b] the score of each run (a draw of labels), first as it is and then in each resample."""
    weight = np.concatenate([np.ones((1, len(y))), weight])
    return np.stack([score(scores, y, metric, weight) for scores in runs])


def interval(values: np.ndarray) -> tuple[float, float]:
    """95 % percentile interval of the resamples in values [1 + b], a mean of `bootstrapped` or a difference of two."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return float(low), float(high)


# --------------------------------------------------------------------------------------------------- regressions


def crossed_r2(x: np.ndarray, y: np.ndarray, folds: int = 5) -> float:
    """R² of y [n] predicted in each fold from x [n, width] by ridge regression fitted to the others.

    The penalty is chosen within the training folds by generalised cross-validation (Golub et al. 1979,
    Technometrics 21:215).
    """
    fold = np.random.default_rng([0]).permutation(len(y)) % folds
    predicted = np.empty(len(y))
    for k in range(folds):
        train = fold != k
        z = linear.scaled(x, *linear.spread(x[train]))
        mean, centre = y[train].mean(), z[train].mean(0)
        slope = _by_gcv(z[train] - centre, y[train] - mean)
        predicted[~train] = mean + (z[~train] - centre) @ slope
    return float(1 - ((y - predicted) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def _by_gcv(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Ridge coefficients of centred x and y with the penalty of the least generalised cross-validation error."""
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    along = u.T @ y
    rest = y @ y - along @ along
    errors, slopes = [], []
    for penalty in np.geomspace(1e-8, 1e2, 21) * (s**2).mean():
        shrink = s**2 / (s**2 + penalty)
        residual = rest + (((1 - shrink) * along) ** 2).sum()
        errors.append(residual / (len(y) - 1 - shrink.sum()) ** 2)
        slopes.append(vt.T @ (shrink / np.maximum(s, 1e-12) * along))
    return slopes[int(np.argmin(errors))]


def leading_axes(x: np.ndarray, axes: int) -> np.ndarray:
    """The leading principal axes of x [n, width], each with variance 1."""
    u = np.linalg.svd(x - x.mean(0), full_matrices=False)[0]
    return u[:, :axes] * np.sqrt(len(x))
