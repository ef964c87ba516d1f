"""Correlations with all traits of a group -> one test per variant.

The genotype's residual g on the covariates is regressed on the K residual traits. With U an orthonormal basis of
these, R^2 = |U'g|^2/|g|^2 (for trait correlations r with correlation matrix C, R^2 = r' C^-1 r). It is the MANOVA with
one hypothesis degree of freedom: Wilks' lambda = 1 - R^2, and Wilks, Pillai, Hotelling and Roy agree (Rao 1951;
Anderson 2003, An Introduction to Multivariate Statistical Analysis, 8.4.5). It does not change when the traits are
rotated or rescaled, and for large n it is the sum of chi-squares over whitened axes.

F = (R^2/K)/((1 - R^2)/(n - c - K)), n people, c covariates with the intercept, would have the F distribution only for
jointly normal traits. Its p would be far too small for rare variants where people differ in size, so R^2 is referred to
its law under permutation of people given the carriers' leverages (leverages.py), which tends to that F law for people
alike and for common variants.
"""

import numpy as np

from ecgwas.gwas.engines import leverages
from ecgwas.gwas.trait_groups import Group


def r_squared(r: np.ndarray, w: np.ndarray) -> np.ndarray:
    """[V]: squared multiple correlation from correlations `r` [V, T] and the axes `w` [T, K] of groups.joint_axes."""
    projected = r @ w
    return np.einsum("vk,vk->v", projected, projected)


def neg_log10_p(r2: np.ndarray, carriers: np.ndarray, group: Group) -> np.ndarray:
    """-log10 p [V] of squared multiple correlations with the traits of `group`; `carriers` [V, 4]: leverages.SQUARES.

    NaN where there is no test, or where the carriers are too few for a p that holds.
    """
    return leverages.neg_log10_p(r2, carriers, group.leverages)
