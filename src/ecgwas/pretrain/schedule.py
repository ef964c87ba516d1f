"""Step -> learning rate and momentum of the average; embeddings -> effective rank."""

import math

import torch
from torch import Tensor

from ecgwas import config


def learning_rate(step: int, settings: config.Transformer) -> float:
    """Linear warm-up, then half a cosine down to 2 % of the peak."""
    warmup = max(1, round(settings.warmup * settings.steps))
    if step < warmup:
        return settings.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, settings.steps - warmup)
    return settings.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))


def momentum(step: int, settings: config.Transformer) -> float:
    """Momentum of the average: `ema`, at first lower, to let go of the initial weights.

    It does not rise to 1 as in longer trainings: the learning rate falls, and the average would stop short of the end.
    """
    return min(settings.ema, (1 + step) / (10 + step))


def effective_rank(z: Tensor) -> float:
    """exp of the entropy of the normalised singular values of the centred z [B, E] (Roy & Vetterli 2007, eq. 3)."""
    s = torch.linalg.svdvals((z - z.mean(0)).detach().float().cpu())
    p = s / s.sum().clamp(min=1e-30)
    return float(torch.exp(-(p * p.clamp(min=1e-30).log()).sum()))
