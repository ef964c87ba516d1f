"""Batch -> parts of the loss, embeddings and gradients: shares of the recordings in threads of their own.

The operations of a small model are too short to be worth cutting among threads, which would wait for each other
thousands of times a step. So each thread takes a share of the recordings through the whole model, forward and back,
and gradients are added in the order of the shares: two threads are nearly twice as fast as one, and the sums do not
depend on which ends first.
"""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from ecgwas import config
from ecgwas.pretrain import data, masks
from ecgwas.pretrain.model import CLIP, Model, present, take

WEIGHTS = {
    "loss_strip": 0.25,
    "loss_beat": 0.25,
    "loss_embedding": 1.0,
    "loss_energy": 1.0,
    "loss_rr": 0.3,
    "loss_power": 0.01,
}
NOISE = 0.3  # standard deviation of the noise in the embedding that its decoder must live with
Sums = dict[str, tuple[Tensor, Tensor]]  # part: sum of squared errors, their number


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What a batch holds before the model sees it; rows of all tensors are recordings."""

    strip: Tensor  # patches [B, L·P, samples], standardised, NaN where missing
    beat: Tensor  # patches [B, L·Q, samples]
    targets: list[Tensor]  # median beat, energies and log RR, standardised
    noise: Tensor  # [B, E], added to embeddings
    groups: list[masks.Group]  # recordings that see as many tokens


def prepare(model: Model, batch: data.Batch, settings: config.Transformer, seed: int, step: int) -> Prepared:
    """Standardise a batch and draw its masks and noise; random numbers from (seed, step) alone."""
    device = model.beat_mean.device
    counts, rr_ms = [torch.from_numpy(x).to(device) for x in (batch.strip, batch.beat)], torch.from_numpy(batch.rr_ms)
    strip, beat = model.standardise(*counts)
    log_rr = (rr_ms.to(device).log() - model.rr_mean) / model.rr_scale
    targets = [beat.flatten(1), model.energies(counts[1]), log_rr.clamp(-CLIP, CLIP)[:, None]]
    strip_patches, beat_patches = model.patches(strip, beat)
    there = present(strip_patches, beat_patches).cpu().numpy()
    rng = np.random.default_rng([seed, data.MASKS, step])
    groups = masks.draw(there, model.grid.n_strip, settings.mask, settings.drop_view, rng)
    noise = np.random.default_rng([seed, data.NOISE, step]).standard_normal((len(there), settings.embedding))
    return Prepared(strip_patches, beat_patches, targets, torch.from_numpy(noise.astype(np.float32)).to(device), groups)


def shared(groups: list[masks.Group], shares: int) -> list[list[masks.Group]]:
    """Each group's recordings dealt into `shares` contiguous runs that differ by one at most."""
    parts: list[list[masks.Group]] = [[] for _ in range(shares)]
    for group in groups:
        pieces = [np.array_split(x, shares) for x in dataclasses.astuple(group)]
        for part, piece in zip(parts, zip(*pieces, strict=True), strict=True):
            if len(piece[0]):
                part.append(masks.Group(*piece))
    return parts


def errors(model: Model, prepared: Prepared, groups: list[masks.Group]) -> tuple[Sums, list[Tensor]]:
    """Sums of squared errors of some groups of the batch, by part, and their embeddings."""
    device, found, embeddings = model.beat_mean.device, [], []
    for group in groups:
        rows, kept, hidden, weight = (torch.from_numpy(x).to(device) for x in dataclasses.astuple(group))
        strip, beat = prepared.strip[rows], prepared.beat[rows]
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            x = model.encode(strip, beat, kept)
            z = model.embed(x, kept)
            found.append(
                hidden_errors(model, x, strip, beat, hidden, weight)
                | embedding_errors(model, z + NOISE * prepared.noise[rows], [t[rows] for t in prepared.targets])
                | {"loss_power": (z.square().sum(), torch.tensor(z.numel(), device=device))}
            )
        embeddings.append(z)
    return {
        name: tuple(sum(e[name][k] for e in found) for k in (0, 1)) for name in (found[0] if found else ())
    }, embeddings


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


def embedding_errors(model: Model, z: Tensor, targets: list[Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """{part: (sum of squared errors, number)} of median beat, energies and log RR decoded from noisy embeddings z."""
    parts = {}
    for name, p, t in zip(("loss_embedding", "loss_energy", "loss_rr"), model.decode(z), targets, strict=True):
        parts[name] = (p.float() - t.nan_to_num())[~t.isnan()].square().sum(), (~t.isnan()).sum()
    return parts


def backward(
    model: Model, prepared: Prepared, shares: int, pool: ThreadPoolExecutor
) -> tuple[dict[str, float], Tensor]:
    """Put the gradients of the weighted loss on the weights; its parts, the loss among them, and embeddings [B, E]."""
    parts = [part for part in shared(prepared.groups, shares) if part]
    forward = list(pool.map(lambda groups: errors(model, prepared, groups), parts))
    counts = {name: sum(sums[name][1] for sums, _ in forward).clamp(min=1) for name in WEIGHTS}
    totals = [sum(WEIGHTS[name] * sums[name][0] / counts[name] for name in WEIGHTS) for sums, _ in forward]
    weights = list(model.parameters())
    gradients = list(pool.map(lambda loss: torch.autograd.grad(loss, weights, allow_unused=True), totals))
    for weight, *found in zip(weights, *gradients, strict=True):
        given = [x for x in found if x is not None]
        weight.grad = sum(given[1:], given[0]) if given else None
    told = {name: float(sum(sums[name][0].detach() for sums, _ in forward) / counts[name]) for name in WEIGHTS}
    told["loss"] = float(sum(total.detach() for total in totals))
    return told, torch.cat([z.detach() for _, embeddings in forward for z in embeddings])
