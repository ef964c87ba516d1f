"""Strip and median beat -> embedding: a masked transformer over lead-patch tokens, with a narrow way out.

Letters of the shapes: B recordings, L = 8 leads, S and T samples of strip and beat, P and Q patches of a lead in
strip and beat, N = L·P + L·Q tokens (strip first, lead by lead), K kept and H hidden tokens, D width, E embedding.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ecgwas import config
from ecgwas.pretrain.data import MISSING, MODEL_LEADS

CLIP = 3.0  # standard deviations; pacing spikes and artefacts go no farther
L = len(MODEL_LEADS)


@dataclass(frozen=True)
class Grid:
    """How the two views are cut into tokens."""

    strip_samples: int  # S
    beat_samples: int  # T
    strip_patch: int  # samples of a strip patch
    beat_patch: int  # samples of a beat patch

    @property
    def n_strip(self) -> int:
        """Strip tokens, L·P."""
        return L * (self.strip_samples // self.strip_patch)

    @property
    def n_beat(self) -> int:
        """Beat tokens, L·Q."""
        return L * (self.beat_samples // self.beat_patch)


def make_grid(settings: config.Transformer, ingest: config.Ingest) -> Grid:
    """Sizes in samples from sizes in seconds; a rest shorter than a patch at the end of a view is not used."""
    return Grid(
        strip_samples=round(ingest.seconds * ingest.model_rate_hz),
        beat_samples=round((ingest.beat_before_s + ingest.beat_after_s) * ingest.beat_rate_hz),
        strip_patch=round(settings.strip_patch_s * ingest.model_rate_hz),
        beat_patch=round(settings.beat_patch_s * ingest.beat_rate_hz),
    )


class Block(nn.Module):
    """Pre-norm transformer block; `x` attends to itself, or to `memory` where it is given."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key_value = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Tensor:
        y = self.norm_attention(x)
        q = self.query(y)
        k, v = self.key_value(y if memory is None else memory).chunk(2, -1)
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (q, k, v))  # [B, heads, tokens, D/heads]
        y = nn.functional.scaled_dot_product_attention(q, k, v)
        x = x + self.out(y.transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm_mlp(x))


class Model(nn.Module):
    """Encoder of the kept tokens, light decoder of the hidden ones, and the embedding with its own decoder."""

    def __init__(self, settings: config.Transformer, grid: Grid, statistics: dict[str, Tensor]) -> None:
        super().__init__()
        self.grid, D, E = grid, settings.width, settings.embedding
        for name, value in statistics.items():
            self.register_buffer(name, value, persistent=False)
        self.strip_in, self.beat_in = nn.Linear(grid.strip_patch, D), nn.Linear(grid.beat_patch, D)
        self.lead = nn.Parameter(0.02 * torch.randn(2, L, 1, D))  # one a view
        self.strip_time = nn.Parameter(0.02 * torch.randn(1, grid.n_strip // L, D))
        self.beat_time = nn.Parameter(0.02 * torch.randn(1, grid.n_beat // L, D))
        self.gain = nn.Parameter(torch.ones(grid.n_strip + grid.n_beat, D))
        self.encoder = nn.ModuleList(Block(D, settings.heads) for _ in range(settings.depth))
        self.norm = nn.LayerNorm(D)
        self.mask_token = nn.Parameter(0.02 * torch.randn(D))
        self.decoder = nn.ModuleList(Block(D, settings.heads) for _ in range(settings.decoder_depth))
        self.strip_out, self.beat_out = nn.Linear(D, grid.strip_patch), nn.Linear(D, grid.beat_patch)
        self.embedding = nn.Parameter(0.2 * torch.randn(grid.n_strip + grid.n_beat, D, E))
        self.embedding_bias, self.absent = nn.Parameter(torch.zeros(E)), nn.Parameter(torch.zeros(2, E))
        out = L * grid.beat_samples + grid.n_beat + 1
        self.linear_out = nn.Linear(E, out)
        self.bottleneck = nn.Sequential(nn.Linear(E, 4 * D), nn.GELU(), nn.Linear(4 * D, out))

    def standardise(self, strip: Tensor, beat: Tensor) -> tuple[Tensor, Tensor]:
        """int16 microvolts [B, L, S], [B, L, T] -> the same in standard deviations, NaN where missing.

        Strip: per lead. Beat: per lead and sample, so that P waves are not drowned by QRS complexes. The scales are
        those of the training cohorts, the same for every recording: amplitudes stay amplitudes.
        """
        x, y = (torch.where(v == MISSING, torch.nan, v.float() / 1000) for v in (strip, beat))
        return (x / self.strip_scale).clamp(-CLIP, CLIP), ((y - self.beat_mean) / self.beat_scale).clamp(-CLIP, CLIP)

    def patches(self, strip: Tensor, beat: Tensor) -> tuple[Tensor, Tensor]:
        """Cut the leads of each view: [B, L, S], [B, L, T] -> [B, L·P, samples], [B, L·Q, samples]."""
        return strip.unfold(2, self.grid.strip_patch, self.grid.strip_patch).flatten(1, 2), beat.unfold(
            2, self.grid.beat_patch, self.grid.beat_patch
        ).flatten(1, 2)

    def positions(self) -> Tensor:
        """What marks each token's lead, time and view: [N, D]."""
        strip, beat = self.lead[0] + self.strip_time, self.lead[1] + self.beat_time
        return torch.cat([strip.flatten(0, 1), beat.flatten(0, 1)])

    def encode(self, strip: Tensor, beat: Tensor, kept: Tensor) -> Tensor:
        """Patches of both views and indices [B, K] of the tokens the encoder may see -> [B, K, D]."""
        x = torch.cat([self.strip_in(strip.nan_to_num()), self.beat_in(beat.nan_to_num())], 1)  # [B, N, D]
        x = take(x * self.gain + self.positions(), kept)
        for block in self.encoder:
            x = block(x)
        return self.norm(x)

    def embed(self, x: Tensor, kept: Tensor) -> Tensor:
        """Encoded tokens [B, K, D] -> embeddings [B, E]: each place has its own linear map, each view takes the mean.

        A median beat is aligned, so what a token tells depends on its place; places that were not seen add nothing.
        """
        n, total = self.grid.n_strip, self.grid.n_strip + self.grid.n_beat
        placed = x.new_zeros(len(x), total, x.shape[2]).scatter(1, kept[..., None].expand_as(x), x)
        z = self.embedding_bias
        for view, first, last in ((0, 0, n), (1, n, total)):
            count = ((kept >= first) & (kept < last)).sum(1, keepdim=True)  # [B, 1]
            summed = placed[:, first:last].flatten(1) @ self.embedding[first:last].flatten(0, 1)
            z = z + torch.where(count > 0, summed / count.clamp(min=1), self.absent[view])
        return z

    def predict(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Encoded tokens [B, K, D], indices [B, H] -> what lies in the hidden tokens, read as strip and as beat."""
        y = self.mask_token + self.positions()[hidden]  # [B, H, D]
        for block in self.decoder:
            y = block(y, x)
        return self.strip_out(y), self.beat_out(y)

    def energies(self, beat: Tensor) -> Tensor:
        """int16 microvolts [B, L, T] -> log energy of each beat patch [B, L·Q], standardised, NaN where missing."""
        x = torch.where(beat == MISSING, torch.nan, beat.float() / 1000)
        x = x.unfold(2, self.grid.beat_patch, self.grid.beat_patch)  # [B, L, Q, samples]
        x = (x.square().mean(3).sqrt() + 0.02).log()  # as data.log_energy
        return ((x - self.energy_mean) / self.energy_scale).clamp(-CLIP, CLIP).flatten(1)

    def decode(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Embeddings [B, E] -> the median beat [B, L·T], its energies [B, L·Q] and log RR [B, 1], all standardised."""
        y = self.linear_out(z) + self.bottleneck(z)
        return y.split([L * self.grid.beat_samples, self.grid.n_beat, 1], 1)


def take(x: Tensor, index: Tensor) -> Tensor:
    """Tokens of [B, N, D] at [B, K]: [B, K, D]."""
    return x.gather(1, index[..., None].expand(-1, -1, x.shape[2]))


def present(strip: Tensor, beat: Tensor) -> Tensor:
    """Which tokens are wholly recorded, from patches with NaN where missing: bool [B, N]."""
    return torch.cat([~strip.isnan().any(2), ~beat.isnan().any(2)], 1)
