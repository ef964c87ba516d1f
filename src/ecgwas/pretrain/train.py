"""Signal shards -> checkpoint of a masked transformer: AdamW, warm-up and cosine, resumable to the same losses."""

import dataclasses
import hashlib
import io
import json
import os
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor
from torch.nn import functional as F

from ecgwas import config
from ecgwas.cli import run
from ecgwas.errors import UserError
from ecgwas.files import atomic, write_parquet
from ecgwas.pretrain import data, masks
from ecgwas.pretrain.model import Model, make_grid, present, take

HISTORY = {
    "step": (pl.Int32(), "Training step, from 0."),
    "loss": (pl.Float64(), "What is minimised: the sum of the parts."),
    "loss_strip": (pl.Float64(), "Squared error of hidden strip tokens, in variances of their lead."),
    "loss_beat": (pl.Float64(), "Squared error of hidden beat tokens, in variances of their lead and sample."),
    "loss_embedding": (pl.Float64(), "Squared error of the median beat decoded from the embedding."),
    "loss_rr": (pl.Float64(), "Squared error of log RR decoded from the embedding, in variances."),
    "loss_power": (pl.Float64(), "Mean square of the embedding, weighted: the price of its channel."),
    "learning_rate": (pl.Float64(), "Learning rate of the step."),
    "effective_rank": (pl.Float64(), "Effective rank of the batch's embeddings; null between the steps it is taken at."),
}
WEIGHTS = {"loss_strip": 0.25, "loss_beat": 0.25, "loss_embedding": 1.0, "loss_rr": 0.2, "loss_power": 0.003}
RANK_EVERY = 20


def losses(model: Model, batch: data.Batch, settings: config.Transformer, seed: int, step: int) -> tuple[dict, Tensor]:
    """Parts of the loss of a batch, unweighted, and its embeddings [B, E]; random numbers from (seed, step) alone."""
    device = model.beat_mean.device
    strip, beat = model.standardise(torch.from_numpy(batch.strip).to(device), torch.from_numpy(batch.beat).to(device))
    log_rr = (torch.from_numpy(batch.rr_ms).to(device).log() - model.rr_mean) / model.rr_scale
    strip_patches, beat_patches = model.patches(strip, beat)
    there = present(strip_patches, beat_patches).cpu().numpy()
    rng = np.random.default_rng([seed, data.MASKS, step])
    groups = masks.draw(there, model.grid.n_strip, settings.mask, settings.drop_view, rng)
    noise = np.random.default_rng([seed, data.NOISE, step]).standard_normal((len(there), settings.embedding))
    noise = torch.from_numpy(noise.astype(np.float32)).to(device)
    errors, embeddings = [], []
    for group in groups:
        rows, kept, hidden, weight = (torch.from_numpy(x).to(device) for x in dataclasses.astuple(group))
        x = model.encode(strip_patches[rows], beat_patches[rows], kept)
        z = model.embed(x, kept)
        errors.append(
            hidden_errors(model, x, strip_patches[rows], beat_patches[rows], hidden, weight)
            | embedding_errors(model, z + noise[rows], beat[rows], log_rr[rows])
            | {"loss_power": (z.square().sum(), z.numel())}
        )
        embeddings.append(z)
    parts = {name: sum(e[name][0] for e in errors) / max(1, sum(e[name][1] for e in errors)) for name in errors[0]}
    return parts, torch.cat(embeddings)


def hidden_errors(
    model: Model, x: Tensor, strip: Tensor, beat: Tensor, hidden: Tensor, weight: Tensor
) -> dict[str, tuple[Tensor, Tensor]]:
    """{part: (sum of squared errors, number of samples)} of the hidden tokens, by view; strip and beat as patches."""
    n = model.grid.n_strip
    predicted = model.predict(x, hidden)
    targets = take(strip, hidden.clamp(max=n - 1)), take(beat, (hidden - n).clamp(min=0))
    views = weight * (hidden < n), weight * (hidden >= n)  # [B, H]
    parts = {}
    for name, p, t, w in zip(("loss_strip", "loss_beat"), predicted, targets, views, strict=True):
        parts[name] = ((p.float() - t.nan_to_num()).square().mean(2) * w).sum(), w.sum()
    return parts


def embedding_errors(model: Model, z: Tensor, beat: Tensor, log_rr: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """{part: (sum of squared errors, number)} of median beat and log RR decoded from noisy embeddings z."""
    parts = {}
    for name, p, t in zip(("loss_embedding", "loss_rr"), model.decode(z), (beat, log_rr), strict=True):
        parts[name] = (p.float() - t.nan_to_num())[~t.isnan()].square().sum(), (~t.isnan()).sum()
    return parts


def learning_rate(step: int, settings: config.Transformer) -> float:
    """Linear warm-up, then half a cosine down to 2 % of the peak."""
    warmup = max(1, round(settings.warmup * settings.steps))
    if step < warmup:
        return settings.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, settings.steps - warmup)
    return settings.learning_rate * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * progress)))


def effective_rank(z: Tensor) -> float:
    """exp of the entropy of the normalised singular values of the centred z [B, E] (Roy & Vetterli 2007, eq. 3)."""
    s = torch.linalg.svdvals((z - z.mean(0)).detach().float().cpu())
    p = s / s.sum().clamp(min=1e-30)
    return float(torch.exp(-(p * p.clamp(min=1e-30).log()).sum()))
