"""Frozen embeddings and labels -> linear maps to logits: penalised logistic regression, scale and penalty selected.

Embeddings are standardised by the training recordings, or put on one scale for all dimensions. Scale and penalty are,
for each outcome, those with the least log loss on the validation recordings.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ecgwas.stats.ridge import logistic

PENALTIES = np.geomspace(1e-2, 1e4, 9)  # on coefficients of standardised features, beside the summed loss
DEFAULT_PENALTY = PENALTIES[5]  # where the validation split is empty
Scale = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # [n, E] -> mean [E] and scale [E]
Solve = Callable[[np.ndarray, np.ndarray, float], np.ndarray]  # x [n, width], y [n], penalty -> [1 + width]


class Linear(NamedTuple):
    """logit = bias + z · weight of raw embeddings z, and the hyperparameters selected."""

    weight: np.ndarray  # [E]
    bias: float
    scale: str
    penalty: float
    loss: float  # mean validation log loss; NaN without validation recordings

    def logits(self, z: np.ndarray) -> np.ndarray:
        """Of embeddings [n, E]: [n]."""
        return self.bias + z @ self.weight


def spread(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column of x [n, E]; infinite where it is constant."""
    sd = np.nanstd(x, 0)
    return np.nanmean(x, 0), np.where(sd > 0, sd, np.inf)


def one_spread(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of the columns and one scale for all: columns keep their shares of the variance.

    With few labels the scale matters: standardised, principal components are swamped by those that are noise.
    """
    mean = np.nanmean(x, 0)
    return mean, np.full(x.shape[1], max(np.sqrt(np.nanmean((x - mean) ** 2)), 1e-12))


SCALES: dict[str, Scale] = {"standardised": spread, "one": one_spread}


def scaled(x: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """x [n, E] in units of `scale` from `mean`; missing (NaN) and constant values become 0."""
    return np.nan_to_num((x - mean) / scale)


def axes_of(x: np.ndarray) -> np.ndarray | None:
    """Axes [n, E] of the span of x [n, E] where it has fewer rows than columns: a ridge needs no others."""
    return np.linalg.svd(x, full_matrices=False)[2] if len(x) < x.shape[1] else None


def log_loss(logits: np.ndarray, y: np.ndarray) -> float:
    """Sum over recordings: steadier than a rank of few positives."""
    return float((np.logaddexp(0, logits) - y * logits).sum())


def fit_scaled(z: np.ndarray, y: np.ndarray, name: str, solve: Solve) -> list[Linear]:
    """Fits to embeddings z [n, E] put on a scale of `SCALES`, one a penalty, as maps of the raw embeddings."""
    mean, scale = SCALES[name](z)
    x = scaled(z, mean, scale)
    axes = axes_of(x)
    found = []
    for penalty in PENALTIES:
        w = solve(x if axes is None else x @ axes.T, y, penalty)
        weight = (w[1:] if axes is None else w[1:] @ axes) / scale
        found.append(Linear(weight, float(w[0] - mean @ weight), name, float(penalty), float("nan")))
    return found


def fit(
    z: np.ndarray,
    y: np.ndarray,
    z_validation: np.ndarray,
    y_validation: np.ndarray,
    solve: Solve = logistic,
    misfit: Callable[[np.ndarray, np.ndarray], float] = log_loss,
    scales: Sequence[str] = tuple(SCALES),
) -> Linear:
    """The probe of one outcome: labels y 0/1, NaN where unknown; embeddings [n, E], rows of NaN are ignored.

    Without validation recordings: on the first scale, with penalty `DEFAULT_PENALTY`.
    """
    (z, y), (z_validation, y_validation) = known(z, y), known(z_validation, y_validation)
    fits = [one for name in scales for one in fit_scaled(z, y, name, solve)]
    if not len(y_validation):
        return next(one for one in fits if one.penalty == DEFAULT_PENALTY)
    losses = [misfit(one.logits(z_validation), y_validation) / len(y_validation) for one in fits]
    best = int(np.argmin(losses))
    return fits[best]._replace(loss=losses[best])


def known(z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows with a label and an embedding, in float64."""
    rows = ~np.isnan(y) & ~np.isnan(z).any(1)
    return z[rows].astype(np.float64), y[rows].astype(np.float64)
