"""Residual traits, genotype residuals -> the law of the joint test's R^2 when people are permuted.

With U an orthonormal basis of the K residual traits and u_i its row of person i, R^2 = sum_ij g_i g_j u_i'u_j / |g|^2.
People differ in overall size (noise, number of recordings), so their leverages h_i = |u_i|^2 differ by more than
chance, and R^2 of few carriers goes with their leverages. Here R^2 is referred to its law given these: the directions
of the u_i, which alone can tell of an effect, are taken as random. See docs/methods.md and docs/decisions/0013.
"""

from dataclasses import dataclass

import numpy as np

from ecgwas.stats import tails

SQUARES = ("size", "spread", "fourth", "spread_fourth")  # columns of `of_sums`
STEPS = 100  # of the fixed point for pairs; it converges in a few
FEW = 6.0  # effective carriers below which the law is not known well enough, with many axes


@dataclass(frozen=True)
class Leverages:
    """People's leverages in the joint test, and what the law of R^2 takes from them. n people, K axes."""

    relative: np.ndarray  # [n] leverage over what it would be if people were alike
    pair: np.ndarray  # [n] r_i/mean(r): the square of u_i'u_j is about r_i r_j for different i and j
    axes: int  # K
    room: int  # n less the covariates and the intercept
    shrinkage: float  # share of the variance of `relative` that is more than the chance of K normal axes
    variance: float  # of `relative`
    third: float  # its third central moment
    pair_two: float  # (mean(r) room/K)^2
    pair_three: float  # (mean(r) room/K)^3 times that of three pairs, E[u_i'u_j u_j'u_k u_k'u_i] / (r_i r_j r_k)


def pairs(h: np.ndarray) -> np.ndarray:
    """r [n]: the sum over j (not i) of r_i r_j is h_i (1 - h_i), which that of (u_i'u_j)^2 is, since U U' projects."""
    each = h * (1 - h)
    r = each / np.sqrt(each.sum())
    for _ in range(STEPS):
        r = np.sqrt(r * each / (r.sum() - r))  # the geometric mean of two steps, which swing about the solution
    return r


def measure(basis: np.ndarray, q: np.ndarray) -> Leverages:
    """From orthonormal residual traits `basis` [n, K] and covariates with intercept `q` [n, c], also orthonormal."""
    return of_people(np.einsum("nk,nk->n", basis, basis), basis.shape[1], q)


def of_people(h: np.ndarray, axes: int, q: np.ndarray) -> Leverages:
    """From people's leverages `h` [n] on that many axes, and `q` as in `measure`."""
    room, free = len(q) - q.shape[1], np.maximum(1 - np.einsum("nc,nc->n", q, q), 1e-8)
    relative = h / free * room / axes
    apart = relative - relative.mean()
    variance = float((apart**2).mean())
    r = pairs(np.minimum(h, 1 - 1e-9))
    distinct = r.sum() ** 3 - 3 * r.sum() * (r**2).sum() + 2 * (r**3).sum()
    three = (h.sum() - 3 * (h**2).sum() + 2 * (h**3).sum()) / distinct
    r = r / free
    size = r.mean() * room / axes
    return Leverages(
        relative, r / r.mean(), axes, room,
        max(0.0, 1 - 2 / axes / variance) if variance > 0 else 0.0, variance, float((apart**3).mean()),
        float(size**2), float(size**3 * three),
    )  # fmt: skip


def of_sums(two: np.ndarray, four: np.ndarray) -> np.ndarray:
    """[..., 4] of sums over people of g^2 (relative, pair, 1) [..., 3] and g^4 (1, pair^2) [..., 2]."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.concatenate([two[..., :2] / two[..., 2:], four / two[..., 2:] ** 2], axis=-1)


def carriers(features: np.ndarray, found: Leverages) -> np.ndarray:
    """Effective number of carriers [...]: (sum a)^2/sum a^2, of m alike m; a_i = g_i^2 r_i as far as the law is
    conditioned on leverages, g_i^2 as far as not.
    """
    _, spread, fourth, spread_fourth = np.moveaxis(features, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 1 / (found.shrinkage * spread_fourth / spread**2 + (1 - found.shrinkage) * fourth)


def enough(features: np.ndarray, found: Leverages) -> np.ndarray:
    """Bool [...]: carriers enough for a p. With few axes a law of directions alone is too discrete: more are needed."""
    return carriers(features, found) >= FEW * (1 + 4 * found.shrinkage / found.axes)


def ratio_moments(found: Leverages, fourth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Raw moments of A/D over permutations: A the carriers' mean leverage, D what of it the law is conditioned on.

    With d = A - 1, A/D = (1 + d)/(1 + s d), s the shrinkage, to third order; `fourth` is sum g^4/|g|^4.
    """
    s, n = found.shrinkage, len(found.relative)
    d2 = found.variance * np.maximum(fourth - 1 / n, 0)
    d3 = found.third * fourth**2
    b1 = (1 - s) * (-s * d2 + s**2 * d3)
    b2 = (1 - s) ** 2 * (d2 - 2 * s * d3)
    b3 = (1 - s) ** 3 * d3 - 6 * s * (1 - s) ** 3 * d2**2
    return 1 + b1, 1 + 2 * b1 + b2, 1 + 3 * b1 + 3 * b2 + b3


def moments(found: Leverages, features: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First three raw moments of R^2 [...] under permutation of people, given the carriers' leverages `features`.

    Given them R^2 = A (1 + c): pairs of people make c, with E c = 0, E c^2 from E (u_i'u_j)^2 = r_i r_j, and E c^3 from
    triples; sums run over different people.
    """
    size, spread, fourth, spread_fourth = np.moveaxis(features, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        two = 2 * found.pair_two * (spread**2 - spread_fourth) / size**2
        sixth = spread_fourth**2 / spread  # of sum a^3, from below; exact where the a_i are equal
        three = 8 * found.pair_three * (spread**3 - 3 * spread * spread_fourth + 2 * sixth) / size**3
    mean = found.axes / found.room * (1 + found.shrinkage * (size - 1))
    b1, b2, b3 = ratio_moments(found, fourth)
    return mean * b1, mean**2 * b2 * (1 + two), mean**3 * b3 * (1 + 3 * two + three)


def neg_log10_p(r2: np.ndarray, features: np.ndarray, found: Leverages) -> np.ndarray:
    """-log10 p of R^2 [...]; NaN where too few effective carriers leave the law unknown.

    Of people alike it tends to the F test. One axis is its own t test, exact as far as the trait is normal.
    """
    if found.axes == 1:
        return tails.from_r2(r2, 1, found.room - 1)
    return tails.from_moments(np.where(enough(features, found), r2, np.nan), *moments(found, features))
