"""Genotypes and traits -> leave-one-chromosome-out predictions: stacked block ridge regression, all traits at once.

The two levels of Mbatchou et al. 2021 (Nature Genetics 53:1097, Methods "whole-genome regression"). Level 0: in each
block of variants a ridge regression for each of R penalties predicts every trait; level 1: a ridge regression of each
trait on its predictions of all blocks. Both levels predict people of a fold from the other folds only. What leaves a
chromosome out is the level-1 prediction without the columns of its blocks.

Letters of the shapes: n people sorted by fold, F folds, b variants of a block, T traits, R penalties, L = blocks · R
level-1 predictors, C chromosomes. One factorisation a block, fold and penalty serves all traits.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

HERITABILITIES = (0.01, 0.25, 0.5, 0.75, 0.99)


@dataclass(frozen=True)
class Folds:
    """Which people are predicted together: `order` [n] sorts people by fold, `slices` are the folds in that order."""

    order: np.ndarray
    slices: tuple[slice, ...]


def make_folds(fold: np.ndarray) -> Folds:
    """Folds from a label [n] for each person."""
    order = np.argsort(fold, kind="stable")
    stops = np.cumsum(np.unique(fold, return_counts=True)[1])
    return Folds(order, tuple(slice(int(a), int(b)) for a, b in zip(np.r_[0, stops[:-1]], stops, strict=True)))


def penalties(count: int, heritabilities: Iterable[float] = HERITABILITIES) -> list[float]:
    """count (1 - h2) / h2: the ridge penalty under which `count` standardised predictors explain h2 of a trait."""
    return [count * (1 - h2) / h2 for h2 in heritabilities]


def standardised(dosage: Tensor, q: Tensor, floor: float = 1e-3) -> tuple[Tensor, Tensor]:
    """ALT dosages [b, n], NaN missing -> residuals on q [n, c] of unit variance, and which rows [b] have any left.

    Missing calls take the mean. Rows that keep less than `floor` of their variance (or have next to none) are not
    to be used: they are constant, or a combination of covariates.
    """
    missing = dosage.isnan()
    g = torch.where(missing, 0, dosage)
    g = g - (g.sum(1) / (~missing).sum(1).clamp(min=1))[:, None]
    g = torch.where(missing, 0, g)
    raw = g.square().sum(1)
    g = g - (g @ q) @ q.T
    left = g.square().sum(1)
    usable = (left > floor * raw) & (raw > 1e-6 * g.shape[1])
    return g * ((g.shape[1] - q.shape[1]) / left.clamp(min=1e-30)).sqrt()[:, None], usable


def ridge_solutions(gram: Tensor, right: Tensor, lambdas: list[float]) -> Tensor:
    """(gram + lambda I)^-1 right for [p, p], [p, T] -> [R, p, T], by Cholesky."""
    eye = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    factor = torch.linalg.cholesky(torch.stack([gram + value * eye for value in lambdas]))
    return torch.cholesky_solve(right.expand(len(lambdas), *right.shape), factor)


def level0(g: Tensor, y: Tensor, folds: Folds, lambdas: list[float]) -> Tensor:
    """Out-of-fold predictions [T, n, R] of traits y [n, T] by the variants g [b, n] of one block."""
    grams = torch.stack([g[:, s] @ g[:, s].T for s in folds.slices])
    rights = torch.stack([g[:, s] @ y[s] for s in folds.slices])
    gram, right = grams.sum(0), rights.sum(0)
    out = torch.empty(y.shape[1], len(y), len(lambdas), dtype=g.dtype, device=g.device)
    for k, s in enumerate(folds.slices):
        b = ridge_solutions(gram - grams[k], right - rights[k], lambdas)  # [R, b, T]
        out[:, s] = torch.einsum("bn,rbt->tnr", g[:, s], b)
    return out


def unit_variance(w: Tensor) -> Tensor:
    """Predictors [T, n, R] less their mean over people, scaled to variance 1; constant ones become 0."""
    w = w - w.mean(1, keepdim=True)
    sd = w.std(1, keepdim=True)
    return torch.where(sd > 0, w / sd.clamp(min=1e-30), 0)


def level1(w: Tensor, y: Tensor, folds: Folds, lambdas: list[float]) -> tuple[Tensor, Tensor]:
    """Coefficients [F, L] of each fold for one trait y [n] on w [n, L], and the squared errors [R] of all folds.

    Coefficients are those of the penalty with the smallest out-of-fold squared error.
    """
    grams = torch.stack([w[s].T @ w[s] for s in folds.slices])
    rights = torch.stack([w[s].T @ y[s, None] for s in folds.slices])
    gram, right = grams.sum(0), rights.sum(0)
    found = [
        ridge_solutions(gram - a, right - r, lambdas)[..., 0] for a, r in zip(grams, rights, strict=True)
    ]  # F of [R, L]
    errors = sum((y[s] - b @ w[s].T).square().sum(1) for s, b in zip(folds.slices, found, strict=True))
    best = int(errors.argmin())
    return torch.stack([b[best] for b in found]), errors


def leave_out(w: Tensor, beta: Tensor, folds: Folds, chromosome: list[slice]) -> Tensor:
    """Predictions [C + 1, n] by w [n, L] with coefficients beta [F, L]: without each chromosome's columns, then all."""
    parts = torch.stack(
        [
            torch.cat([w[s, columns] @ b[columns] for s, b in zip(folds.slices, beta, strict=True)])
            for columns in chromosome
        ]
    )
    whole = parts.sum(0)
    return torch.cat([whole - parts, whole[None]])


@dataclass(frozen=True)
class Plan:
    """How the work fits the memory: traits a pass, passes over the genotypes, level-1 predictors, bytes at the peak."""

    traits: int
    passes: int
    predictors: int
    bytes: int


def plan(n: int, n_traits: int, blocks: int, block: int, ratio: int, memory_bytes: int, item: int = 4) -> Plan:
    """The largest even tile of traits whose predictors lie in memory beside one block's work; at least one trait.

    Held: n L predictors a trait; one block's genotypes three times, its F + R + 1 square matrices, its predictions.
    """
    predictors = blocks * ratio
    fixed = item * (3 * n * block + 12 * block**2)
    each = item * n * (predictors + 3 * ratio)
    passes = max(1, -(-n_traits * each // max(memory_bytes - fixed, each)))
    traits = -(-n_traits // passes)
    return Plan(traits, passes, predictors, fixed + traits * each)


Blocks = Callable[[], Iterator[tuple[str, np.ndarray]]]


def predict(
    blocks: Blocks,
    n_variants: int,
    n_blocks: int,
    y: np.ndarray,
    q: np.ndarray,
    fold: np.ndarray,
    contigs: list[str],
    tile: int,
    dtype: torch.dtype = torch.float32,
    lambdas: tuple[list[float], list[float]] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """LOCO predictions [C + 1, n, T] of residual traits y [n, T] and the errors [T, R] of each level-1 penalty.

    `blocks()` yields (contig, ALT dosages [b, n]) of `n_blocks` blocks of one chromosome each, chromosomes in the
    order of `contigs`. y has no missing values (mean-imputed), is orthogonal to q [n, c], an orthonormal basis of
    intercept and covariates. `tile` traits are held at once; each tile is a pass over the genotypes.
    """
    lambdas = lambdas or (penalties(n_variants), penalties(n_blocks * len(HERITABILITIES)))
    folds = make_folds(fold)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    back = np.argsort(folds.order)
    q_ = torch.from_numpy(q[folds.order]).to(device, dtype)
    loco, errors = [], []
    for first in range(0, y.shape[1], tile):
        y_ = torch.from_numpy(y[folds.order, first : first + tile]).to(device, dtype)
        scale = y_.square().mean(0).sqrt()
        y_ = y_ / scale.clamp(min=1e-30)
        w, columns = _predictors(blocks, n_blocks, y_, q_, folds, lambdas[0], dtype)
        chromosome = [slice(*_span(columns, contig, len(lambdas[0]))) for contig in contigs]
        for j in range(y_.shape[1]):
            beta, error = level1(w[j], y_[:, j], folds, lambdas[1])
            loco.append((leave_out(w[j], beta, folds, chromosome) * scale[j]).cpu().numpy()[:, back])
            errors.append(error.cpu().numpy())
        print(f"{min(first + tile, y.shape[1])} of {y.shape[1]} traits", flush=True)
    return np.stack(loco, axis=2), np.stack(errors)


def _predictors(
    blocks: Blocks, n_blocks: int, y: Tensor, q: Tensor, folds: Folds, lambdas: list[float], dtype: torch.dtype
) -> tuple[Tensor, list[str]]:
    """Level-1 predictors [T, n, L] of one tile of traits, and the contig of each block."""
    ratio, columns = len(lambdas), []
    w = torch.zeros(y.shape[1], len(y), n_blocks * ratio, dtype=dtype, device=y.device)
    order = torch.from_numpy(folds.order).to(y.device)
    for k, (contig, dosage) in enumerate(blocks()):
        g, usable = standardised(torch.from_numpy(dosage).to(y.device, dtype)[:, order], q)
        columns.append(contig)
        if usable.any():
            w[:, :, k * ratio : (k + 1) * ratio] = unit_variance(level0(g[usable], y, folds, lambdas))
    assert len(columns) == n_blocks
    return w, columns


def _span(columns: list[str], contig: str, ratio: int) -> tuple[int, int]:
    """First and last + 1 level-1 predictor of a contig; nothing where it has no block."""
    places = [k for k, name in enumerate(columns) if name == contig]
    return (places[0] * ratio, (places[-1] + 1) * ratio) if places else (0, 0)
