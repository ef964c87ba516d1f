"""Logits and labels of the validation split -> one number, higher is better."""

import numpy as np

from ecgwas import config
from ecgwas.stats.discrimination import auroc

TIE = 1e-4


def quality(logits: np.ndarray, y: np.ndarray, settings: config.Predict) -> float:
    """Mean AUROC of the outcomes with `min_cases` cases and controls; where no outcome has, minus the log loss.

    logits, y [n, O]; NaN labels are ignored. Ties of AUROC are broken by the log loss, of which `TIE` is subtracted.
    0 without any label, so that the first pass is as good as the last.
    """
    known, found = ~np.isnan(y), []
    if not known.any():
        return 0.0
    for s, labels, there in zip(logits.T, y.T, known.T, strict=True):
        cases, controls = (int((labels[there] == k).sum()) for k in (1, 0))
        if min(cases, controls) >= settings.min_cases:
            found.append(auroc(labels[there], s[there]))
    loss = float((np.logaddexp(0, logits) - np.nan_to_num(y) * logits)[known].mean())
    return float(np.mean(found)) - TIE * loss if found else -loss
