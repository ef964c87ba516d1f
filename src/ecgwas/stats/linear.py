"""Linear regression on arrays: bases of covariates, residuals of traits and of genotypes.

Frisch & Waugh 1933 (Econometrica 1:387), Lovell 1963: the coefficient of a genotype in a regression with covariates
is that of the genotype's residual on the covariates in a regression of the trait's residual.
"""

import numpy as np

ROUNDING = 1e-9  # a variable that varies by less than this share of its size is constant
RANK = 1e-8  # a covariate direction below this share of the largest is no direction
KEEP_VARIANCE = 1e-6  # share of a genotype's variance that must be left after the covariates
BLOCK = 256  # variants worked on at a time: temporary arrays do not grow with the variants


def orthonormal(c: np.ndarray) -> np.ndarray:
    """[n, rank]: orthonormal basis of an intercept and the columns of `c` [n, c]."""
    u, s, _ = np.linalg.svd(np.column_stack([np.ones(len(c)), c]), full_matrices=False)
    return u[:, s > RANK * s[0]]


def project_out(q: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`y` less its part in the span of `q`; twice, so that the rest is orthogonal to rounding."""
    y = y - q @ (q.T @ y)
    return y - q @ (q.T @ y)


def unit_residuals(dosages: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Dosages [variant, person], orthonormal covariates `q` [person, column] -> residuals of length 1 (0: no variance).

    Missing calls take the variant's mean over these people, as in the scan; then the columns of `q`, which hold the
    intercept, are projected out.
    """
    out = np.empty(dosages.shape)
    for first in range(0, len(dosages), BLOCK):
        out[first : first + BLOCK] = _block(dosages[first : first + BLOCK], q)
    return out


def _block(dosages: np.ndarray, q: np.ndarray) -> np.ndarray:
    missing = np.isnan(dosages)
    called = np.maximum((~missing).sum(axis=1, keepdims=True), 1)
    filled = np.where(missing, 0, dosages).astype(float)
    centred = np.where(missing, 0, filled - filled.sum(axis=1, keepdims=True) / called)
    residuals = project_out(q, centred.T).T
    before, length = np.linalg.norm(centred, axis=1), np.linalg.norm(residuals, axis=1)
    usable = length**2 > KEEP_VARIANCE * np.maximum(before**2, 1e-12)
    return np.where(usable[:, None], residuals / np.where(usable, length, 1)[:, None], 0)
