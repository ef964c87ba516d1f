"""Genotype, outcome, covariates -> Firth's penalised log odds ratio and its likelihood-ratio test, exact and fast.

Firth 1993 (Biometrika 80:27); the test by penalised likelihood ratio is Heinze & Schemper's (2002, Stat Med 21:2409).
The fast form is REGENIE's (Mbatchou et al. 2021, Nat Genet 53:1097, Methods): covariate effects stay as the penalised
null model has them, and one coefficient is fitted with the penalty 1/2 log of its own information. Here it is that of
the covariate-adjusted genotype g~, and the null's residuals are those of the penalised score, so that the slope at
0 and the information are those of the exact method.
"""

import numpy as np

from ecgwas.stats import logistic
from ecgwas.stats.sparse_pairs import Pairs, tilted

ITERATIONS = 100
MAX_STEP = 2.0  # log odds ratio
DONE = 1e-5  # the step not taken, in standard errors


def exact(y: np.ndarray, x: np.ndarray, g: np.ndarray, offset: np.ndarray | None = None) -> tuple[float, float, float]:
    """beta, standard error, chi-square of `g` [n] beside `x` [n, c]: all coefficients fitted, penalty of all columns.

    The null model of the test has beta = 0 and the penalty of the full design, as in Heinze & Schemper. NaN where it
    does not converge.
    """
    design = np.column_stack([x, g])
    null = logistic.fit(y, design, offset, firth=True, free=x.shape[1])
    full = logistic.fit(y, design, offset, firth=True, start=null.beta)
    if null.reason or full.reason:
        return np.nan, np.nan, np.nan
    return float(full.beta[-1]), float(full.se[-1]), max(2 * (full.loglik - null.loglik), 0.0)


def profile(pairs: Pairs, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Penalised log likelihood less a constant, its slope, and the information, each [B], at `beta` [B]."""
    g, mu, x = pairs.g, pairs.mu, pairs.g * beta[:, None]
    normalisation, moved = tilted(mu, x)
    weight = g * g * moved * (1 - moved)
    information = weight.sum(axis=1) + pairs.rest_information
    value = (x * (pairs.e + mu) - normalisation).sum(axis=1)
    value += pairs.rest_score * beta - pairs.rest_information * beta**2 / 2 + np.log(information) / 2
    slope = (g * (pairs.e + mu - moved)).sum(axis=1) + pairs.rest_score - pairs.rest_information * beta
    slope += (weight * g * (1 - 2 * moved)).sum(axis=1) / information / 2
    return value, slope, information


def approximate(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """beta and likelihood-ratio chi-square [B]; NaN where it does not converge."""
    beta = np.zeros(len(pairs.g))
    at_zero, slope, information = profile(pairs, beta)
    value, done = at_zero, np.zeros(len(beta), bool)
    for _ in range(ITERATIONS):
        step = np.clip(slope / information, -MAX_STEP, MAX_STEP)
        done = np.abs(step) * np.sqrt(information) < DONE
        if done.all():
            break
        for _ in range(logistic.MAX_HALVINGS):
            new = profile(pairs, beta + step)
            worse = ~(new[0] >= value - 1e-12 * np.abs(value)) & ~done
            if not worse.any():
                break
            step = np.where(worse, step / 2, step)
        beta = beta + step
        value, slope, information = new
    chi2 = np.maximum(2 * (value - at_zero), 0)
    return np.where(done, beta, np.nan), np.where(done, chi2, np.nan)
