"""Logits and labels of those who choose -> one number, higher is better."""

import numpy as np
import scipy.stats

from ecgwas import config


def auroc(y: np.ndarray, s: np.ndarray) -> float:
    """Chance that a case (y = 1) scores above a control, ties half (Mann & Whitney 1947, from ranks)."""
    cases = y == 1
    n, m = int(cases.sum()), int((~cases).sum())
    return float((scipy.stats.rankdata(s)[cases].sum() - n * (n + 1) / 2) / (n * m))


def quality(logits: np.ndarray, y: np.ndarray, settings: config.Predict) -> float:
    """Mean AUROC of the outcomes with `min_cases` cases and controls; where no outcome has, minus the log loss.

    logits, y [n, O]; labels of NaN count nothing. Without any label 0, so that the first pass is as good as the last.
    """
    found = []
    for s, known, labels in zip(logits.T, ~np.isnan(y).T, y.T, strict=True):
        cases, controls = (int((labels[known] == k).sum()) for k in (1, 0))
        if min(cases, controls) >= settings.min_cases:
            found.append(auroc(labels[known], s[known]))
    if found:
        return float(np.mean(found))
    known = ~np.isnan(y)
    return -float((np.logaddexp(0, logits) - np.nan_to_num(y) * logits)[known].mean()) if known.any() else 0.0
