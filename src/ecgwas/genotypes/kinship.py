"""genotypes [variant, sample] -> kinship of every pair: KING-robust and PC-Relate, as blocked matrix products."""

from collections.abc import Iterator

import numpy as np

SAMPLES = 1024  # samples a side of a block of pairs
VARIANTS = 4096


def _pairs(n: int) -> Iterator[tuple[slice, slice]]:
    """Blocks of the upper triangle of an n by n matrix."""
    for i in range(0, n, SAMPLES):
        for j in range(i, n, SAMPLES):
            yield slice(i, min(i + SAMPLES, n)), slice(j, min(j + SAMPLES, n))


def king_block(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """KING-robust kinship [sample of a, sample of b] of calls int8 [variant, sample], -1 missing.

    Between-family estimator (Manichaikul et al. 2010, doi:10.1093/bioinformatics/btq559, equation 11), over
    variants called in both. The counts are exact in float32 up to 16 million variants, in whatever order summed.
    NaN where one of the pair has no heterozygous call.
    """
    both, opposite, het_a, het_b = (np.zeros((a.shape[1], b.shape[1]), np.float32) for _ in range(4))
    for i in range(0, len(a), VARIANTS):
        x, y = a[i : i + VARIANTS], b[i : i + VARIANTS]
        hx, hy = (x == 1).astype(np.float32), (y == 1).astype(np.float32)
        both += hx.T @ hy
        opposite += (x == 0).astype(np.float32).T @ (y == 2).astype(np.float32)
        opposite += (x == 2).astype(np.float32).T @ (y == 0).astype(np.float32)
        het_a += hx.sum(0)[:, None] - hx.T @ (y < 0).astype(np.float32)
        het_b += hy.sum(0)[None] - (x < 0).astype(np.float32).T @ hy
    fewer = np.minimum(het_a, het_b).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 0.5 + (2 * both.astype(np.float64) - 4 * opposite - het_a - het_b) / (
            4 * np.where(fewer > 0, fewer, np.nan)
        )


def king(calls: np.ndarray) -> np.ndarray:
    """KING-robust kinship float32 [sample, sample] of calls int8 [variant, sample]; the diagonal is 0.5."""
    phi = np.empty((calls.shape[1], calls.shape[1]), np.float32)
    for i, j in _pairs(calls.shape[1]):
        phi[i, j] = king_block(calls[:, i], calls[:, j])
        phi[j, i] = phi[i, j].T
    return phi


def expected_frequencies(calls: np.ndarray, scores: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Individual ALT frequencies [variant, sample]: genotypes of `train` regressed on its scores, halved.

    Conomos et al. 2016 (doi:10.1016/j.ajhg.2015.11.022), equation 3; missing calls at the variant's mean.
    """
    design = np.column_stack([np.ones(len(scores)), scores])
    p = np.where(calls[:, train] < 0, np.nan, calls[:, train]).astype(np.float64)
    missing = np.isnan(p)
    means = np.where(missing, 0, p).sum(1) / np.maximum((~missing).sum(1), 1)
    p[missing] = np.broadcast_to(means[:, None], p.shape)[missing]
    coefficients = p @ np.linalg.pinv(design[train]).T
    return coefficients @ design.T / 2


def pc_relate(
    calls: np.ndarray, scores: np.ndarray, train: np.ndarray | None = None, min_maf: float = 0.01
) -> np.ndarray:
    """PC-Relate kinship float32 [sample, sample] of calls int8 [variant, sample] given scores [sample, component].

    Conomos et al. 2016, equation 4: sum of (g_i - 2 mu_i)(g_j - 2 mu_j) over 4 sum of
    sqrt(mu_i (1 - mu_i) mu_j (1 - mu_j)), over variants called and with `min_maf` < mu < 1 - `min_maf` in both.
    `train` (bool [sample]) are the unrelated ones whose genotypes give mu; Hail's pc_relate takes everyone.
    """
    n = calls.shape[1]
    train = np.ones(n, bool) if train is None else train
    above, below = np.zeros((n, n), np.float32), np.zeros((n, n), np.float32)
    for v in range(0, len(calls), VARIANTS // 2):
        g = calls[v : v + VARIANTS // 2]
        mu = expected_frequencies(g, scores, train)
        usable = (mu > min_maf) & (mu < 1 - min_maf) & (g >= 0)
        residual = np.where(usable, g - 2 * mu, 0).astype(np.float32)
        spread = np.sqrt(np.where(usable, mu * (1 - mu), 0)).astype(np.float32)
        for i, j in _pairs(n):
            above[i, j] += residual[:, i].T @ residual[:, j]
            below[i, j] += spread[:, i].T @ spread[:, j]
    with np.errstate(divide="ignore", invalid="ignore"):
        phi = above / (4 * below)
    upper = np.triu(phi)
    return upper + np.triu(phi, 1).T


def pairs_above(phi: np.ndarray, limit: float) -> list[tuple[int, int]]:
    """Pairs i < j of a symmetric matrix above `limit`, in order."""
    return [(int(i), int(j)) for i, j in np.argwhere(np.triu(phi > limit, 1))]


def king_limit(frequency: np.ndarray, n: int, limit: float) -> float:
    """`limit`, raised to z SD of KING's kinship of two strangers from independent variants of these frequencies.

    d = (X_i - X_j)^2 is 1 with probability 4pq(p^2 + q^2) and 4 with 2p^2q^2 in strangers, and kinship is
    1/2 - sum d / (4 sum 2pq); z would leave half a false pair among n people were the counts of
    heterozygotes fixed; they vary, and some pairs in ten
    thousand exceed it. It only guards a choice that PC-Relate remakes.
    """
    from scipy.stats import norm

    pq = frequency * (1 - frequency)
    variance = 4 * pq * (1 - 2 * pq) + 32 * pq**2 - 16 * pq**2
    sd = np.sqrt(variance.sum()) / (8 * pq.sum())
    return max(limit, float(norm.isf(1 / max(n * (n - 1), 3)) * sd))


def resolvable(phi: np.ndarray, limit: float) -> float:
    """`limit`, raised where noise alone would exceed it: median + z SD of the pairs, for half a false pair expected.

    Few variants, or variants on short stretches, cannot tell third-degree relatives from strangers. The SD is robust
    (nearly all pairs are strangers); PC-Relate's kinship of strangers is centred on 0 whatever the ancestry.
    """
    from scipy.stats import norm

    n = len(phi)
    values = phi[np.triu_indices(n, 1)]
    values = values[np.isfinite(values)]
    if values.size < 10:
        return limit
    middle = float(np.median(values))
    sd = 1.4826 * float(np.median(np.abs(values - middle)))
    return max(limit, middle + float(norm.isf(0.5 / values.size)) * sd)
