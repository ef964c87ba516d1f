"""Embedding -> median beat, its energies and RR: reconstructed from the embedding under every objective.

Decoded from the embedding with noise added and its power penalised: a channel of limited capacity, in which a direction
is kept only if it is informative. Targets are the teacher's: all leads, without noise.
"""

import torch
from torch import Tensor, nn

from ecgwas import config
from ecgwas.encoder import leads
from ecgwas.encoder.sums import Sums
from ecgwas.encoder.tokens import CLIP, Signals, Tokenizer, Tokens

WEIGHTS = {"loss_embedding": 1.0, "loss_shape": 0.5, "loss_energy": 1.0, "loss_rr": 0.3, "loss_power": 0.01}
NOISE = 0.3  # standard deviation of the noise added to the embedding


class Decoder(nn.Module):
    """The sum of a linear map and a small network of the embedding."""

    def __init__(self, settings: config.Transformer, tokenizer: Tokenizer) -> None:
        super().__init__()
        grid = tokenizer.grid
        limb = {"I", "II"} <= set(grid.channels)
        self.leads = [k for k, name in enumerate(grid.channels) if not (limb and name in leads.LIMB_SUMS)]
        self.sizes = [len(self.leads) * n for n in (grid.beat_samples, grid.beat_samples, grid.beat_patches)] + [1]
        self.linear = nn.Linear(settings.embedding, sum(self.sizes))
        hidden = 4 * settings.width
        self.bottleneck = nn.Sequential(
            nn.Linear(settings.embedding, hidden), nn.GELU(), nn.Linear(hidden, sum(self.sizes))
        )

    def decode(self, z: Tensor) -> list[Tensor]:
        """Embeddings [B, E] -> median beat in mV and its shape [B, leads·T], energies [B, leads·Q], log RR [B, 1]."""
        return list((self.linear(z) + self.bottleneck(z)).split(self.sizes, 1))

    def targets(self, tokenizer: Tokenizer, signals: Signals, tokens: Tokens) -> list[Tensor]:
        """The same, standardised; NaN: amplitudes of recordings that are not in mV, shapes of those that are."""
        t, grid = tokenizer, tokenizer.grid
        beat = signals.beat[:, self.leads]
        millivolt = signals.millivolt[:, None]
        size = ((beat - t.beat_mean[self.leads]) / t.beat_scale[self.leads]).clamp(-CLIP, CLIP).flatten(1)
        there = tokens.there[:, grid.n_strip : grid.n_strip + grid.n_beat].unflatten(1, (grid.leads, -1))[:, self.leads]
        shape = tokens.beat.unflatten(1, (grid.leads, -1))[:, self.leads]
        shape = torch.where(there[..., None], shape, torch.nan).flatten(2)
        shape = nn.functional.pad(shape, (0, grid.beat_samples - shape.shape[2]), value=torch.nan).flatten(1)
        energy = (beat.unfold(2, grid.beat_patch, grid.beat_patch).square().mean(3).sqrt() + 0.02).log()  # log_energy
        energy = ((energy - t.energy_mean[self.leads]) / t.energy_scale[self.leads]).clamp(-CLIP, CLIP).flatten(1)
        blank = torch.tensor(torch.nan, device=beat.device)
        return [torch.where(millivolt, size, blank), torch.where(millivolt, blank, shape),
                torch.where(millivolt, energy, blank), t.log_rr(signals.rr_ms)]  # fmt: skip

    def forward(self, z: Tensor, noise: Tensor, targets: list[Tensor]) -> Sums:
        """Sums of squared errors decoded from noisy embeddings z [B, E]; noise [B, E] of variance 1."""
        sums = {}
        names = ("loss_embedding", "loss_shape", "loss_energy", "loss_rr")
        for name, found, wanted in zip(names, self.decode(z + NOISE * noise), targets, strict=True):
            known = ~wanted.isnan()
            error = (found.float() - wanted.nan_to_num()).square()
            sums[name] = (error * known).sum(), known.sum()
        return sums | {"loss_power": (z.square().sum(), torch.tensor(z.numel(), device=z.device))}
