"""Genotypes and traits -> leave-one-chromosome-out predictions: stacked block ridge regression, all traits at once.

The two levels of Mbatchou et al. 2021 (Nature Genetics 53:1097, Methods "whole-genome regression"). Level 0: in each
block of variants a ridge regression for each of R penalties predicts every trait; level 1: a ridge regression of each
trait on its predictions of all blocks. Both levels predict people of a fold from the other folds only. What leaves a
chromosome out is the level-1 prediction without the columns of its blocks.

Letters of the shapes: n people sorted by fold, F folds, b variants of a block, T traits, R penalties, L = blocks · R
level-1 predictors, C chromosomes. One factorisation a block, fold and penalty serves all traits. People are the last
axis everywhere: a fold is then a view for the matrix products and a predictor is written in one piece.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

HERITABILITIES = (0.01, 0.25, 0.5, 0.75, 0.99)
LEVEL1_BYTES = 2**28  # of normal equations solved together at level 1


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
    seen = dosage.shape[1] - dosage.isnan().sum(1)
    g = dosage - (dosage.nansum(1) / seen.clamp(min=1))[:, None]
    g.nan_to_num_(nan=0.0)
    raw = torch.linalg.vector_norm(g, dim=1).square()
    g.addmm_(g @ q, q.T, alpha=-1)
    left = torch.linalg.vector_norm(g, dim=1).square()
    usable = (left > floor * raw) & (raw > 1e-6 * g.shape[1])
    return g.mul_(((g.shape[1] - q.shape[1]) / left.clamp(min=1e-30)).sqrt()[:, None]), usable


def ridge_solutions(gram: Tensor, right: Tensor, lambdas: list[float]) -> Tensor:
    """(gram + lambda I)^-1 right for [..., p, p], [..., p, T] -> [R, ..., p, T], by Cholesky."""
    solutions = []
    for value in lambdas:
        shifted = gram.clone()
        shifted.diagonal(dim1=-2, dim2=-1).add_(value)
        # Symmetric: .mT is the same matrix in LAPACK's order, which saves a transposing copy.
        solutions.append(torch.cholesky_solve(right, torch.linalg.cholesky(shifted.mT)))
    return torch.stack(solutions)


def level0(g: Tensor, y: Tensor, folds: Folds, lambdas: list[float]) -> Tensor:
    """Out-of-fold predictions [T, R, n] of traits y [T, n] by the variants g [b, n] of one block."""
    grams = [g[:, s] @ g[:, s].T for s in folds.slices]
    rights = [g[:, s] @ y[:, s].T for s in folds.slices]
    gram, right = sum(grams), sum(rights)
    out = torch.empty(len(y), len(lambdas), y.shape[1], dtype=g.dtype, device=g.device)
    for k, s in enumerate(folds.slices):
        b = ridge_solutions(gram - grams[k], right - rights[k], lambdas).mT  # [R, T, b]
        out[:, :, s] = (b.reshape(-1, len(g)) @ g[:, s]).view(len(lambdas), len(y), -1).transpose(0, 1)
    return out


def unit_variance(w: Tensor) -> Tensor:
    """Predictors [T, R, n] less their mean over people, scaled to variance 1; constant ones become 0. In place."""
    w -= w.mean(-1, keepdim=True)
    sd = w.std(-1, keepdim=True)
    return w.mul_(torch.where(sd > 0, 1 / sd.clamp(min=1e-30), 0))


def level1(w: Tensor, y: Tensor, folds: Folds, lambdas: list[float]) -> tuple[Tensor, Tensor]:
    """Coefficients [F, T, L] of each fold for traits y [T, n] on w [T, L, n]; squared errors [T, R] of all folds.

    Coefficients are those of each trait's penalty with the smallest out-of-fold squared error.
    """
    grams = [w[..., s] @ w[..., s].mT for s in folds.slices]
    rights = [w[..., s] @ y[:, s, None] for s in folds.slices]
    gram, right = sum(grams), sum(rights)
    coefficients, errors = [], 0.0
    for s, own, other in zip(folds.slices, grams, rights, strict=True):
        b = ridge_solutions(gram - own, right - other, lambdas)[..., 0].transpose(0, 1)  # [T, R, L]
        errors = errors + (y[:, None, s] - b @ w[..., s]).square().sum(2)
        coefficients.append(b)
    best = errors.argmin(1)
    each = torch.arange(len(y), device=y.device)
    return torch.stack([b[each, best] for b in coefficients]), errors


def leave_out(w: Tensor, beta: Tensor, folds: Folds, chromosome: list[slice]) -> Tensor:
    """Predictions [T, C + 1, n] by w [T, L, n] with coefficients beta [F, T, L].

    Without each chromosome's columns, then with all.
    """
    out = torch.empty(len(w), len(chromosome) + 1, w.shape[2], dtype=w.dtype, device=w.device)
    for s, b in zip(folds.slices, beta, strict=True):
        for c, columns in enumerate(chromosome):
            out[:, c, s] = (b[:, None, columns] @ w[:, columns, s])[:, 0]
    out[:, -1] = out[:, :-1].sum(1)
    out[:, :-1] = out[:, -1:] - out[:, :-1]
    return out


@dataclass(frozen=True)
class Plan:
    """How the work fits the memory: traits a pass, passes over the genotypes, level-1 predictors, bytes at the peak."""

    traits: int
    passes: int
    predictors: int
    bytes: int


@dataclass(frozen=True)
class Size:
    """Size of the regressions of step 1."""

    people: int
    traits: int
    blocks: int
    block: int  # variants of a block
    penalties: int = len(HERITABILITIES)
    item: int = 4  # bytes of a number
    folds: int = 5
    contigs: int = 22


def plan(size: Size, memory_bytes: int) -> Plan:
    """The largest even tile of traits whose predictors lie in memory beside all else; at least one trait.

    Held for a trait of the tile: n L predictors, and those of one block three times over. Held once: the genotypes of a
    block five times (read, sorted, centred, two masks), its 2F + R + 4 square matrices, level 1's equations. Held for
    all traits: values (float64, three times), predictions of C + 1 chromosomes, and these again as the table.
    """
    n, ratio, item = size.people, size.penalties, size.item
    predictors = size.blocks * ratio
    fixed = item * (5 * n * size.block + (2 * size.folds + ratio + 4) * size.block**2)
    fixed += max(LEVEL1_BYTES, level1_bytes(n, predictors, size.folds, ratio, item))
    fixed += size.traits * n * (24 + 2 * item * (size.contigs + 1))
    each = item * n * (predictors + 3 * ratio + 1)
    passes = max(1, -(-size.traits * each // max(memory_bytes - fixed, each)))
    traits = -(-size.traits // passes)
    return Plan(traits, -(-size.traits // traits), predictors, fixed + traits * each)


def level1_bytes(n: int, predictors: int, folds: int, ratio: int, item: int) -> int:
    """Bytes that one trait takes at level 1: F grams, their sum, three for a factorisation; predictions of a fold."""
    return item * ((folds + 5) * predictors**2 + 3 * ratio * n)


Blocks = Callable[[], Iterator[tuple[str, np.ndarray]]]


@dataclass(frozen=True)
class Genotypes:
    """Genotypes in blocks of one chromosome each, chromosomes in the order of `contigs`."""

    blocks: Blocks  # () -> (contig, ALT dosages [b, n]) of each block; called once per tile of traits
    n_variants: int
    n_blocks: int
    contigs: list[str]


@dataclass(frozen=True)
class Options:
    """How to compute: `tile` traits at once, each with a pass over the genotypes; penalties of both levels."""

    tile: int
    dtype: torch.dtype = torch.float32
    lambdas: tuple[list[float], list[float]] | None = None  # None: those of HERITABILITIES


class Fitted(NamedTuple):
    """LOCO predictions [C + 1, n, T], errors [T, R] of each level-1 penalty, which variants [M] were used."""

    loco: np.ndarray
    errors: np.ndarray
    used: np.ndarray


def predict(genotypes: Genotypes, y: np.ndarray, q: np.ndarray, fold: np.ndarray, options: Options) -> Fitted:
    """Leave-one-chromosome-out predictions of residual traits y [n, T]; `fold` [n] labels the folds of people.

    y has no missing values (mean-imputed), none is constant, and it is orthogonal to q [n, c], an orthonormal basis of
    intercept and covariates.
    """
    contigs, tile, dtype, n_blocks = genotypes.contigs, options.tile, options.dtype, genotypes.n_blocks
    lambdas = options.lambdas or (penalties(genotypes.n_variants), penalties(n_blocks * len(HERITABILITIES)))
    folds = make_folds(fold)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    back = torch.from_numpy(np.argsort(folds.order)).to(device)
    q_ = torch.from_numpy(q[folds.order]).to(device, dtype)
    loco = torch.empty(y.shape[1], len(contigs) + 1, len(y), dtype=dtype)
    errors = torch.empty(y.shape[1], len(lambdas[1]), dtype=dtype)
    for first in range(0, y.shape[1], tile):
        y_ = torch.from_numpy(y[:, first : first + tile].T[:, folds.order]).to(device, dtype)
        scale = y_.square().mean(1).sqrt()
        y_ = y_ / scale.clamp(min=1e-30)[:, None]
        w, columns, used = _predictors(genotypes.blocks, n_blocks, y_, q_, folds, lambdas[0])
        chromosome = [slice(*_span(columns, contig, len(lambdas[0]))) for contig in contigs]
        trait_bytes = level1_bytes(len(y), w.shape[1], len(folds.slices), len(lambdas[1]), w.element_size())
        for some in torch.arange(len(y_)).split(max(1, LEVEL1_BYTES // trait_bytes)):
            here = slice(int(some[0]), int(some[-1]) + 1)
            there = slice(first + here.start, first + here.stop)
            beta, errors[there] = level1(w[here], y_[here], folds, lambdas[1])
            predicted = leave_out(w[here], beta, folds, chromosome) * scale[here, None, None]
            loco[there] = predicted.index_select(2, back)
        del w
        print(f"{min(first + tile, y.shape[1])} of {y.shape[1]} traits", flush=True)
    return Fitted(loco.numpy().transpose(1, 2, 0), errors.numpy(), used)


def _predictors(
    blocks: Blocks, n_blocks: int, y: Tensor, q: Tensor, folds: Folds, lambdas: list[float]
) -> tuple[Tensor, list[str], np.ndarray]:
    """Level-1 predictors [T, L, n] of one tile of traits y [T, n], the contig of each block, the variants used [M]."""
    ratio, columns, used = len(lambdas), [], []
    w = torch.zeros(len(y), n_blocks * ratio, y.shape[1], dtype=y.dtype, device=y.device)
    order = torch.from_numpy(folds.order).to(y.device)
    for k, (contig, dosage) in enumerate(blocks()):
        sorted_ = torch.from_numpy(dosage).to(y.device, y.dtype).index_select(1, order)
        g, usable = standardised(sorted_, q)
        del sorted_
        columns.append(contig)
        used.append(usable.cpu().numpy())
        if usable.any():
            kept = g if usable.all() else g[usable]
            w[:, k * ratio : (k + 1) * ratio] = unit_variance(level0(kept, y, folds, lambdas))
    assert len(columns) == n_blocks
    return w, columns, np.concatenate(used)


def _span(columns: list[str], contig: str, ratio: int) -> tuple[int, int]:
    """First and last + 1 level-1 predictor of a contig; nothing where it has no block."""
    places = [k for k, name in enumerate(columns) if name == contig]
    return (places[0] * ratio, (places[-1] + 1) * ratio) if places else (0, 0)
