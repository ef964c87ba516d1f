"""Dosages and covariates -> residual genotypes of unit length, whose products are in-sample LD."""

import numpy as np

from ecgwas.gwas.trait_groups import project_out

KEEP_VARIANCE = 1e-6  # share of a genotype's variance that must be left after the covariates
BLOCK = 256  # variants worked on at a time: temporary arrays do not grow with the variants


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
