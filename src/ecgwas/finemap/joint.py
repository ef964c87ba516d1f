"""z scores of many axes -> posterior of the one causal variant they share: summed log Bayes factors."""

import numpy as np
from scipy.special import logsumexp

from ecgwas.finemap.susie import best_ratio, log_bayes_factors

CYCLES = 50


def whitener(correlation: np.ndarray, floor: float = 1e-6) -> np.ndarray:
    """Symmetric W [K, K] with W C W' = 1 on the directions whose eigenvalue exceeds `floor`; others are removed."""
    values, vectors = np.linalg.eigh(correlation)
    scale = np.where(values > floor, 1 / np.sqrt(np.maximum(values, floor)), 0.0)
    return (vectors * scale) @ vectors.T


def shared_effect(z: np.ndarray, cycles: int = CYCLES) -> tuple[np.ndarray, float, np.ndarray]:
    """Uncorrelated z scores [K, p] -> posterior of the causal variant [p], its log Bayes factor, prior ratios [K].

    log BF_j = Σ_k log ABF(z_jk; w_k): effects on the axes are independent N(0, w_k) given the variant
    (Wakefield 2009, Genet Epidemiol 33:79, per axis). w_k, prior variance over squared error, maximises the evidence
    log Σ_j BF_j / p axis by axis in turn, starting from the one ratio common to all axes.
    """
    chi2 = z**2
    axes, p = z.shape
    flat = np.full(p, -np.log(p))
    ratio = common_ratio(chi2, flat) * np.ones(axes)
    parts = log_bayes_factors(chi2, ratio)
    for _ in range(cycles):
        before = ratio.copy()
        for k in range(axes):
            others = flat + parts.sum(axis=0) - parts[k]
            ratio[k] = best_ratio(chi2[k : k + 1], others[None])[0]
            parts[k] = log_bayes_factors(chi2[k], ratio[k])
        if np.abs(ratio - before).max() <= 1e-6 * (1 + ratio.max()):
            break
    total = flat + parts.sum(axis=0)
    log_bf = logsumexp(total)
    return np.exp(total - log_bf), float(log_bf), ratio


def common_ratio(chi2: np.ndarray, log_prior: np.ndarray) -> float:
    """The one prior ratio for all axes with the largest evidence, on a grid finer than matters (5 % steps)."""
    axes, total = len(chi2), chi2.sum(axis=0)
    grid = np.geomspace(1e-2, max(total.max(), 1.0), 200)
    evidence = logsumexp(log_prior + 0.5 * (total * (grid / (1 + grid))[:, None]), axis=1) - 0.5 * axes * np.log1p(grid)
    return float(grid[evidence.argmax()])
