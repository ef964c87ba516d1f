"""Recording -> relevance of each token for a logit, through the attention of every block: Chefer et al. 2021 (ICCV).

Relevance starts as the identity, R ← R + Ā R with Ā the mean over heads of (∇A ⊙ A)⁺ (eq. 5 and 6), A a block's
attention and ∇A the gradient of the logit. Chefer reads the row of a class token; these encoders have none, so rows are
weighted by what each encoded token adds to the logit to first order, (∇x ⊙ x)⁺.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from ecgwas.encoder.tokens import Grid, Signals
from ecgwas.encoder.transformer import Block, whole
from ecgwas.errors import UserError
from ecgwas.predict.methods.networks import EncoderNetwork, Network


@contextlib.contextmanager
def watched(network: nn.Module) -> Iterator[list[Tensor]]:
    """Gather the attention weights [B, heads, K, K] of the blocks of a network, first block first."""
    found: list[Tensor] = []
    blocks = [module for module in network.modules() if isinstance(module, Block)]
    for block in blocks:
        block.watched = found
    try:
        yield found
    finally:
        for block in blocks:
            block.watched = None


def readable(network: Network) -> bool:
    """Whether a network has attention weights: an encoder of `Block`s."""
    encoder = getattr(network, "encoder", None)
    return isinstance(network, EncoderNetwork) and all(isinstance(block, Block) for block in encoder.blocks)


def relevance(network: EncoderNetwork, signals: Signals, outcome: int) -> np.ndarray:
    """Relevance of each token of one recording, signals [1, …], for a logit: float64 [N], 0 for missing tokens."""
    if not readable(network):
        raise UserError(f"method {network.method}: no attention weights; explain a transformer")
    signals = replace(
        signals, strip=signals.strip.detach().requires_grad_(), beat=signals.beat.detach().requires_grad_()
    )
    tokens = network.encoder.tokenizer(signals)
    out = np.zeros(tokens.there.shape[1])
    for _, index in whole(network.encoder.there(tokens)):
        with watched(network), torch.enable_grad():
            x, weights = encoded(network, tokens, index)
            logit = logit_of(network, x, index, tokens.lead)[0, outcome]
            slope, *slopes = torch.autograd.grad(logit, [x, *weights])
        row = (slope * x).sum(2).clamp(min=0)[0].double()  # [K]
        rolled = torch.eye(len(row), dtype=torch.float64, device=row.device)
        for weight, one in zip(weights, slopes, strict=True):
            rolled = rolled + (one * weight).clamp(min=0).mean(1)[0].double() @ rolled
        out[index[0].cpu().numpy()] = (row @ rolled).detach().cpu().numpy()
    return out


def encoded(network: EncoderNetwork, tokens: object, index: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Encoded tokens [1, K, D] and the attention weights of this pass; inside `watched`."""
    first = network.encoder.blocks[0]
    start = len(first.watched)
    x = network.encoder(tokens, index)
    return x, first.watched[start:]


def logit_of(network: EncoderNetwork, x: Tensor, index: Tensor, lead: Tensor) -> Tensor:
    """Logits [1, O] of encoded tokens, as `Network.logits` has them."""
    if isinstance(network.head, nn.Linear):
        return network.head(network.encoder.embed(x, index, lead))
    return network.head(x)


def on_samples(values: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Relevance of tokens [N], spread evenly over the samples of their patches: strip [L, S] and beat [L, T].

    Tokens of size and rate have no time and are excluded.
    """
    sizes = (
        (slice(0, grid.n_strip), grid.strip_patch, grid.strip_samples),
        (slice(grid.n_strip, grid.n_strip + grid.n_beat), grid.beat_patch, grid.beat_samples),
    )
    out = []
    for tokens, patch, samples in sizes:
        spread = np.repeat(values[tokens].reshape(grid.leads, -1) / patch, patch, 1)
        out.append(np.pad(spread, ((0, 0), (0, samples - spread.shape[1]))))
    return out[0], out[1]


def untimed(values: np.ndarray, grid: Grid) -> float:
    """Share of the relevance in tokens of size and rate."""
    total = values.sum()
    return float(values[grid.n_strip + grid.n_beat :].sum() / total) if total > 0 else float("nan")
