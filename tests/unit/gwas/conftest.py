"""Genotypes, traits and covariates in arrays."""

import numpy as np
import pytest


@pytest.fixture
def arrays():
    """A function: ALT dosages [V, n] with missing calls, traits [n, T], covariates [n, c] correlated with genotypes."""

    def make(
        seed=1, n=600, n_traits=4, n_covariates=3, af=(0.001, 0.01, 0.05, 0.3, 0.5, 0.7, 0.95, 0.99, 0.999), repeat=3
    ):
        rng = np.random.default_rng(seed)
        frequencies = np.repeat(af, repeat)
        g = rng.binomial(2, frequencies[:, None], (len(frequencies), n)).astype(np.float32)
        minor = np.where(frequencies > 0.5, 0, 2)
        g[np.arange(len(g)), rng.integers(0, n, len(g))] = minor  # nobody monomorphic
        c = rng.normal(size=(n, n_covariates)) + 0.5 * g[4 * repeat][:, None]
        y = rng.normal(size=(n, n_traits)) @ rng.normal(size=(n_traits, n_traits)) + c @ rng.normal(
            size=(n_covariates, n_traits)
        )
        y += 0.4 * g[3 * repeat][:, None] * rng.normal(size=n_traits)
        g[rng.random(g.shape) < 0.01] = np.nan
        return g, y, c

    return make


@pytest.fixture
def ols():
    """A function: beta, SE [V, T] of each trait on each mean-imputed genotype with covariates, by statsmodels."""

    def fit(g, y, c):
        import statsmodels.api as sm

        beta, se = np.empty((len(g), y.shape[1])), np.empty((len(g), y.shape[1]))
        for v, row in enumerate(g.astype(float)):
            x = np.column_stack([np.where(np.isnan(row), np.nanmean(row), row), np.ones(len(row)), c])
            for k in range(y.shape[1]):
                found = sm.OLS(y[:, k], x).fit()
                beta[v, k], se[v, k] = found.params[0], found.bse[0]
        return beta, se

    return fit
