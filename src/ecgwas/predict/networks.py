"""Signals -> logits of the outcomes: the pipeline's encoder and a head, or a convolutional network; as a file too.

Letters of the shapes as in `pretrain/tokens.py`; O outcomes.
"""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ecgwas import config
from ecgwas.errors import UserError
from ecgwas.predict.linear import Linear
from ecgwas.predict.xresnet import XResNet1d
from ecgwas.pretrain import checkpoint as files
from ecgwas.pretrain.encoders import make_encoder
from ecgwas.pretrain.model import whole
from ecgwas.pretrain.tokens import Signals, Tokens, make_grid

HEADS = {"attention": "attention"}  # of methods; the others read the embedding
NEW_WEIGHTS = ("random", "supervised")  # methods whose encoder does not start from the trained one


class LinearHead(nn.Module):
    """A linear map of the encoder's embedding."""

    def __init__(self, encoder: nn.Module, embedding: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(embedding, outputs)

    def forward(self, encoder: nn.Module, x: Tensor, kept: Tensor, tokens: Tokens) -> Tensor:
        """Encoded tokens x [B, K, D] at `kept` [B, K] -> logits [B, O]."""
        return self.linear(encoder.embed(x, kept, tokens.lead))

    def set(self, found: Linear) -> None:
        """Take the weights of a regression on embeddings; an outcome without one keeps its logit at 0."""
        weight, bias = (torch.from_numpy(a).float().nan_to_num() for a in (found.weight, found.bias))
        with torch.no_grad():
            self.linear.weight.copy_(weight)
            self.linear.bias.copy_(bias)


class AttentionHead(nn.Module):
    """A query for each outcome that weighs the encoder's tokens (multiple-instance attention, Ilse et al. 2018)."""

    def __init__(self, encoder: nn.Module, embedding: int, outputs: int) -> None:
        super().__init__()
        width = encoder.feature_width
        self.norm = nn.LayerNorm(width)
        self.query = nn.Parameter(torch.randn(outputs, width) / math.sqrt(width))
        self.value = nn.Parameter(torch.zeros(outputs, width))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, encoder: nn.Module, x: Tensor, kept: Tensor, tokens: Tokens) -> Tensor:
        """Encoded tokens x [B, K, D] -> logits [B, O]."""
        y = self.norm(x)
        weights = (y @ self.query.T).softmax(1)  # [B, K, O]
        return torch.einsum("bko,bkd,od->bo", weights, y, self.value) + self.bias


class Network(nn.Module):
    """The pipeline's encoder and a head."""

    def __init__(self, encoder: nn.Module, head: nn.Module, outputs: int) -> None:
        super().__init__()
        self.encoder, self.head, self.outputs = encoder, head, outputs

    def logits(self, signals: Signals, seen: Tensor | None = None) -> Tensor:
        """[B, O], differentiable in strip and beat; NaN for a recording of which there is nothing to see.

        seen: leads that may be used, bool [B, L]; by default all but sums of others.
        """
        return self.of_tokens(self.encoder.tokenizer(signals, seen))

    def of_tokens(self, tokens: Tokens) -> Tensor:
        """Logits [B, O] of tokens; recordings with as many tokens go together."""
        parts, places = [], []
        for rows, index in whole(self.encoder.there(tokens)):
            chosen = tokens[rows]
            parts.append(self.head(self.encoder, self.encoder(chosen, index), index, chosen))
            places.append(rows)
        out = tokens.rate.new_full((len(tokens.rate), self.outputs), torch.nan)
        return out.index_copy(0, torch.cat(places), torch.cat(parts)) if parts else out

    forward = logits


class Several(nn.Module):
    """Networks of one outcome each, side by side."""

    def __init__(self, networks: list[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def logits(self, signals: Signals, seen: Tensor | None = None) -> Tensor:
        """[B, O]."""
        return torch.cat([network.logits(signals, seen) for network in self.networks], 1)

    forward = logits


def make(method: str, encoder: dict[str, Any], outputs: int, seed: int) -> nn.Module:
    """The network of a method before training: `encoder` is the checkpoint of a pretrained model.

    Weights that are not the checkpoint's depend on the seed alone.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if method == "xresnet1d":
            return XResNet1d(outputs)
        settings, ingest = config.Transformer(**encoder["settings"]), config.Ingest(**encoder["ingest"])
        body = make_encoder(settings, make_grid(settings, ingest), encoder["statistics"])
        if method not in NEW_WEIGHTS and "weights" in encoder:
            body.load_state_dict(encoder["weights"])
        head = AttentionHead if method == "attention" else LinearHead
        return Network(body, head(body, settings.embedding, outputs), outputs)


def from_dict(predictor: dict[str, Any]) -> nn.Module:
    """The network of a predictor's file, ready to score."""
    bare = {name: value for name, value in predictor["checkpoint"].items() if name != "weights"}
    networks = []
    for part in predictor["parts"]:
        network = make(predictor["method"], bare, len(part["outcomes"]), 0)
        network.load_state_dict(part["weights"])
        networks.append(network)
    return (networks[0] if len(networks) == 1 else Several(networks)).eval()


def load(path: Path) -> nn.Module:
    """The network in a file of `ecgwas.predict.fit`: `logits(signals)` gives [B, outcomes]."""
    predictor = files.load(path)
    if predictor.get("kind") != "predictor" or "parts" not in predictor:
        raise UserError(
            f"{path}: no network of ecgwas.predict.fit; give predict/<model>/<method>.pt of a network method"
        )
    return from_dict(predictor)
