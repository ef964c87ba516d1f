"""Genotypes, residual traits permuted between people -> statistics of the single and joint tests without association.

People's residual traits are permuted together against genotypes and covariates, and covariates projected out again
(Freedman & Lane 1983, J Bus Econ Stat 1:292; Winkler et al. 2014, NeuroImage 92:381), so LD and the correlation of
traits stay.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from ecgwas.gwas import trait_groups
from ecgwas.gwas.engines import leverages
from ecgwas.gwas.engines.torch_linear import CANCELLED, coded, partial_correlations

Blocks = Callable[[], Iterator[tuple[slice, np.ndarray]]]


@dataclass(frozen=True)
class Drawn:
    """Tests of P permutations of T traits at V variants; NaN where there is none."""

    single: np.ndarray  # float32 [P, T, V] r^2
    joint: np.ndarray  # float32 [P, V] -log10 p of the joint test


def permuted(group: trait_groups.Group, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit residual traits [P, n, T] permuted by the order of `keys` [P, n], and their joint axes [P, T, K]."""
    moved = group.unit[np.argsort(keys, axis=1)]
    moved = moved - group.q @ (group.q.T @ moved)
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    axes = moved @ group.w
    factor = np.linalg.cholesky(np.swapaxes(axes, 1, 2) @ axes)
    return moved, group.w @ np.linalg.inv(factor).swapaxes(1, 2)


def squares(g: torch.Tensor, q: torch.Tensor, found: list[leverages.Leverages]) -> np.ndarray:
    """[P, V, 4] leverages.SQUARES of genotypes `g` [V, n] less the covariates `q` [n, c], of P permutations."""
    square = (g - (g @ q) @ q.T).square_()
    two = torch.from_numpy(np.column_stack([f for one in found for f in (one.relative, one.pair)])).float()
    four = torch.from_numpy(np.stack([one.pair**2 for one in found], axis=1)).float()
    first, total = (square @ two).double().numpy().reshape(len(g), -1, 2), square.sum(dim=1).double().numpy()
    second, fourth = (square.square_() @ four).double().numpy(), square.sum(dim=1).double().numpy()
    shape = first.shape[:2]
    sums = np.concatenate([first, np.broadcast_to(total[:, None, None], (*shape, 1))], axis=2)
    of_fourth = np.stack([np.broadcast_to(fourth[:, None], shape), second], axis=2)
    return leverages.of_sums(sums, of_fourth).transpose(1, 0, 2)


def draw(blocks: Blocks, n_variants: int, group: trait_groups.Group, keys: np.ndarray) -> Drawn:
    """Permutations by the order of `keys` [P, n]."""
    moved, w = permuted(group, keys)
    n_perm, n, k = moved.shape
    found = [leverages.measure(traits @ axes, group.q) for traits, axes in zip(moved, w, strict=True)]
    right = torch.from_numpy(np.column_stack([group.q, moved.transpose(1, 0, 2).reshape(n, n_perm * k)])).float()
    single = np.empty((n_perm, k, n_variants), np.float32)
    joint = np.empty((n_perm, n_variants), np.float32)
    for rows, dosage in blocks():
        g = torch.from_numpy(coded(dosage)[0])
        raw, gg, r = partial_correlations(g, right, group.q.shape[1])
        r[~(gg > CANCELLED * raw)] = np.nan
        r = r.reshape(-1, n_perm, k).transpose(1, 2, 0).astype(np.float32)
        single[:, :, rows] = r**2
        r2 = ((w.transpose(0, 2, 1).astype(np.float32) @ r) ** 2).sum(axis=1)
        features = squares(g, right[:, : group.q.shape[1]], found)
        for p in range(n_perm):
            joint[p, rows] = leverages.neg_log10_p(r2[p].astype(float), features[p], found[p])
    return Drawn(single, joint)


def everyone(groups: list[trait_groups.Group], c: np.ndarray, n_traits: int) -> trait_groups.Group:
    """One group of all people with all traits that have a test: their residuals, 0 (the expectation) where missing.

    Missing values change the median of a permuted statistic next to nothing, and one group is one matrix product.
    """
    y = np.zeros((len(c), n_traits))
    for group in groups:
        if group.name != "joint":
            y[np.ix_(group.rows, group.traits)] = group.unit * np.sqrt(len(group.rows))
    tested = np.flatnonzero(np.isfinite(y).all(axis=0))
    return replace(trait_groups.build(y[:, tested], c)[0], traits=tested)
