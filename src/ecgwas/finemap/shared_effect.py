"""z scores of many axes -> posterior of the one causal variant they share: summed log Bayes factors."""

from dataclasses import dataclass

import numpy as np

from ecgwas.finemap.susie import best_ratio, log_bayes_factors, log_sum_exp


@dataclass(frozen=True)
class SharedEffect:
    """Posterior of one causal variant that acts on all axes."""

    pip: np.ndarray  # [p]
    log_bf: float  # natural logarithm
    ratio: np.ndarray  # [K] prior variance over squared error, by axis
    iterations: int
    converged: bool


def common_ratio(chi2: np.ndarray, log_prior: np.ndarray) -> float:
    """The one prior ratio for all axes, of χ² [K, p], with the largest evidence, on a grid."""
    axes, total = len(chi2), chi2.sum(axis=0)
    grid = np.geomspace(1e-2, max(total.max(), 1.0), 50)
    weight = 0.5 * total * (grid / (1 + grid))[:, None]
    return float(grid[(log_sum_exp(log_prior + weight) - 0.5 * axes * np.log1p(grid)).argmax()])


def shared_effect(z: np.ndarray, max_iterations: int = 200, tolerance: float = 1e-6) -> SharedEffect:
    """Uncorrelated z scores [K, p] -> posterior of the one causal variant, under a uniform prior over variants.

    log BF_j = Σ_k log ABF(z_jk; w_k): given the variant, effects on the axes are independent N(0, w_k)
    (approximate Bayes factor: Wakefield 2009, Genet Epidemiol 33:79). Each w_k, prior variance over squared error,
    maximises the evidence log Σ_j BF_j / p given the others, in turn, from the best ratio common to all: axes
    that the variant leaves alone then add no noise, and no direction is fitted to the lead.
    """
    chi2, (axes, p) = z**2, z.shape
    flat = np.full(p, -np.log(p))
    ratio = np.full(axes, common_ratio(chi2, flat))
    log_bf, converged, iteration = log_bayes_factors(chi2, ratio), False, 0
    while not converged and iteration < max_iterations:
        before, iteration = ratio.copy(), iteration + 1
        for k in range(axes):
            others = flat + log_bf.sum(axis=0) - log_bf[k]
            ratio[k] = best_ratio(chi2[k : k + 1], others[None])[0]
            log_bf[k] = log_bayes_factors(chi2[k], ratio[k])
        converged = bool((np.abs(ratio - before) <= tolerance * (1 + ratio)).all())
    total = flat + log_bf.sum(axis=0)
    evidence = log_sum_exp(total)
    return SharedEffect(np.exp(total - evidence), float(evidence), ratio, iteration, converged)
