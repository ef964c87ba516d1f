"""Signals -> one logit an outcome: an encoder or an xresnet1d with a head, and its file.

Letters of the shapes as in `encoder/tokens.py` and `encoder/transformer.py`; O outcomes.
"""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ecgwas import config
from ecgwas.checkpoints import checkpoint as files
from ecgwas.encoder.backbones import make_encoder
from ecgwas.encoder.leads import LIMB_SUMS
from ecgwas.encoder.tokens import Signals, Tokens, deviation, make_grid
from ecgwas.encoder.transformer import whole
from ecgwas.errors import UserError
from ecgwas.predict.methods.xresnet import XResNet1d

ENCODERS = ("finetuned", "attention", "probe", "random", "supervised")  # methods with an encoder
FROZEN = ("attention", "probe", "random")  # those that leave it as it is
METHODS = (*ENCODERS, "xresnet1d")
KEPT = ("kind", "settings", "ingest", "leads", "statistics", "seed", "recordings")  # of an encoder's checkpoint


class Pooling(nn.Module):
    """Attention over the encoded tokens with a learned query for each outcome (Vaswani et al. 2017, eq. 1).

    Queries start at zero: the mean over tokens. Each outcome reads its own average by its own linear map, which starts
    at zero.
    """

    def __init__(self, width: int, heads: int, outputs: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.key, self.value = nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, width)
        self.query = nn.Parameter(torch.zeros(outputs, width))
        self.weight = nn.Parameter(torch.zeros(outputs, width))

    def forward(self, x: Tensor, there: Tensor | None = None) -> Tensor:
        """Tokens x [B, K, D], those in `there` bool [B, K] -> logits [B, O]."""
        y = self.norm(x)
        pooled = self.attention(y, there) @ self._by_head(self.value(y))  # [B, heads, O, D/heads]
        return (pooled.transpose(1, 2).flatten(2) * self.weight).sum(2)

    def attention(self, y: Tensor, there: Tensor | None = None) -> Tensor:
        """Weights of the normalised tokens y [B, K, D] that sum to 1: [B, heads, O, K]."""
        query = self.query.unflatten(-1, (self.heads, -1)).transpose(0, 1)  # [heads, O, D/heads]
        score = query @ self._by_head(self.key(y)).transpose(-1, -2) / math.sqrt(query.shape[-1])
        if there is not None:
            score = score.masked_fill(~there[:, None, None], -math.inf)
        return score.softmax(-1)

    def _by_head(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class Network(nn.Module):
    """Base of all networks: names of outcomes, preprocessing of signals, and logits."""

    def __init__(self, method: str, outcomes: Iterable[str], checkpoint: dict[str, Any]) -> None:
        super().__init__()
        self.method, self.outcomes = method, tuple(outcomes)
        self.checkpoint = {name: checkpoint[name] for name in KEPT if name in checkpoint}
        self.ingest = config.Ingest(**checkpoint["ingest"])

    def logits(self, signals: Signals, seen: Tensor | None = None) -> Tensor:
        """Logits [B, O], differentiable in strip and beat; seen: leads shown, bool [B, L], by default all.

        An empty recording has the logits of no input; `readable` identifies them.
        """
        raise NotImplementedError

    def readable(self, signals: Signals) -> Tensor:
        """Recordings with any signal that the network reads: bool [B]."""
        raise NotImplementedError

    def trained(self) -> list[nn.Parameter]:
        """The trainable weights."""
        return list(self.parameters())

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device


class EncoderNetwork(Network):
    """The pipeline's encoder, and a linear map of its embedding, to which attention pooling of its tokens is added."""

    def __init__(self, method: str, outcomes: Iterable[str], checkpoint: dict[str, Any]) -> None:
        super().__init__(method, outcomes, checkpoint)
        if checkpoint["kind"] != "transformer":
            raise UserError(
                f"predict.methods: {method} needs an encoder, the model is of kind {checkpoint['kind']};"
                " name a model of kind transformer in predict.model"
            )
        settings = config.Transformer(**checkpoint["settings"])
        self.encoder = make_encoder(settings, make_grid(settings, self.ingest), checkpoint["statistics"])
        n = len(self.outcomes)
        self.head = nn.Linear(settings.embedding, n)
        self.pooling = Pooling(settings.width, settings.heads, n) if method == "attention" else None

    def logits(self, signals: Signals, seen: Tensor | None = None) -> Tensor:
        tokens = self.encoder.tokenizer(signals, seen)
        if self.pooling is None:
            return self.head(self.embedding(tokens))
        return self.pooled(*self.encoded(tokens))

    def pooled(self, z: Tensor, x: Tensor, there: Tensor) -> Tensor:
        """Logits of embeddings z [B, E] and encoded tokens x [B, N, D] of which those in `there` [B, N] exist."""
        out, rows = self.head(z), there.any(1)
        told = torch.zeros_like(out)
        told[rows] = self.pooling(x[rows], there[rows]).to(out.dtype)
        return out + told

    def embedding(self, tokens: Tokens) -> Tensor:
        """Embeddings [B, E]; without any visible token, the encoder's embedding of an empty recording."""
        z = self._nothing(tokens)
        for rows, index in whole(self.encoder.there(tokens)):
            chosen = tokens[rows]
            z[rows] = self.encoder.embed(self.encoder(chosen, index), index, chosen.lead).to(z.dtype)
        return z

    def encoded(self, tokens: Tokens) -> tuple[Tensor, Tensor, Tensor]:
        """Embeddings [B, E], encoded tokens each at its place [B, N, D], and which are present [B, N]."""
        z, there = self._nothing(tokens), self.encoder.there(tokens)
        x = z.new_zeros(*there.shape, self.encoder.norm.normalized_shape[0])
        for rows, index in whole(there):
            chosen = tokens[rows]
            found = self.encoder(chosen, index)
            x[rows[:, None], index] = found.to(x.dtype)
            z[rows] = self.encoder.embed(found, index, chosen.lead).to(z.dtype)
        return z, x, there

    def _nothing(self, tokens: Tokens) -> Tensor:
        """Embeddings [B, E] of empty recordings."""
        return self.encoder.embed_nothing(len(tokens.there)).to(self.head.weight.dtype).clone()

    def readable(self, signals: Signals) -> Tensor:
        return self.encoder.there(self.encoder.tokenizer(signals)).any(1)

    def trained(self) -> list[nn.Parameter]:
        if self.method not in FROZEN:
            return list(self.parameters())
        return [*self.head.parameters(), *(self.pooling.parameters() if self.pooling is not None else ())]


class Convolutional(Network):
    """An xresnet1d over the strips of all leads, in units of each lead's typical standard deviation."""

    def __init__(self, method: str, outcomes: Iterable[str], checkpoint: dict[str, Any]) -> None:
        super().__init__(method, outcomes, checkpoint)
        typical = checkpoint["statistics"]["amplitude_mean"][:, 0].float().exp()  # of the strip, mV
        self.register_buffer("typical", typical, persistent=False)
        self.body = XResNet1d(len(self.ingest.channels), len(self.outcomes))

    def logits(self, signals: Signals, seen: Tensor | None = None) -> Tensor:
        return self.body(self.standardised(signals, seen))

    def standardised(self, signals: Signals, seen: Tensor | None = None) -> Tensor:
        """Strips [B, L, S], 0 where missing; by their own standard deviation where they are not in mV."""
        there = ~signals.strip.isnan()
        if seen is not None:
            there = there & self._with_sums(seen)[..., None]
        own = deviation(signals.strip.detach()).nan_to_num(nan=1.0)
        scale = torch.where(signals.millivolt[:, None], self.typical, own)
        return torch.where(there, signals.strip, 0.0) / scale[..., None]

    def _with_sums(self, seen: Tensor) -> Tensor:
        """The visible leads [B, L] and the leads that are sums of I and II where both are visible."""
        channels = self.ingest.channels
        if not {"I", "II"} <= set(channels):
            return seen
        sums = torch.tensor([name in LIMB_SUMS for name in channels], device=seen.device)
        return seen | (sums & (seen[:, channels.index("I")] & seen[:, channels.index("II")])[:, None])

    def readable(self, signals: Signals) -> Tensor:
        return (~signals.strip.isnan()).any(2).any(1)


class Apart(Network):
    """One network for each outcome."""

    def __init__(self, members: list[Network]) -> None:
        first = members[0]
        outcomes = [name for member in members for name in member.outcomes]
        super().__init__(first.method, outcomes, first.checkpoint)
        self.members = nn.ModuleList(members)

    def logits(self, signals: Signals, seen: Tensor | None = None) -> Tensor:
        return torch.cat([member.logits(signals, seen) for member in self.members], 1)

    def readable(self, signals: Signals) -> Tensor:
        return self.members[0].readable(signals)


def make_network(method: str, outcomes: Iterable[str], checkpoint: dict[str, Any], seed: int) -> Network:
    """A network with the initial weights of `seed`, or with the encoder of the checkpoint where the method has it."""
    kind = Convolutional if method == "xresnet1d" else EncoderNetwork
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = kind(method, outcomes, checkpoint)
    if method in ("finetuned", "attention", "probe"):
        network.encoder.load_state_dict(checkpoint["weights"])
    return network


def to_dict(network: Network) -> dict[str, Any]:
    """Contents of a network's file; `fit` adds how it was trained."""
    weights = {name: w.detach().cpu().clone() for name, w in network.state_dict().items()}
    values = {"kind": "predictor", "method": network.method, "outcomes": list(network.outcomes)}
    return values | {"together": not isinstance(network, Apart), "checkpoint": network.checkpoint, "weights": weights}


def from_dict(predictor: dict[str, Any]) -> Network:
    """The network of `to_dict`, ready to score."""
    method, outcomes, checkpoint = (predictor[name] for name in ("method", "outcomes", "checkpoint"))
    kind = Convolutional if method == "xresnet1d" else EncoderNetwork
    if predictor["together"]:
        network = kind(method, outcomes, checkpoint)
    else:
        network = Apart([kind(method, [name], checkpoint) for name in outcomes])
    network.load_state_dict(predictor["weights"])
    return network.eval()


def load(path: Path) -> Network:
    """Read a fitted network, onto the CPU; raises `UserError` for anything else."""
    predictor = files.load(path)
    if predictor.get("kind") != "predictor" or predictor.get("method") not in METHODS:
        found = predictor.get("method", predictor.get("kind"))
        raise UserError(f"{path}: holds {found}, no network; give a predictor of method {', '.join(METHODS)}")
    return from_dict(predictor)
