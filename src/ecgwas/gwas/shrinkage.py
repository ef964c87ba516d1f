"""Statistics of a whole scan -> what is expected of an effect given its statistic: correction of the winner's curse.

Adaptive shrinkage (Stephens 2017, Biostatistics 18:275): true z scores are a mixture of normals around 0, one of them a
point, whose weights are fitted to all statistics of the scan; an effect is replaced by its posterior mean. A posterior
given all data is the same whether or not the effect was selected for being large (Dawid 1994; Senn 2008, Stat Med
27:4351), so it holds for the strongest variant of a locus, the best of many traits and any threshold.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from ecgwas.associations import scan_statistics

WIDTH, LAST = 0.1, 40.0  # of a bin of |t|, and where the last one begins
PRIOR_VARIANCES = np.r_[0.0, 0.25 * 2.0 ** np.arange(14)]  # of true z scores: 0 to 2,048
NULL_WEIGHT = 10.0  # observations of no effect added to the data, as in ashr
ITERATIONS, TOLERANCE = 500, 1e-9
FURTHEST_Z = 37.0  # beyond, p underflows and shrinkage is negligible


@dataclass(frozen=True)
class Prior:
    """Weights [component] of normals with PRIOR_VARIANCES: the distribution of the true z scores of a scan."""

    weights: np.ndarray

    def factor(self, z: np.ndarray | float) -> np.ndarray:
        """Posterior mean of the true z over the observed one, between 0 and 1."""
        size = np.minimum(np.abs(np.atleast_1d(np.asarray(z, float))), FURTHEST_Z)[:, None]
        total = 1 + PRIOR_VARIANCES
        log_weight = np.log(np.maximum(self.weights, 1e-300)) - 0.5 * (np.log(total) + size**2 / total)
        weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
        return (weight * PRIOR_VARIANCES / total).sum(axis=1) / weight.sum(axis=1)


def count(scan: scan_statistics.Scan) -> tuple[np.ndarray, np.ndarray]:
    """Edges as z [row, 2] and numbers [row] of all |t| of a scan in bins, apart by degrees of freedom."""
    names, df, bins = [f"t:{name}" for name in scan.names], scan.df, int(LAST / WIDTH) + 1
    kinds, kind = np.unique(df, return_inverse=True)
    counts = np.zeros((len(kinds), bins), np.int64)
    for file, number, _ in scan_statistics.row_groups(scan.parts):
        table = file.read_row_group(number, names)
        for name, row in zip(names, kind, strict=True):
            t = np.abs(table.column(name).to_numpy())
            t = t[np.isfinite(t)]
            counts[row] += np.bincount(np.minimum(t / WIDTH, bins - 1).astype(np.int64), minlength=bins)
    edges = np.r_[np.arange(bins) * WIDTH, np.inf]
    z = [z_of(edges, degrees) for degrees in kinds]
    pairs = np.concatenate([np.column_stack([one[:-1], one[1:]]) for one in z])
    seen = counts.ravel() > 0
    return pairs[seen], counts.ravel()[seen]


def z_of(t: np.ndarray, df: float) -> np.ndarray:
    """|z| with the two-sided p of |t|; where p underflows, t itself."""
    if np.isinf(df):
        return t
    p = stats.t.sf(t, df)
    return np.where(p > 1e-290, -special.ndtri(np.maximum(p, 1e-300)), np.maximum(t, FURTHEST_Z))


def fit(edges: np.ndarray, counts: np.ndarray) -> Prior:
    """Weights of largest likelihood of |z| counted in bins `edges` [bin, 2], by expectation and maximisation."""
    sd = np.sqrt(1 + PRIOR_VARIANCES)
    mass = np.maximum(2 * (special.ndtr(-edges[:, :1] / sd) - special.ndtr(-edges[:, 1:] / sd)), 1e-300)
    weights = np.full(len(sd), 1 / len(sd))
    for _ in range(ITERATIONS):
        shared = mass * weights
        new = (counts[:, None] * shared / shared.sum(axis=1, keepdims=True)).sum(axis=0)
        new[0] += NULL_WEIGHT
        new /= new.sum()
        moved, weights = np.abs(new - weights).max(), new
        if moved < TOLERANCE:
            break
    return Prior(weights)


def of_scan(scan: scan_statistics.Scan) -> Prior:
    """The distribution of true z scores in all traits of a scan."""
    edges, counts = count(scan)
    return fit(edges, counts)
