"""genotype counts -> exact Hardy-Weinberg p."""

from functools import lru_cache

import numpy as np
from scipy.special import gammaln


@lru_cache(maxsize=65536)
def _log_probabilities(n: int, rare: int) -> np.ndarray:
    """Log probability of each possible number of heterozygotes (rare % 2, + 2, …) given n people, `rare` rare alleles.

    Wigginton et al. 2005 (doi:10.1086/429864), equation 1.
    """
    het = np.arange(rare % 2, rare + 1, 2)
    hom_rare, hom_common = (rare - het) // 2, n - (rare + het) // 2
    log_p = het * np.log(2) - gammaln(het + 1) - gammaln(hom_rare + 1) - gammaln(hom_common + 1)
    return log_p - np.logaddexp.reduce(log_p)


def mid_p(hom_ref: int, het: int, hom_alt: int) -> float:
    """Two-sided exact p with mid-p correction (Graffelman & Moreno 2013, doi:10.1515/sagmb-2012-0039), as in Hail."""
    n, rare = hom_ref + het + hom_alt, 2 * min(hom_ref, hom_alt) + het
    if rare == 0:
        return 1.0
    log_p = _log_probabilities(n, rare)
    observed = log_p[(het - rare % 2) // 2]
    tied = np.abs(log_p - observed) < 1e-9
    return float(np.exp(log_p[(log_p < observed) & ~tied]).sum() + 0.5 * np.exp(log_p[tied]).sum())


def hardy_weinberg_p(counts: np.ndarray) -> np.ndarray:
    """Mid-p [variant] of counts [variant, (homozygous REF, heterozygous, homozygous ALT)]; each distinct row once."""
    distinct, back = np.unique(counts, axis=0, return_inverse=True)
    return np.array([mid_p(*row) for row in distinct.tolist()])[back.ravel()]
