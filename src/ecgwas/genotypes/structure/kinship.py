"""genotypes [variant, sample] -> kinship of every pair: KING-robust and PC-Relate, as blocked matrix products."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

SAMPLES = 2048  # samples a side of a block of pairs
VARIANTS = 2048
SAMPLED = 2 * SAMPLES
FEW = 0.02  # share of a block's pairs up to which they are counted one by one


@dataclass(frozen=True)
class Pairs:
    """Pairs of samples i < j [pair], sorted, and their kinship."""

    i: np.ndarray
    j: np.ndarray
    phi: np.ndarray

    @classmethod
    def joined(cls, parts: list["Pairs"]) -> "Pairs":
        """All of `parts` in order of i, then j."""
        i, j, phi = (np.concatenate([getattr(part, name) for part in parts]) for name in ("i", "j", "phi"))
        order = np.lexsort((j, i))
        return cls(i[order], j[order], phi[order])

    def above(self, limit: float) -> "Pairs":
        """The pairs above `limit`."""
        kept = self.phi > limit
        return Pairs(self.i[kept], self.j[kept], self.phi[kept])

    def tuples(self) -> list[tuple[int, int]]:
        """(i, j) of every pair."""
        return list(zip(self.i.tolist(), self.j.tolist(), strict=True))


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


def king_pairs(calls: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """KING-robust kinship float32 [pair] of samples i and j; the numbers of `king_block`."""
    phi = np.empty(len(i), np.float32)
    chunk = max(1, 2**25 // max(len(calls), 1))
    for first in range(0, len(i), chunk):
        at = slice(first, first + chunk)
        a, b = calls[:, i[at]], calls[:, j[at]]
        called = (a >= 0) & (b >= 0)
        het_a, het_b = ((x == 1) & called for x in (a, b))
        opposite = (called & (np.abs(a - b) == 2)).sum(0)
        n_a, n_b = het_a.sum(0), het_b.sum(0)
        fewer = np.minimum(n_a, n_b).astype(np.float64)
        above = 2.0 * (het_a & het_b).sum(0) - 4 * opposite - n_a - n_b
        with np.errstate(divide="ignore", invalid="ignore"):
            phi[at] = 0.5 + above / (4 * np.where(fewer > 0, fewer, np.nan))
    return phi


def _sizes(calls: np.ndarray) -> np.ndarray:
    """Of each sample the homozygous calls less the missing ones, and the heterozygous calls, int64 [2, sample]."""
    sizes = np.zeros((2, calls.shape[1]), np.int64)
    for v in range(0, len(calls), VARIANTS):
        g = calls[v : v + VARIANTS]
        het, missing = (g == 1).sum(0), (g < 0).sum(0)
        sizes += np.stack([len(g) - het - 2 * missing, het])
    return sizes


def _centred(g: np.ndarray) -> np.ndarray:
    """g - 1 float32, 0 for missing (-1)."""
    return ((g - np.int8(1)) * (g >= 0)).astype(np.float32)


def king_bound(a: np.ndarray, b: np.ndarray, sizes_a: np.ndarray, sizes_b: np.ndarray) -> np.ndarray:
    """An upper bound of `king_block` from one matrix product, [sample of a, sample of b]; sizes as from `_sizes`.

    Kinship is 1/2 - D / (4 min(H_a, H_b)), D the sum of (g_a - g_b)^2 and H the heterozygotes over variants called in
    both. With g - 1 in {-1, 0, 1} and 0 for missing, |a|^2 + |b|^2 - 2 a'b exceeds D by at most the missing calls of
    both, and H over all called variants is no less than H over those called in both.
    """
    product = np.zeros((a.shape[1], b.shape[1]), np.float32)
    for v in range(0, len(a), VARIANTS):
        product += _centred(a[v : v + VARIANTS]).T @ _centred(b[v : v + VARIANTS])
    (least_a, het_a), (least_b, het_b) = sizes_a, sizes_b
    distance = np.maximum(least_a[:, None] + least_b[None] - 2 * product, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 0.5 - distance / (4 * np.minimum(het_a[:, None], het_b[None]))


def king_above(calls: np.ndarray, limit: float) -> Pairs:
    """Pairs with KING-robust kinship above `limit`, of calls int8 [variant, sample], -1 missing.

    Blocks of pairs that the bound lets pass are counted exactly, so memory grows with the pairs kept, not with
    samples squared.
    """
    found, sizes = [], _sizes(calls)
    for rows, columns in _pairs(calls.shape[1]):
        a, b = calls[:, rows], calls[:, columns]
        near = king_bound(a, b, sizes[:, rows], sizes[:, columns]) > limit - 1e-5
        if rows == columns:
            near = np.triu(near, 1)
        i, j = np.nonzero(near)
        phi = (
            king_pairs(calls, i + rows.start, j + columns.start)
            if len(i) <= FEW * near.size
            else king_block(a, b)[i, j]
        )
        kept = phi > limit
        found.append(Pairs(i[kept] + rows.start, j[kept] + columns.start, phi[kept]))
    return Pairs.joined(found)


def frequency_model(calls: np.ndarray, scores: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Coefficients float64 [variant, 1 + component]: genotypes of `train` (bool [sample]) regressed on its scores.

    Missing calls at the variant's mean; see `pc_relate_block` for what they are used for.
    """
    design = np.column_stack([np.ones(int(train.sum())), scores[train]])
    inverse = np.linalg.pinv(design).T
    coefficients = np.empty((len(calls), design.shape[1]))
    for v in range(0, len(calls), VARIANTS // 4):
        g = calls[v : v + VARIANTS // 4, train].astype(np.float64)
        missing = g < 0
        g[missing] = 0
        means = g.sum(1) / np.maximum((~missing).sum(1), 1)
        g[missing] = np.broadcast_to(means[:, None], g.shape)[missing]
        coefficients[v : v + VARIANTS // 4] = g @ inverse
    return coefficients


def _residuals(
    calls: np.ndarray, scores: np.ndarray, coefficients: np.ndarray, min_maf: float
) -> tuple[np.ndarray, np.ndarray]:
    """g - 2 mu and sqrt(mu (1 - mu)) [variant, sample], 0 where not called or mu is too near 0 or 1."""
    mu = (coefficients @ np.column_stack([np.ones(len(scores)), scores]).T / 2).astype(np.float32)
    usable = (mu > min_maf) & (mu < 1 - min_maf) & (calls >= 0)
    return np.where(usable, calls - 2 * mu, 0), np.sqrt(np.where(usable, mu * (1 - mu), 0))


def pc_relate_block(
    calls: np.ndarray, scores: np.ndarray, coefficients: np.ndarray, rows: slice, columns: slice, min_maf: float = 0.01
) -> np.ndarray:
    """PC-Relate kinship float32 [sample of rows, sample of columns], of calls [variant, sample] and scores of everyone.

    Conomos et al. 2016 (doi:10.1016/j.ajhg.2015.11.022), equation 4: sum of (g_i - 2 mu_i)(g_j - 2 mu_j) over 4 sum of
    sqrt(mu_i (1 - mu_i) mu_j (1 - mu_j)), over variants called and with `min_maf` < mu < 1 - `min_maf` in both; mu,
    the individual frequency (equation 3), is half of `coefficients` times [1, scores].
    """
    shape = (len(range(*rows.indices(calls.shape[1]))), len(range(*columns.indices(calls.shape[1]))))
    above, below = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for v in range(0, len(calls), VARIANTS):
        at = slice(v, v + VARIANTS)
        residual, spread = _residuals(calls[at, rows], scores[rows], coefficients[at], min_maf)
        other = (residual, spread)
        if rows != columns:
            other = _residuals(calls[at, columns], scores[columns], coefficients[at], min_maf)
        above += residual.T @ other[0]
        below += spread.T @ other[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        return above / (4 * below)


def pc_relate_above(calls: np.ndarray, scores: np.ndarray, train: np.ndarray, threshold: float) -> tuple[Pairs, float]:
    """Pairs with PC-Relate kinship above what can be told from chance, and that limit (`threshold` or `resolvable`).

    `train` (bool [sample]) are the unrelated ones whose genotypes give the individual frequencies; Hail's pc_relate
    takes everyone. Memory is that of a block and of the pairs kept; the spread of strangers' kinship is taken from the
    pairs of the first SAMPLED samples.
    """
    coefficients = frequency_model(calls, scores, train)
    found, strangers = [], []
    for rows, columns in _pairs(calls.shape[1]):
        phi = pc_relate_block(calls, scores, coefficients, rows, columns)
        pairs = np.triu(np.ones(phi.shape, bool), 1) if rows == columns else np.ones(phi.shape, bool)
        if columns.stop <= SAMPLED:
            strangers.append(phi[pairs])
        i, j = np.nonzero(pairs & (phi > threshold))
        found.append(Pairs(i + rows.start, j + columns.start, phi[i, j]))
    n = calls.shape[1]
    limit = resolvable(np.concatenate(strangers), threshold, n * (n - 1) // 2)
    return Pairs.joined(found).above(limit), limit


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


def resolvable(values: np.ndarray, limit: float, n_pairs: int) -> float:
    """`limit`, raised where noise alone would exceed it: median + z SD, for half a false pair
    expected among `n_pairs`, of which `values` are some or all.

    Few variants, or variants on short stretches, cannot tell third-degree relatives from strangers. The SD is robust
    (nearly all pairs are strangers); PC-Relate's kinship of strangers is centred on 0 whatever the ancestry.
    """
    from scipy.stats import norm

    values = values[np.isfinite(values)]
    if values.size < 10:
        return limit
    middle = float(np.median(values))
    sd = 1.4826 * float(np.median(np.abs(values - middle)))
    return max(limit, middle + float(norm.isf(0.5 / n_pairs)) * sd)
