"""Labels and scores -> AUROC, average precision, Brier score and calibration, of all people or of weighted resamples.

Labels y [n] are 0 or 1, scores s [n] finite, weights [b, n] how often each recording counts in each resample.
"""

from typing import NamedTuple

import numpy as np
import scipy.special

SMALLEST = 1e-12  # keeps logarithms of probabilities finite


class Ranking(NamedTuple):
    """Recordings by falling score, sorted once for any number of resamples."""

    order: np.ndarray  # [n], recordings by falling score
    positives: np.ndarray  # places in `order` of the positives
    ends: np.ndarray  # [distinct scores with a positive], the last place in `order` with each of them
    before: np.ndarray  # the same, the place before the first one; -1 for the start
    last: np.ndarray  # the same, the last among `positives` with the score


def ranking(y: np.ndarray, s: np.ndarray) -> Ranking:
    """Sort the recordings by falling score; equal scores are one step of the curve."""
    order = np.argsort(-np.asarray(s, dtype=np.float64), kind="stable")
    ranked = np.asarray(s)[order]
    positives = np.flatnonzero(np.asarray(y)[order] == 1)
    ends = np.r_[np.flatnonzero(np.diff(ranked)), len(ranked) - 1]
    step = np.searchsorted(ends, positives)  # the step that each positive is in
    last = np.r_[np.flatnonzero(np.diff(step)), len(step) - 1] if len(step) else np.zeros(0, int)
    steps = step[last]
    return Ranking(order, positives, ends[steps], np.where(steps > 0, ends[steps - 1], -1), last)


def ranked(ranks: Ranking, weights: np.ndarray) -> np.ndarray:
    """AUROC and average precision [b, 2] of each row of weights [b, n]; NaN where a class has no weight.

    AUROC is the chance that a positive scores above a negative, ties half (Hanley & McNeil 1982, Radiology 143:29);
    average precision is the sum over distinct scores of precision times the gain in recall.
    """
    weights = np.asarray(weights)
    kind = np.int32 if weights.dtype.kind in "iub" else np.float64
    w = np.take(weights, ranks.order, axis=1)
    total = np.cumsum(w, axis=1, dtype=kind)
    true = np.cumsum(np.take(w, ranks.positives, axis=1), axis=1, dtype=kind)[:, ranks.last].astype(np.float64)
    gained = np.diff(true, axis=1, prepend=0.0)
    padded = np.concatenate([np.zeros((len(w), 1), kind), total], axis=1)
    above, before = np.take(padded, ranks.ends + 1, axis=1), np.take(padded, ranks.before + 1, axis=1)
    positive = true[:, -1] if true.shape[1] else np.zeros(len(w))
    negative = total[:, -1] - positive
    halves = above + before - 2 * true + gained  # twice the negatives above a positive, ties half
    with np.errstate(invalid="ignore", divide="ignore"):
        wins = positive * negative - np.einsum("bk,bk->b", gained, halves) / 2
        precision = np.einsum("bk,bk->b", gained, true / np.maximum(above, SMALLEST))
        both = np.column_stack([wins / (positive * negative), precision / positive])
    return np.where(((positive > 0) & (negative > 0))[:, None], both, np.nan)


def auroc(y: np.ndarray, s: np.ndarray, weights: np.ndarray | None = None) -> float | np.ndarray:
    """Area under the ROC curve, ties half; [b] with weights [b, n]. NaN without both classes.

    Without weights the additions are those of the trapezoid over the corners of the curve, in the order of
    scikit-learn's `roc_auc_score`, so that not even the last bit differs.
    """
    if weights is not None:
        return ranked(ranking(y, s), weights)[:, 0]
    true, false = _counts(y, s)
    if true[-1] == 0 or false[-1] == 0:
        return float("nan")
    if len(false) > 2:
        corner = np.r_[True, (np.diff(false, 2) != 0) | (np.diff(true, 2) != 0), True]
        true, false = true[corner], false[corner]
    tpr, fpr = np.r_[0.0, true] / true[-1], np.r_[0.0, false] / false[-1]
    return float(np.trapezoid(tpr, fpr))


def auprc(y: np.ndarray, s: np.ndarray, weights: np.ndarray | None = None) -> float | np.ndarray:
    """Average precision, as scikit-learn's `average_precision_score`; [b] with weights. NaN without both classes."""
    if weights is not None:
        return ranked(ranking(y, s), weights)[:, 1]
    true, false = _counts(y, s)
    if true[-1] == 0 or false[-1] == 0:
        return float("nan")
    precision, recall = np.r_[(true / (true + false))[::-1], 1.0], np.r_[(true / true[-1])[::-1], 0.0]
    return float(max(0.0, -np.sum(np.diff(recall) * precision[:-1])))


def _counts(y: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positives and negatives [distinct scores] with at least each score, scores falling."""
    order = np.argsort(-np.asarray(s, dtype=np.float64), kind="stable")
    ends = np.r_[np.flatnonzero(np.diff(np.asarray(s)[order])), len(order) - 1]
    true = np.cumsum(np.asarray(y)[order] == 1, dtype=np.float64)[ends]
    return true, 1.0 + ends - true


def macro(values: np.ndarray) -> float | np.ndarray:
    """Unweighted mean over the classes of values [class] or [b, class]; NaN is a class that is not estimable.

    The mean of the classes that are estimable; NaN where none is.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim == 1:
        known = values[np.isfinite(values)]
        return float(np.mean(known)) if len(known) else float("nan")
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(1)
    return np.where(known.any(1), total / np.maximum(known.sum(1), 1), np.nan)


def macro_auroc(y: np.ndarray, s: np.ndarray, weights: np.ndarray | None = None) -> float | np.ndarray:
    """Unweighted mean over classes of the AUROC of labels and scores [n, class]; [b] with weights [b, n]."""
    values = [auroc(y[:, k], s[:, k], weights) for k in range(y.shape[1])]
    return macro(np.array(values) if weights is None else np.column_stack(values))


def macro_auprc(y: np.ndarray, s: np.ndarray, weights: np.ndarray | None = None) -> float | np.ndarray:
    """Unweighted mean over classes of the average precision of labels and scores [n, class]; [b] with weights."""
    values = [auprc(y[:, k], s[:, k], weights) for k in range(y.shape[1])]
    return macro(np.array(values) if weights is None else np.column_stack(values))


def brier(y: np.ndarray, p: np.ndarray, weights: np.ndarray | None = None) -> float | np.ndarray:
    """Mean squared distance of probabilities p [n] from labels (Brier 1950, Mon Weather Rev 78:1); [b] with weights."""
    squared = (np.asarray(p) - y) ** 2
    return float(squared.mean()) if weights is None else weights @ squared / weights.sum(1)


def logistic(x: np.ndarray, y: np.ndarray, steps: int = 50) -> np.ndarray:
    """Intercept and slope [2] of P(y = 1) = expit(intercept + slope x), by Newton's method; NaN where there is none.

    There is none without both classes, with constant x, and where x separates the classes.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if not (0 < y.sum() < len(y)) or np.ptp(x) == 0 or _separated(x, y):
        return np.full(2, np.nan)
    centre, spread = x.mean(), x.std()
    z = (x - centre) / spread
    w = np.array([scipy.special.logit(y.mean()), 0.0])
    for _ in range(steps):
        gradient, curvature = newton_terms(z, y, w)
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while _log_likelihood(z, y, w + size * step) < _log_likelihood(z, y, w) - 1e-12 and size > 1e-6:
            size /= 2
        w = w + size * step
        if np.abs(step).max() < 1e-11:
            break
    return np.array([w[0] - w[1] * centre / spread, w[1] / spread])


def _separated(x: np.ndarray, y: np.ndarray) -> bool:
    cases, controls = x[y == 1], x[y == 0]
    return cases.min() >= controls.max() or controls.min() >= cases.max()


def newton_terms(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradient [2] and curvature [2, 2] of the logistic log-likelihood of intercept and slope w at x, y [n]."""
    p = scipy.special.expit(w[0] + w[1] * x)
    design = np.column_stack([np.ones(len(x)), x])
    return design.T @ (y - p), (design.T * (p * (1 - p))) @ design


def _log_likelihood(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> float:
    eta = w[0] + w[1] * x
    return float((y * eta - np.logaddexp(0, eta)).sum())


def calibration(y: np.ndarray, p: np.ndarray) -> tuple[float, float]:
    """Calibration slope and intercept of probabilities p [n]; 1 and 0 for good ones (Cox 1958, Biometrika 45:562).

    Slope: of the logistic regression of y on logit p. Intercept: of the one whose slope is held at 1, calibration in
    the large: above 0 where risk is told too low (Van Calster et al. 2019, BMC Med 17:230).
    """
    x = logit(p)
    return float(logistic(x, y)[1]), intercept_at_one(y, x)


def intercept_at_one(y: np.ndarray, x: np.ndarray) -> float:
    """Intercept a that makes the mean of expit(a + x) that of y; NaN without both classes."""
    if not 0 < y.mean() < 1:
        return float("nan")
    a = 0.0
    for _ in range(100):
        p = scipy.special.expit(a + x)
        step = (y - p).sum() / max((p * (1 - p)).sum(), SMALLEST)
        a += float(np.clip(step, -5, 5))
        if abs(step) < 1e-12:
            break
    return a


def logit(p: np.ndarray) -> np.ndarray:
    """Log odds of probabilities, finite at 0 and 1."""
    return scipy.special.logit(np.clip(p, SMALLEST, 1 - SMALLEST))
