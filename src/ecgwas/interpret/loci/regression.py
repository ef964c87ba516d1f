"""Genotypes, covariates and many columns -> effect of each genotype on each column, errors and simultaneous bands.

Frisch & Waugh 1933: both sides are residualised on the covariates, once for all genotypes. Errors are HC3
(MacKinnon & White 1985, J Econometrics 29:305): a residual's square over (1 - leverage)^2. Bands: the multiplier
bootstrap of the largest |t| (Chernozhukov, Chetverikov & Kato 2013, Ann Stat 41:2786).
"""

from dataclasses import dataclass

import numpy as np

from ecgwas.stats.linear import orthonormal, project_out

CHUNK = 4096  # people whose multipliers are drawn together
SMALLEST = 1e-9  # share of a genotype's squared length below which it is collinear with the covariates


@dataclass(frozen=True)
class Design:
    """Residual genotypes [n, V], squared lengths [V] (NaN where collinear with the covariates), and leverages [n]."""

    g: np.ndarray
    gg: np.ndarray
    q: np.ndarray  # [n, 1 + c] orthonormal basis of intercept and covariates
    leverage: np.ndarray  # of the covariates alone

    @property
    def df(self) -> int:
        """Residual degrees of freedom with one genotype."""
        return len(self.q) - self.q.shape[1] - 1


def design(g: np.ndarray, c: np.ndarray) -> Design:
    """From genotypes g [n, V], NaN at the mean, and covariates c [n, c] without intercept."""
    g = np.where(np.isnan(g), np.nanmean(g, axis=0), g).astype(float)
    q = orthonormal(c)
    rest = project_out(q, g)
    gg = np.einsum("nv,nv->v", rest, rest)
    least = SMALLEST * np.einsum("nv,nv->v", g, g)
    return Design(rest, np.where(gg > least, gg, np.nan), q, np.einsum("nc,nc->n", q, q))


@dataclass(frozen=True)
class Fit:
    """Effects of one genotype on K columns."""

    beta: np.ndarray  # [K]
    se: np.ndarray  # [K]
    influence: np.ndarray  # [n, K]: beta less its expectation is about their sum; their squares sum to se^2


def fit(x: Design, rest: np.ndarray, variant: int) -> Fit:
    """One genotype's effects on residual columns, rest [n, K]."""
    g, gg = x.g[:, variant], x.gg[variant]
    beta = g @ rest / gg
    room = np.maximum(1 - x.leverage - g**2 / gg, 1e-12)
    influence = (rest - np.outer(g, beta)) * (g / gg / room)[:, None]
    return Fit(beta, np.sqrt(np.einsum("nk,nk->k", influence, influence)), influence)


def largest(found: Fit, draws: int, seed: int) -> np.ndarray:
    """Largest |t| over the columns in each draw of normal multipliers of people, [draws].

    The same seed gives people the same multipliers whatever the columns, so that maxima can be joined.
    """
    se = np.where(found.se > 0, found.se, np.inf)
    total = np.zeros((draws, len(se)), np.float32)
    for first in range(0, len(found.influence), CHUNK):
        part = (found.influence[first : first + CHUNK] / se).astype(np.float32)
        rng = np.random.default_rng([seed, first])
        total += rng.standard_normal((draws, len(part)), np.float32) @ part
    return np.abs(total).max(1)


def critical(maxima: np.ndarray, level: float = 0.95) -> float:
    """Multiple of the standard error that makes a simultaneous band, from the largest |t| of the draws."""
    return float(np.quantile(maxima, level, method="higher"))
