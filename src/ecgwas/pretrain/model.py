"""Strip and median beat -> embedding: a masked transformer over lead-patch tokens, with a narrow way out.

Letters of the shapes: B recordings, L = 8 leads, S and T samples of strip and beat, P and Q patches of a lead in
strip and beat, N = L·P + L·Q tokens (strip first, lead by lead), K kept and H hidden tokens, D width, E embedding.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgwas import config
from ecgwas.pretrain.data import MISSING, MODEL_LEADS

CLIP = 8.0  # standard deviations; pacing spikes and artefacts go no farther
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
        y = F.scaled_dot_product_attention(q, k, v)
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
        self.pool_gain = nn.Parameter(torch.ones(grid.n_strip + grid.n_beat, D))
        self.absent = nn.Parameter(torch.zeros(2, D))  # stands for a view without a token
        self.embedding = nn.Linear(2 * D, E)
        self.bottleneck = nn.Sequential(nn.Linear(E, 4 * D), nn.GELU(), nn.Linear(4 * D, L * grid.beat_samples + 1))

    def standardise(self, strip: Tensor, beat: Tensor) -> tuple[Tensor, Tensor]:
        """int16 microvolts [B, L, S], [B, L, T] -> the same in standard deviations, NaN where missing.

        Strip: per lead. Beat: per lead and sample, so that a P wave weighs as much as a QRS complex. The scales are
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
        """Encoded tokens [B, K, D] -> embeddings [B, E]: the mean of each view's tokens, through one linear map."""
        x = x * self.pool_gain[kept]
        is_beat = (kept >= self.grid.n_strip)[..., None].float()  # [B, K, 1]
        pooled = []
        for view, share in enumerate((1 - is_beat, is_beat)):
            count = share.sum(1)  # [B, 1]
            mean = (x * share).sum(1) / count.clamp(min=1)
            pooled.append(torch.where(count > 0, mean, self.absent[view]))
        return self.embedding(torch.cat(pooled, 1))

    def predict(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Encoded tokens [B, K, D], indices [B, H] -> what lies in the hidden tokens, read as strip and as beat."""
        y = self.mask_token + self.positions()[hidden]  # [B, H, D]
        for block in self.decoder:
            y = block(y, x)
        return self.strip_out(y), self.beat_out(y)

    def decode(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings [B, E] -> the median beat [B, L, T] and log RR [B], both standardised."""
        y = self.bottleneck(z)
        return y[:, :-1].unflatten(1, (L, -1)), y[:, -1]


def take(x: Tensor, index: Tensor) -> Tensor:
    """Tokens of [B, N, D] at [B, K]: [B, K, D]."""
    return x.gather(1, index[..., None].expand(-1, -1, x.shape[2]))


def present(strip: Tensor, beat: Tensor) -> Tensor:
    """Which tokens are wholly recorded, from patches with NaN where missing: bool [B, N]."""
    return torch.cat([~strip.isnan().any(2), ~beat.isnan().any(2)], 1)
