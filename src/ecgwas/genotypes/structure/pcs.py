"""genotypes [variant, sample] -> principal components of some samples, all others projected onto them."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse.linalg

BLOCK = 1024
GRAM = 8192  # samples up to which the Gram matrix is held
KRYLOV = 8  # multiplications by the Gram matrix where it is not


@dataclass(frozen=True)
class Components:
    """Loadings of standardised genotypes: score = loadings' x standardised genotypes."""

    frequency: np.ndarray  # ALT frequency [variant] in the samples that made them
    loadings: np.ndarray  # [variant, component], columns of length 1
    eigenvalues: np.ndarray  # [component], of the genetic relationship matrix, falling


def frequencies(calls: np.ndarray) -> np.ndarray:
    """ALT frequency [variant] of calls int8 [variant, sample], -1 missing."""
    called = np.maximum((calls >= 0).sum(1), 1)
    return np.where(calls > 0, calls, 0).sum(1, dtype=np.int64) / (2 * called)


def standardise(calls: np.ndarray, frequency: np.ndarray, n_variants: int, dtype: type = np.float64) -> np.ndarray:
    """(x - 2p) / sqrt(2 p (1 - p) m), missing 0: Hail's hwe_normalize; [variant, sample].

    Variants that do not vary become 0, and `n_variants` (m) counts those that do.
    """
    scale = np.sqrt(2 * frequency * (1 - frequency) * n_variants)[:, None]
    z = calls - (2 * frequency[:, None]).astype(dtype)
    z /= np.where(scale > 0, scale, np.inf).astype(dtype)
    z[calls < 0] = 0
    return z


def _top(calls: np.ndarray, p: np.ndarray, polymorphic: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """At least the `k` largest eigenvalues and their vectors [sample, ·] of the Gram matrix, summed over blocks."""
    n = calls.shape[1]
    gram = np.zeros((n, n))
    for i in range(0, len(calls), BLOCK):
        z = standardise(calls[i : i + BLOCK], p[i : i + BLOCK], polymorphic)
        gram += z.T @ z
    if k >= n - 1 or n <= 200:
        return np.linalg.eigh(gram)
    start = np.cos(np.arange(n) * 0.7 + 0.1)  # any fixed vector that is orthogonal to no component
    return scipy.sparse.linalg.eigsh(gram, k=k, which="LA", v0=start, ncv=min(n, 4 * k + 20), tol=1e-10)


def _times_gram(calls: np.ndarray, p: np.ndarray, polymorphic: int, x: np.ndarray) -> np.ndarray:
    """Gram matrix times x float64 [sample, column], one pass over the calls, never holding it."""
    product = np.zeros(x.shape)
    single = x.astype(np.float32)
    for i in range(0, len(calls), BLOCK):
        z = standardise(calls[i : i + BLOCK], p[i : i + BLOCK], polymorphic, np.float32)
        product += z.T @ (z @ single)
    return product


def _top_blocked(calls: np.ndarray, p: np.ndarray, polymorphic: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The same by a block Krylov method (Musco & Musco 2015, algorithm 2), from a fixed start: memory of 18 k columns.

    For more samples than the square of which fits in memory.
    """
    rng = np.random.default_rng([0])
    basis = [np.linalg.qr(rng.standard_normal((calls.shape[1], 2 * k)))[0]]
    for _ in range(KRYLOV):
        y = _times_gram(calls, p, polymorphic, basis[-1])
        for _ in range(2):  # twice is enough to make it orthogonal
            for other in basis:
                y -= other @ (other.T @ y)
            y = np.linalg.qr(y)[0]
        basis.append(y)
    whole = np.concatenate(basis, axis=1)
    small = whole.T @ _times_gram(calls, p, polymorphic, whole)
    values, vectors = np.linalg.eigh((small + small.T) / 2)
    return values[-k:], whole @ vectors[:, -k:]


def fit(calls: np.ndarray, k: int) -> Components:
    """First `k` principal components of calls int8 [variant, sample] (-1 missing), standardised under Hardy-Weinberg.

    The top eigenvectors of the sample by sample Gram matrix are found from a fixed start and the sign of each
    component set so that its largest loading is positive: a rerun gives the same bits, which Hail's pca (random start,
    sums in the order in which tasks end) does not promise.
    """
    n = calls.shape[1]
    k = min(k, n - 1, len(calls))
    p = frequencies(calls)
    polymorphic = int(((p > 0) & (p < 1)).sum())
    values, vectors = _top(calls, p, polymorphic, k) if n <= GRAM else _top_blocked(calls, p, polymorphic, k)
    order = np.argsort(-values, kind="stable")[:k]
    values, vectors = np.maximum(values[order], 0), vectors[:, order]
    loadings = np.empty((len(calls), k))
    length = np.where(values > 1e-12, np.sqrt(values), np.inf)
    for i in range(0, len(calls), BLOCK):
        loadings[i : i + BLOCK] = standardise(calls[i : i + BLOCK], p[i : i + BLOCK], polymorphic) @ vectors / length
    largest = loadings[np.abs(loadings).argmax(0), np.arange(k)]
    return Components(p, loadings * np.where(largest < 0, -1, 1), values)


def project(components: Components, calls: np.ndarray) -> np.ndarray:
    """Scores float64 [sample, component] of calls int8 [variant, sample]; for the samples of `fit`, their scores."""
    p = components.frequency
    polymorphic = int(((p > 0) & (p < 1)).sum())
    scores = np.zeros((calls.shape[1], components.loadings.shape[1]))
    for i in range(0, len(calls), BLOCK):
        z = standardise(calls[i : i + BLOCK], p[i : i + BLOCK], polymorphic)
        scores += z.T @ components.loadings[i : i + BLOCK]
    return scores


def n_structural(eigenvalues: np.ndarray, most: int = 10) -> int:
    """How many leading components stand out of the noise: eigenvalue over 1.5 times the last one computed.

    Under no structure the top eigenvalues fall slowly along the Marchenko-Pastur edge (Patterson et al. 2006,
    doi:10.1371/journal.pgen.0020190), so the last component computed stands for that edge.
    """
    if len(eigenvalues) < 3:
        return 0
    return int(min((eigenvalues > 1.5 * eigenvalues[-1]).sum(), most, len(eigenvalues) - 1))
