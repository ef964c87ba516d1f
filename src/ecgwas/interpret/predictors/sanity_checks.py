"""Explanation and predictor -> checks of faithfulness: deletion, insertion, random weights, agreement of seeds.

Deletion and insertion: Petsiuk et al. 2018 (RISE), over cells of segment by lead, so that a curve has few steps.
Random weights: Adebayo et al. 2018. Agreement: Spearman correlation of tables.
"""

import copy

import numpy as np
import scipy.stats
import torch
from torch import nn

from ecgwas.encoder.tokens import Signals
from ecgwas.interpret.predictors.occlusion import Logits, scored
from ecgwas.interpret.predictors.segments import Layout


def cumulative(order: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Cells [K + 1, L, G] hidden step by step, none first, in the order of their indices int [K]."""
    out = np.zeros((len(order) + 1, shape[0] * shape[1]), bool)
    for k, place in enumerate(order):
        out[k + 1 :, place] = True
    return out.reshape(-1, *shape)


def curves(
    logits: Logits, signals: Signals, found: Layout, channels: list[str], values: np.ndarray, outcome: int
) -> tuple[np.ndarray, np.ndarray]:
    """Logit by cells deleted, and by cells inserted, those with the largest `values` [L, G] first: [K + 1] each.

    NaN in `values`: a cell that is never changed.
    """
    order = np.flatnonzero(np.isfinite(values).ravel())
    order = order[np.argsort(-values.ravel()[order], kind="stable")]
    deleted, kept = cumulative(order, values.shape), cumulative(order[::-1], values.shape)[::-1]
    both = scored(logits, signals, found, np.concatenate([deleted, kept]), channels)[:, outcome]
    return both[: len(deleted)], both[len(deleted) :]


def faithfulness(
    logits: Logits,
    signals: Signals,
    found: Layout,
    channels: list[str],
    values: np.ndarray,
    outcome: int,
    rng: np.random.Generator,
    draws: int = 3,
) -> dict[str, float]:
    """Mean logits under deletion (low is better) and insertion (high is better) by `values`, and in random order."""
    deletion, insertion = curves(logits, signals, found, channels, values, outcome)
    chance = []
    for _ in range(draws):
        shuffled = np.where(np.isfinite(values), rng.random(values.shape), np.nan)
        chance.append([curve.mean() for curve in curves(logits, signals, found, channels, shuffled, outcome)])
    random = np.mean(chance, 0)
    return {
        "deletion": float(deletion.mean()),
        "insertion": float(insertion.mean()),
        "deletion_random": float(random[0]),
        "insertion_random": float(random[1]),
    }  # fmt: skip


def randomised(network: nn.Module, seed: int) -> nn.Module:
    """A copy with each weight tensor shuffled: the same distribution of weights without what was learnt."""
    out, generator = copy.deepcopy(network), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in out.parameters():
            order = torch.randperm(weight.numel(), generator=generator).to(weight.device)
            weight.copy_(weight.flatten()[order].view_as(weight))
    return out


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman correlation of two tables over their common cells; NaN where one is constant."""
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < 3 or np.ptp(one[both]) == 0 or np.ptp(other[both]) == 0:
        return float("nan")
    return float(scipy.stats.spearmanr(one[both], other[both]).statistic)
