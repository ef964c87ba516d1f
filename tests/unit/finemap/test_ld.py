"""In-sample linkage disequilibrium with covariates projected out."""

import numpy as np

from ecgwas.finemap.ld import correlation, smallest_eigenvalue
from ecgwas.stats.linear import orthonormal, unit_residuals


def test_partial_correlation_with_missing_calls_at_the_mean(genotypes):
    """The same as regressing each mean-filled genotype on the covariates, one at a time."""
    rng = np.random.default_rng(1)
    dosages = genotypes(1, 300, 20).astype(np.float32)
    dosages[rng.random(dosages.shape) < 0.05] = np.nan
    c = rng.normal(size=(300, 3)) + dosages[0, :, None].repeat(3, axis=1) * [1, 0, 0]
    c = np.nan_to_num(c)
    filled = np.where(np.isnan(dosages), np.nanmean(dosages, axis=1, keepdims=True), dosages).astype(float)
    design = np.column_stack([np.ones(300), c])
    left = filled - (design @ np.linalg.lstsq(design, filled.T, rcond=None)[0]).T
    R = correlation(unit_residuals(dosages, orthonormal(c)))
    np.testing.assert_allclose(R, np.corrcoef(left), atol=1e-6)
    np.testing.assert_allclose(smallest_eigenvalue(R, 296), np.linalg.eigvalsh(R)[0])
    assert smallest_eigenvalue(R, 10) == 0


def test_variants_without_variance_are_zero():
    """Monomorphic, uncalled, and a combination of the covariates."""
    rng = np.random.default_rng(2)
    c = rng.integers(0, 3, (100, 1)).astype(float)
    dosages = np.stack([np.full(100, 2), np.full(100, np.nan), c[:, 0], rng.integers(0, 3, 100)]).astype(np.float32)
    left = unit_residuals(dosages, orthonormal(c))
    assert (left[:3] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(left[3]), 1)
