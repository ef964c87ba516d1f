"""Posteriors of single effects -> credible sets with their purity."""

from dataclasses import dataclass

import numpy as np

from ecgwas.finemap.susie import PRIOR_TOLERANCE


@dataclass(frozen=True)
class CredibleSet:
    """Variants that hold one causal variant with the wanted probability."""

    variants: np.ndarray  # indices, ascending
    lead: int  # the index with most mass
    coverage: float  # posterior mass held
    min_abs_corr: float
    mean_abs_corr: float
    log_bf: float  # natural logarithm


def smallest_set(alpha: np.ndarray, coverage: float) -> np.ndarray:
    """Indices of the fewest variants whose posterior `alpha` [p] sums to `coverage`; ties go to the first."""
    order = np.argsort(-alpha, kind="stable")
    size = int((np.cumsum(alpha[order]) < coverage).sum()) + 1
    return np.sort(order[:size])


def purity(variants: np.ndarray, R: np.ndarray) -> tuple[float, float]:
    """Smallest and mean |r| between two of `variants`; 1 for a single one."""
    if len(variants) == 1:
        return 1.0, 1.0
    r = np.abs(R[np.ix_(variants, variants)])[np.triu_indices(len(variants), 1)]
    return float(r.min()), float(r.mean())


def credible_sets(
    alpha: np.ndarray,
    prior_variance: np.ndarray,
    log_bf: np.ndarray,
    R: np.ndarray,
    coverage: float = 0.95,
    min_abs_corr: float = 0.5,
) -> list[CredibleSet]:
    """Sets of one trait's effects `alpha` [L, p], strongest first.

    Effects of zero prior variance have none, equal sets count once, and sets whose purity is below `min_abs_corr`
    are dropped (Wang et al. 2020, section 3.2): such an effect is not distinguished from noise.
    """
    sets, seen = [], set()
    for effect in np.argsort(-log_bf, kind="stable"):
        variants = smallest_set(alpha[effect], coverage)
        if prior_variance[effect] <= PRIOR_TOLERANCE or variants.tobytes() in seen:
            continue
        seen.add(variants.tobytes())
        smallest, mean = purity(variants, R)
        if smallest >= min_abs_corr:
            mass, lead = float(alpha[effect, variants].sum()), int(alpha[effect].argmax())
            sets.append(CredibleSet(variants, lead, mass, smallest, mean, float(log_bf[effect])))
    return sets
