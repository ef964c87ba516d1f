"""Values of people -> traits: residuals, whitened axes, normal scores."""

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from ecgwas.stats.linear import ROUNDING

EIGEN_FLOOR = 1e-10  # of the largest eigenvalue: directions below carry rounding error only


def with_intercept(c: np.ndarray) -> np.ndarray:
    """[person, 1 + column]."""
    return np.column_stack([np.ones(len(c)), c])


def fit(y: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Least-squares coefficients [1 + covariate, column] of `y` [person, column] on an intercept and `c`."""
    return np.linalg.lstsq(with_intercept(c), y, rcond=None)[0]


def residual(y: np.ndarray, c: np.ndarray) -> np.ndarray:
    """`y` [person, column] less its projection on an intercept and the covariates `c` [person, covariate]."""
    return y - with_intercept(c) @ fit(y, c)


def normal_scores(y: np.ndarray) -> np.ndarray:
    """Rank-based inverse normal transform of one column: Phi^-1((rank - 3/8) / (n + 1/4)), ties share a rank.

    Blom 1958, Statistical Estimates and Transformed Beta-Variables; for association Beasley et al. 2009, Behav Genet.
    """
    return special.ndtri((stats.rankdata(y) - 0.375) / (len(y) + 0.25))


def constant(y: np.ndarray, resid: np.ndarray) -> bool:
    """Whether a column has nothing left to analyse once an intercept and covariates are taken out."""
    return bool(np.std(resid) <= ROUNDING * max(np.abs(y).max(initial=0.0), 1e-300))


@dataclass(frozen=True)
class Whitening:
    """axes = (embedding - [1, c] @ coefficients) @ loadings: uncorrelated columns of unit variance."""

    coefficients: np.ndarray  # [1 + covariate, dimension]
    loadings: np.ndarray  # [dimension, axis]
    variance: np.ndarray  # [axis], of the embedding along the axis before scaling


def whiten(embedding: np.ndarray, c: np.ndarray, axes: int, noise: np.ndarray | None = None) -> Whitening:
    """Principal components of the covariate residuals of `embedding` [person, dimension], scaled to unit variance.

    With `noise` [pair, dimension], half differences of two recordings of a person, the axes are instead those
    with the least within-person variance after whitening: the maximum noise fraction transform (Green et al. 1988,
    IEEE TGRS 26:65). Signs: the loading largest in size is positive.
    """
    coefficients = fit(embedding, c)
    resid = embedding - with_intercept(c) @ coefficients
    variance, vectors = np.linalg.eigh(resid.T @ resid / len(resid))
    kept = np.flatnonzero(variance > EIGEN_FLOOR * variance[-1])[::-1]
    loadings = vectors[:, kept] / np.sqrt(variance[kept])
    if noise is not None:
        within = noise @ loadings
        loadings = loadings @ np.linalg.eigh(within.T @ within / len(within))[1]
    loadings = loadings[:, :axes]
    loadings = loadings * np.sign(loadings[np.abs(loadings).argmax(axis=0), np.arange(loadings.shape[1])])
    size = 1 / np.einsum("da,da->a", loadings, loadings)
    return Whitening(coefficients, loadings, size)
