"""Labels and scores -> AUROC and average precision, of all people or of weighted resamples.

Labels y [n] are 0 or 1, scores s [n] finite, weights [b, n] how often each recording counts in each resample.
"""

from typing import NamedTuple

import numpy as np

SMALLEST = 1e-12  # keeps a division by no recordings finite


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
