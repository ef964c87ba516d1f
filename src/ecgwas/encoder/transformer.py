"""Tokens -> embedding: a transformer over the tokens an encoder may see, and a narrow way out.

Letters of the shapes as in `tokens.py`; K tokens seen, H tokens predicted, D width, r rank, E embedding.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from ecgwas import config
from ecgwas.encoder.tokens import Grid, Tokenizer, Tokens

PERIODS_S = (0.1, 40.0)  # shortest and longest period of the rotary positions


class Rotary(nn.Module):
    """Turns pairs of numbers of queries and keys by angles that grow with time (Su et al. 2021, eq. 34).

    What two tokens make of each other then depends on the time between them, not on where the strip was cut.
    """

    def __init__(self, pairs: int) -> None:
        super().__init__()
        low, high = (math.log(p) for p in PERIODS_S)
        periods = torch.exp(torch.linspace(low, high, pairs))
        self.register_buffer("speed", 2 * math.pi / periods, persistent=False)

    def forward(self, time_s: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines, and sines with the sign of each half, [B, 1, K, 2·pairs] of tokens at times [B, K]."""
        angle = time_s[:, None, :, None] * self.speed
        cos, sin = angle.cos(), angle.sin()
        return torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1)


def turn(x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    """Apply `Rotary` to x [B, heads, K, 2·pairs]."""
    (a, b), (cos, sin) = x.chunk(2, -1), turns
    return (x * cos).addcmul(torch.cat([b, a], -1), sin).to(x.dtype)


class Block(nn.Module):
    """Pre-norm transformer block; `x` attends to itself, or to `memory` where it is given."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key_value = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.watched: list[Tensor] | None = None  # where attention weights are gathered, if anywhere

    def explicit(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention that appends its weights [B, heads, tokens, tokens] to `watched`; the fused kernel returns none."""
        weights = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1)
        self.watched.append(weights)
        return weights @ v

    def forward(
        self,
        x: Tensor,
        turns: tuple[Tensor, Tensor],
        memory: Tensor | None = None,
        memory_turns: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        y = self.norm_attention(x)
        q = self.query(y)
        k, v = self.key_value(y if memory is None else memory).chunk(2, -1)
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (q, k, v))  # [B, heads, tokens, D/heads]
        q, k = turn(q, turns), turn(k, turns if memory_turns is None else memory_turns)
        y = nn.functional.scaled_dot_product_attention(q, k, v) if self.watched is None else self.explicit(q, k, v)
        x = x + self.out(y.transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm_mlp(x))


class Positions(nn.Module):
    """Learned vectors of a token's view, lead and, in a beat, position; and its time, for `Rotary`.

    A beat is aligned, so that its places have a meaning of their own; a strip may start anywhere.
    """

    def __init__(self, grid: Grid, width: int) -> None:
        super().__init__()
        self.view = nn.Parameter(0.02 * torch.randn(4, width))
        self.lead = nn.Parameter(0.02 * torch.randn(4, grid.leads + 1, width))  # by view; the last: unknown
        self.beat = nn.Parameter(0.02 * torch.randn(grid.beat_patches, width))
        for name in ("view", "lead", "place", "time_s"):
            values = torch.from_numpy(getattr(grid, name)())
            self.register_buffer(f"of_{name}", values.float() if name == "time_s" else values, persistent=False)

    def forward(self, index: Tensor, lead: Tensor) -> Tensor:
        """Vectors [B, K, D] of the tokens at `index` [B, K]; lead [B, L] as in `Tokens`."""
        view, name = self.of_view[index], lead.gather(1, self.of_lead[index])
        beat = self.beat[self.of_place[index].clamp(max=len(self.beat) - 1)] * (view == 1)[..., None]
        return self.view[view] + self.lead[view, name] + beat

    def times(self, index: Tensor) -> Tensor:
        """Times of tokens, s: [B, K]."""
        return self.of_time_s[index]


class Head(nn.Module):
    """Encoded tokens -> embedding: each beat place has its own linear map, strips give mean and spread over time.

    A median beat is aligned, so what a token tells depends on its place (lead and patch). Tokens of a lead's strip are
    averaged over time, and their standard deviation tells what changes from beat to beat.
    """

    def __init__(self, grid: Grid, width: int, rank: int, embedding: int) -> None:
        super().__init__()
        self.leads, self.beat_patches, rank = grid.leads, grid.beat_patches, min(rank, width)
        self.narrow = nn.Linear(width, rank) if rank < width else nn.Identity()
        sizes = {
            "strip": (2, 0.05),
            "beat": (grid.beat_patches, 0.2),
            "size": (1, 0.05),
            "rate": (1, 0.05),
        }  # places and initial spread
        self.maps = nn.ParameterDict(
            {
                name: nn.Parameter(sd * torch.randn((grid.leads + 1) * n * rank, embedding))
                for name, (n, sd) in sizes.items()
            }
        )
        self.bias, self.absent = nn.Parameter(torch.zeros(embedding)), nn.Parameter(torch.zeros(4, embedding))

    def forward(self, x: Tensor, view: Tensor, name: Tensor, place: Tensor) -> Tensor:
        """x [B, K, D]; view, name of the lead and place in the view of each token, int [B, K] -> [B, E]."""
        y = self.narrow(x)
        strip, leads_seen = self._strip(y, view, name)
        found = {
            "strip": (strip, leads_seen),
            "beat": (self._placed(y, view == 1, name * self.beat_patches + place, self.beat_patches), (view == 1)),
            "size": (self._placed(y, view == 2, name, 1), view == 2),
            "rate": (self._placed(y, view == 3, name, 1), view == 3),
        }
        z = self.bias
        for k, (view_name, (features, seen)) in enumerate(found.items()):
            count = seen.sum(1, keepdim=True)  # [B, 1]
            z = z + torch.where(count > 0, features @ self.maps[view_name] / count.clamp(min=1), self.absent[k])
        return z

    def _strip(self, y: Tensor, view: Tensor, name: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation over time by lead, [B, (L+1)·2·r], and which leads were seen [B, L+1]."""
        leads = torch.arange(self.leads + 1, device=y.device)
        member = ((name[:, None] == leads[:, None]) & (view == 0)[:, None]).to(y.dtype)  # [B, L+1, K]
        count = member.sum(2, keepdim=True)
        mean = member @ y / count.clamp(min=1)
        variance = member @ y.square() / count.clamp(min=1) - mean.square()
        spread = (variance.clamp(min=0) + 1e-4).sqrt() * (count > 0)
        return torch.cat([mean, spread], 2).flatten(1), count[..., 0] > 0

    def _placed(self, y: Tensor, chosen: Tensor, index: Tensor, places: int) -> Tensor:
        """Chosen tokens at their positions, zeros elsewhere: [B, (L+1)·places·r]."""
        n = (self.leads + 1) * places
        index = torch.where(chosen, index, n)[..., None].expand(-1, -1, y.shape[2])  # others: beyond the end
        return y.new_zeros(len(y), n + 1, y.shape[2]).scatter(1, index, y)[:, :n].flatten(1)


class Encoder(nn.Module):
    """A transformer over the visible tokens; missing leads are missing tokens."""

    def __init__(self, settings: config.Transformer, grid: Grid, statistics: dict[str, Tensor]) -> None:
        super().__init__()
        width = self.feature_width = settings.width
        self.grid, self.tokenizer = grid, Tokenizer(grid, statistics)
        self.strip_in, self.beat_in = nn.Linear(grid.strip_patch, width), nn.Linear(grid.beat_patch, width)
        self.size_in, self.rate_in = nn.Linear(2, width), nn.Linear(1, width)
        self.size_gate = nn.Linear(2, width, bias=False)
        self.beat_gain = nn.Parameter(torch.ones(grid.leads + 1, grid.beat_patches, width))  # of each lead and place
        self.positions, self.rotary = Positions(grid, width), Rotary(width // settings.heads // 2)
        self.blocks = nn.ModuleList(Block(width, settings.heads) for _ in range(settings.depth))
        self.norm = nn.LayerNorm(width)
        self.head = Head(grid, width, settings.head_rank, settings.embedding)

    def forward(self, tokens: Tokens, kept: Tensor, asked: Tensor | None = None) -> Tensor:
        """The tokens at `kept` [B, K], which attend to each other -> [B, K, D].

        asked: places in `kept` [B, H]; only these come out, [B, H, D], and the last block is spared the others.
        """
        x, turns, (*first, last) = self.enter(tokens, kept), self.turns(kept), self.blocks
        for block in first:
            x = block(x, turns)
        if asked is None:
            return self.norm(last(x, turns))
        return self.norm(last(take(x, asked), self.turns(kept.gather(1, asked)), last.norm_attention(x), turns))

    def there(self, tokens: Tokens) -> Tensor:
        """Which of the encoder's own tokens exist: bool [B, N]."""
        return tokens.there

    def places(self) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
        """View and place of the encoder's own tokens, int [N], and the length of a patch of strip and beat, s."""
        g = self.grid
        return g.view(), g.place(), (g.strip_patch / g.strip_rate_hz, g.beat_patch / g.beat_rate_hz)

    def project(self, features: Tensor) -> Tensor:
        """`features` -> input of the first block: here the same, [B, N, D]."""
        return features

    def layers(self, tokens: Tokens, kept: Tensor, x: Tensor | None = None) -> list[Tensor]:
        """Outputs of the blocks, list of [B, K, D]; x [B, N, D]: input instead of the tokens' own content."""
        x, turns, found = self.enter(tokens, kept, x), self.turns(kept), []
        for block in self.blocks:
            x = block(x, turns)
            found.append(x)
        return found

    def enter(self, tokens: Tokens, kept: Tensor, x: Tensor | None = None) -> Tensor:
        """Input of the first block: [B, K, D]; x [B, N, D] as in `layers`."""
        x = self.project(self.features(tokens)) if x is None else x
        return take(x, kept) + self.positions(kept, tokens.lead)

    def turns(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines of the rotary positions of the tokens at `index` [B, K]."""
        return self.rotary(self.positions.times(index))

    def features(self, tokens: Tokens) -> Tensor:
        """Content of each token: [B, N, D].

        A wave's height in mV is its height at unit variance times the size of its lead: a product, which sums over
        tokens do not make. So sizes also gate the patches of their lead, where they are known.
        """
        gate = 1 + self.size_gate(tokens.size)[:, :, None]  # [B, L, 1, D]
        strip, beat = (
            x.unflatten(1, (self.grid.leads, -1)) for x in (self.strip_in(tokens.strip), self.beat_in(tokens.beat))
        )
        strip, beat = strip * gate, beat * gate * self.beat_gain[tokens.lead]
        rate = self.rate_in(tokens.rate)[:, None]
        return torch.cat([strip.flatten(1, 2), beat.flatten(1, 2), self.size_in(tokens.size), rate], 1)

    def embed_nothing(self, n: int) -> Tensor:
        """Embeddings [n, E] of recordings without any visible token."""
        return (self.head.bias + self.head.absent.sum(0)).float().expand(n, -1)

    def embed(self, x: Tensor, kept: Tensor, lead: Tensor) -> Tensor:
        """Encoded tokens [B, K, D] at `kept` [B, K], lead [B, L] as in `Tokens` -> embeddings [B, E]."""
        p = self.positions
        return self.head(x, p.of_view[kept], lead.gather(1, p.of_lead[kept]), p.of_place[kept])


class Predictor(nn.Module):
    """Encoded tokens and positions of others -> predictions at these positions: [B, H, D]."""

    def __init__(self, settings: config.Transformer) -> None:
        super().__init__()
        self.mask_token = nn.Parameter(0.02 * torch.randn(settings.width))
        self.blocks = nn.ModuleList(Block(settings.width, settings.heads) for _ in range(settings.decoder_depth))
        self.norm = nn.LayerNorm(settings.width)

    def forward(self, encoder: Encoder, x: Tensor, kept: Tensor, hidden: Tensor, lead: Tensor) -> Tensor:
        """x [B, K, D] at `kept` -> tokens at `hidden` [B, H], of leads named `lead` [B, L]."""
        y = self.mask_token + encoder.positions(hidden, lead)
        turns, memory_turns = (encoder.turns(index) for index in (hidden, kept))
        for block in self.blocks:
            y = block(y, turns, x, memory_turns)
        return self.norm(y)


def take(x: Tensor, index: Tensor) -> Tensor:
    """Tokens of [B, N, D] at [B, K]: [B, K, D]."""
    return x.gather(1, index[..., None].expand(-1, -1, x.shape[2]))


def whole(there: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Groups of recordings with equally many tokens, in order: (rows [b], index [b, n]); none of those without."""
    counts = there.sum(1)
    found = []
    for n in counts.unique().tolist():
        if n:
            rows = (counts == n).nonzero()[:, 0]
            found.append((rows, (~there[rows]).to(torch.uint8).argsort(dim=1, stable=True)[:, :n]))
    return found
