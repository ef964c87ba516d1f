"""Strip -> embedding: a convolutional stem over all leads and Conformer blocks (Gulati et al. 2020), as in ECG-LFM.

Letters of the shapes as in `tokens.py`; here N tokens are the times of a strip, F the filters of the stem.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from ecgwas import config
from ecgwas.encoder.tokens import Grid, Tokenizer, Tokens, named
from ecgwas.encoder.transformer import take

FILTERS = 256  # F of the paper's stem
TOKEN_S = 0.032  # of the paper: 16 samples at 500 Hz
KERNEL = 31  # tokens that the depth-wise convolution sees


class Stem(nn.Module):
    """Convolutions of two samples by two, each of which halves the rate, over all leads at once.

    As many as make a token nearest to `TOKEN_S` on a logarithmic scale: 4 at 500 Hz (32 ms), 2 at 100 Hz (40 ms).
    """

    def __init__(self, n_leads: int, rate_hz: float, filters: int) -> None:
        super().__init__()
        halvings = max(1, round(math.log2(TOKEN_S * rate_hz)))
        self.samples = 2**halvings  # of a token
        inputs = [n_leads, *[filters] * (halvings - 1)]
        self.layers = nn.ModuleList(nn.Conv1d(n, filters, 2, 2) for n in inputs)
        for layer in self.layers:
            nn.init.kaiming_normal_(layer.weight)

    def forward(self, x: Tensor) -> Tensor:
        """[B, L, S] -> [B, S / samples, F]."""
        for layer in self.layers:
            x = nn.functional.gelu(layer(x))
        return x.transpose(1, 2)


class FeedForward(nn.Sequential):
    """Gulati et al. 2020, figure 4, without dropout."""

    def __init__(self, width: int) -> None:
        wide = 4 * width
        super().__init__(nn.LayerNorm(width), nn.Linear(width, wide), nn.SiLU(), nn.Linear(wide, width))


class Attention(nn.Module):
    """Self-attention by content and distance (Dai et al. 2019, section 3.3), distances in tokens."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.norm = heads, nn.LayerNorm(width)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.distance = nn.Linear(width, width, bias=False)
        self.bias_content, self.bias_distance = (nn.Parameter(torch.zeros(heads, 1, width // heads)) for _ in range(2))

    def forward(self, x: Tensor, distances: Tensor) -> Tensor:
        """x [B, K, D]; distances [2K - 1, D], of K - 1 down to 1 - K tokens."""
        y = self.norm(x)
        q, k, v = (self._by_head(of(y)) for of in (self.query, self.key, self.value))
        by_distance = shifted((q + self.bias_distance) @ self._by_head(self.distance(distances)).transpose(-1, -2))
        bias = by_distance / math.sqrt(q.shape[-1])
        y = nn.functional.scaled_dot_product_attention(q + self.bias_content.to(q.dtype), k, v, bias.to(q.dtype))
        return self.out(y.transpose(1, 2).flatten(2))

    def _by_head(self, x: Tensor) -> Tensor:
        """[…, tokens, D] -> […, heads, tokens, D/heads]."""
        return x.unflatten(-1, (self.heads, -1)).transpose(-2, -3)


class Convolution(nn.Module):
    """Gulati et al. 2020, figure 2, with layer norm for batch norm: recordings of a batch are independent."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.norm_out = nn.LayerNorm(width), nn.LayerNorm(width)
        self.gated, self.out = nn.Linear(width, 2 * width, bias=False), nn.Linear(width, width, bias=False)
        self.depthwise = nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2, groups=width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = nn.functional.glu(self.gated(self.norm(x)), -1)
        y = self.depthwise(y.transpose(1, 2)).transpose(1, 2)
        return self.out(nn.functional.silu(self.norm_out(y)))


class ConformerBlock(nn.Module):
    """Half a feed-forward step, attention, convolution, half a step, norm (Gulati et al. 2020, eq. 1)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.first, self.last = FeedForward(width), FeedForward(width)
        self.attention, self.convolution, self.norm = Attention(width, heads), Convolution(width), nn.LayerNorm(width)

    def forward(self, x: Tensor, distances: Tensor) -> Tensor:
        x = x + 0.5 * self.first(x)
        x = x + self.attention(x, distances)
        x = x + self.convolution(x)
        return self.norm(x + 0.5 * self.last(x))


class Conformer(nn.Module):
    """Reads the strip alone; a token is all leads for one time, missing leads are zeros.

    Strips are in units of the typical size of each lead, so that how large a lead is can be seen, where it is known.
    """

    def __init__(self, settings: config.Transformer, grid: Grid, statistics: dict[str, Tensor]) -> None:
        super().__init__()
        width = settings.width
        self.grid, self.tokenizer = grid, Tokenizer(grid, statistics)
        self.feature_width = min(FILTERS, width)
        self.stem = Stem(grid.leads, grid.strip_rate_hz, self.feature_width)
        self.norm_features, self.proj = nn.LayerNorm(self.feature_width), nn.Linear(self.feature_width, width)
        self.blocks = nn.ModuleList(ConformerBlock(width, settings.heads) for _ in range(settings.depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, settings.embedding)
        # Untrained, without people of several recordings, the embedding is then the mean of the tokens itself.
        (nn.init.eye_ if settings.embedding == width else nn.init.orthogonal_)(self.head.weight)
        nn.init.zeros_(self.head.bias)

    @property
    def n_tokens(self) -> int:
        """N."""
        return self.grid.strip_patches * self.grid.strip_patch // self.stem.samples

    def forward(self, tokens: Tokens, kept: Tensor) -> Tensor:
        """The tokens at `kept` [B, K], one after the other without a gap -> [B, K, D]."""
        return self.norm(self.layers(tokens, kept)[-1])

    def there(self, tokens: Tokens) -> Tensor:
        """From the first to the last token with anything recorded: bool [B, N]."""
        recorded = self._recorded(tokens).any(1).repeat_interleave(self.grid.strip_patch, 1)
        recorded = recorded[:, : self.n_tokens * self.stem.samples].unflatten(1, (self.n_tokens, -1)).any(2)
        return (recorded.cumsum(1) > 0) & (recorded.flip(1).cumsum(1).flip(1) > 0)

    def places(self) -> tuple[np.ndarray, np.ndarray, tuple[float]]:
        """View (0, strip) and place of the tokens, int [N], and their length, s."""
        return np.zeros(self.n_tokens, int), np.arange(self.n_tokens), (self.stem.samples / self.grid.strip_rate_hz,)

    def features(self, tokens: Tokens) -> Tensor:
        """Content of each token: [B, N, F]."""
        strip = tokens.strip.unflatten(1, (self.grid.leads, -1)) * self._recorded(tokens)[..., None]
        size = named(self.tokenizer.amplitude_scale, tokens.lead)[..., 0] * tokens.size[..., 0]  # log, 0 is typical
        return self.stem(strip.flatten(2) * size.exp()[..., None])

    def project(self, features: Tensor) -> Tensor:
        """Features [B, N, F] -> input of the first block [B, N, D]."""
        return self.proj(self.norm_features(features))

    def layers(self, tokens: Tokens, kept: Tensor, x: Tensor | None = None) -> list[Tensor]:
        """Outputs of the blocks, list of [B, K, D]; x [B, N, D]: input instead of the tokens' own content."""
        x = take(self.project(self.features(tokens)) if x is None else x, kept)
        distances, found = sinusoids(x.shape[1], x.shape[2], x.device), []
        for block in self.blocks:
            x = block(x, distances)
            found.append(x)
        return found

    def embed_nothing(self, n: int) -> Tensor:
        """Embeddings [n, E] of recordings without any visible token."""
        return self.head.bias.float().expand(n, -1)

    def embed(self, x: Tensor, kept: Tensor, lead: Tensor) -> Tensor:
        """Encoded tokens [B, K, D] -> embeddings [B, E]: a linear map of their mean."""
        return self.head(x.mean(1))

    def _recorded(self, tokens: Tokens) -> Tensor:
        """Patches of visible leads: bool [B, L, P]."""
        return tokens.there[:, : self.grid.n_strip].unflatten(1, (self.grid.leads, -1))


def sinusoids(n: int, width: int, device: torch.device) -> Tensor:
    """Sine and cosine of distances n - 1 down to 1 - n (Vaswani et al. 2017, section 3.5): [2n - 1, width]."""
    distance = torch.arange(n - 1, -n, -1.0, device=device)[:, None]
    angle = distance * torch.exp(torch.arange(0, width, 2, device=device) * (-math.log(1e4) / width))
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)


def shifted(x: Tensor) -> Tensor:
    """Logits [B, heads, K, 2K - 1] by distance -> by key [B, heads, K, K]: query i, key j takes distance i - j.

    Distance i - j is column K - 1 - i + j; rows one shorter than they are read move by one column each (Dai et al.
    2019, appendix B).
    """
    n = x.shape[2]
    x = nn.functional.pad(x, (0, 1)).flatten(2)[..., n - 1 : n - 1 + n * (2 * n - 1)]
    return x.unflatten(2, (n, 2 * n - 1))[..., :n]
