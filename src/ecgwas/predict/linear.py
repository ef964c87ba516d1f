"""Features and labels -> penalised logistic regression, one for each outcome: no network, no torch."""

from typing import NamedTuple

import numpy as np
import scipy.special

PENALTIES = np.geomspace(1e-2, 1e4, 9)  # on coefficients of standardised features, beside the summed loss
NEWTON_STEPS = 12


class Linear(NamedTuple):
    """Logits as a linear function of features as they are, scaling included."""

    weight: np.ndarray  # [outcome, feature]
    bias: np.ndarray  # [outcome]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Features [n, feature] -> logits [n, outcome]; NaN where a feature is."""
        return x @ self.weight.T + self.bias


class Fit(NamedTuple):
    """One outcome's regression, and how it was chosen."""

    weight: np.ndarray  # [feature]
    bias: float
    scale: str  # standardised, or one scale for all features
    penalty: float
    loss: float  # mean log loss of those who choose; of the training rows where nobody chooses


def logistic(x: np.ndarray, y: np.ndarray, penalty: float) -> np.ndarray:
    """Coefficients [1 + width] of P(y = 1), the intercept first and free: Newton steps, halved where they go astray.

    Minimises the summed log loss + penalty/2 times the squared length of the coefficients (le Cessie & van Houwelingen
    1992, Appl Stat 41:191).
    """
    design = np.column_stack([np.ones(len(x)), x])
    ridge = np.r_[1e-9, np.full(x.shape[1], penalty)]
    w = np.zeros(design.shape[1])
    w[0] = scipy.special.logit(np.clip(y.mean(), 1e-3, 1 - 1e-3))

    def loss(w: np.ndarray) -> float:
        eta = design @ w
        return np.logaddexp(0, eta).sum() - eta @ y + 0.5 * ridge @ w**2

    now = loss(w)
    for _ in range(NEWTON_STEPS):
        p = scipy.special.expit(design @ w)
        gradient = design.T @ (p - y) + ridge * w
        step = np.linalg.solve((design.T * (p * (1 - p) + 1e-9)) @ design + np.diag(ridge), gradient)
        size = 1.0
        while (new := loss(w - size * step)) > now and size > 1e-3:
            size /= 2
        w, gain, now = w - size * step, now - new, new
        if gain < 1e-6 * (1 + abs(now)):
            break
    return w


def scales(x: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Centre and width [feature] of two scalings by the training rows x: each feature by its SD, or all by one number.

    With few labels the scale decides: principal components, standardised, drown in those that are noise. A constant
    feature is given an endless width and so counts for nothing.
    """
    mean, sd = x.mean(0), x.std(0)
    rms = max(float(np.sqrt(((x - mean) ** 2).mean())), 1e-12)
    varies = sd > 1e-9 * rms
    return {"standardised": (mean, np.where(varies, sd, np.inf)), "one": (mean, np.where(varies, rms, np.inf))}


def fit_one(x: np.ndarray, y: np.ndarray, choose_x: np.ndarray, choose_y: np.ndarray) -> Fit:
    """The regression of y [n] on x [n, feature] whose scale and penalty have the least log loss where it is to choose.

    Fitted in the span of the training rows, which gives the same regression with no more columns than rows.
    """
    found = []
    for name, (mean, width) in scales(x).items():
        z, chosen_z = (x - mean) / width, (choose_x - mean) / width
        basis = np.linalg.svd(z, full_matrices=False)[2].T if z.shape[1] > len(z) else np.eye(z.shape[1])
        for penalty in PENALTIES:
            w = logistic(z @ basis, y, penalty)
            slope = basis @ w[1:]
            eta, target = (w[0] + chosen_z @ slope, choose_y) if len(choose_y) else (w[0] + z @ slope, y)
            loss = float(np.mean(np.logaddexp(0, eta) - target * eta))
            found.append(Fit(slope / width, float(w[0] - mean / width @ slope), name, float(penalty), loss))
    return min(found, key=lambda fit: fit.loss)


def fit(x: np.ndarray, y: np.ndarray, train: np.ndarray, choose: np.ndarray) -> tuple[Linear, list[Fit | None]]:
    """Regressions of y [n, outcome] (NaN: no label) on x [n, feature] (NaN: cannot be used); train, choose bool [n].

    An outcome without both classes among the training rows gets NaN weights, and None in the list.
    """
    there, fits = np.isfinite(x).all(1), []
    for k in range(y.shape[1]):
        known = there & np.isfinite(y[:, k])
        a, b = known & train, known & choose
        both = 0 < y[a, k].sum() < a.sum()
        fits.append(fit_one(x[a], y[a, k], x[b], y[b, k]) if both else None)
    blank = np.full(x.shape[1], np.nan)
    weight = np.stack([blank if f is None else f.weight for f in fits])
    return Linear(weight, np.array([np.nan if f is None else f.bias for f in fits])), fits
