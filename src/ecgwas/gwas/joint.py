"""Correlations with all traits of a group -> one exact test per variant.

The genotype's residual g on the covariates is regressed on the K residual traits. With U an orthonormal basis of
these, R^2 = |U'g|^2/|g|^2 (for trait correlations r with correlation matrix C, R^2 = r' C^-1 r), and
F = (R^2/K)/((1 - R^2)/(n - c - K)), n people, c covariates with the intercept, has the F distribution with K and
n - c - K degrees of freedom when no trait is associated: exactly for normal traits whatever the genotype, since the
span of U is then uniform among those orthogonal to the covariates. It is the MANOVA with one hypothesis degree of
freedom: Wilks' lambda = 1 - R^2, and Wilks, Pillai, Hotelling and Roy agree (Rao 1951; Anderson 2003, An Introduction
to Multivariate Statistical Analysis, 8.4.5). It does not change when the traits are rotated or rescaled, and for large
n it is the sum of chi-squares over whitened axes.
"""

import numpy as np

from ecgwas.gwas import tails
from ecgwas.gwas.groups import Group


def r_squared(r: np.ndarray, w: np.ndarray) -> np.ndarray:
    """[V]: squared multiple correlation from correlations `r` [V, T] and the axes `w` [T, K] of groups.joint_axes."""
    projected = r @ w
    return np.einsum("vk,vk->v", projected, projected)


def from_r_squared(r2: np.ndarray, group: Group) -> np.ndarray:
    """-log10 p [V] of squared multiple correlations with the traits of `group`."""
    k = group.w.shape[1]
    return tails.from_r2(r2, k, group.df + 1 - k)


def neg_log10_p(r: np.ndarray, group: Group) -> np.ndarray:
    """[V] of the joint test in `group`."""
    return from_r_squared(r_squared(r, group.w), group)
