"""The objective of ECG-LFM: w2v-BERT (Chung et al. 2021) with random leads and the contrast of people.

A quantiser (Baevski et al. 2020, section 2) gives every token a code. Hidden tokens are replaced by a learned vector;
after the first quarter of the blocks they are to be told apart from others by their codes' vectors, after the last one
their codes are to be named. The same-person contrast is of all objectives (`pooled.py`). Letters as in `spans.py`; V
codes, F and D width of features and tokens, C width of the contrast.
"""

import dataclasses

import numpy as np
import torch
from torch import Tensor, nn

from ecgwas import config
from ecgwas.encoder import spans
from ecgwas.encoder.sums import Sums, add
from ecgwas.encoder.tokens import Grid, Tokens
from ecgwas.encoder.transformer import Encoder, take, whole
from ecgwas.pretrain.objectives.base import Objective, View

TEMPERATURE = 0.1  # of the contrast
ANNEALING = (2.0, 0.1, 0.999995)  # temperature of the codes at first, at last, and its factor a step


class Quantiser(nn.Module):
    """Features -> one of V codes, by a Gumbel softmax with straight-through gradient (Jang et al. 2017)."""

    def __init__(self, features: int, codes: int, width: int) -> None:
        super().__init__()
        self.logits, self.codes = nn.Linear(features, codes), nn.Parameter(torch.rand(codes, width))
        nn.init.normal_(self.logits.weight)
        nn.init.zeros_(self.logits.bias)

    def forward(self, features: Tensor, noise: Tensor, temperature: float) -> tuple[Tensor, Tensor, Tensor]:
        """Features [b, H, F], Gumbel noise [b, H, V] -> vectors [b, H, D], codes [b, H], probabilities [b, H, V]."""
        logits = self.logits(nn.functional.layer_norm(features.float(), features.shape[2:])).float()
        soft = ((logits + noise) / temperature).softmax(2)
        code = soft.argmax(2)
        hard = nn.functional.one_hot(code, soft.shape[2]).to(soft.dtype) + soft - soft.detach()
        return hard.to(self.codes.dtype) @ self.codes, code, logits.softmax(2)


class EcgLfm(Objective):
    """Contrast and masked codes, each recording by itself; the diversity of codes is of the whole batch."""

    draws_groups = False

    def __init__(self, settings: config.Transformer, grid: Grid, encoder: Encoder) -> None:
        super().__init__(settings, grid, encoder)
        self.weights = {"loss_contrast": 1.0, "loss_code": 1.0, "loss_feature": 10.0, "loss_diversity": 0.1}
        width, contrast = settings.width, 3 * settings.width // 4  # 768 of 1,024
        self.mask_token = nn.Parameter(torch.rand(width))
        self.quantiser = Quantiser(encoder.feature_width, settings.codes, width)
        self.of_code, self.of_token = nn.Linear(width, contrast), nn.Linear(width, contrast)
        self.name_code = nn.Linear(width, settings.codes)

    def forward(self, encoder: Encoder, teacher: Encoder, view: View) -> tuple[Sums, Tensor, Tensor]:
        """See `Objective`; the values for `pooled` are sums of code probabilities [B, V]."""
        rngs = spans.generators(view.key, view.slots)
        tokens = self.shown(encoder, view.student, rngs)
        z, usage = encoder.embed_nothing(len(rngs)), tokens.strip.new_zeros(len(rngs), self.settings.codes)
        sums: Sums = {}
        for rows, index in whole(encoder.there(tokens)):
            chosen = [rngs[row] for row in rows.tolist()]
            more, found, used = self.group(encoder, tokens[rows], index, chosen, view.key[1])
            z, usage = z.index_copy(0, rows, found.float()), usage.index_copy(0, rows, used)
            add(sums, more)
        return sums, z, usage

    def shown(self, encoder: Encoder, tokens: Tokens, rngs: list[np.random.Generator]) -> Tokens:
        """The tokens after hiding leads and, where the encoder reads both, a view."""
        drop_view = self.settings.drop_view if len(encoder.places()[2]) > 1 else 0.0
        lead, view, there = self.grid.lead(), self.grid.view(), tokens.there.cpu().numpy()
        rows = [spans.see(x, lead, view, drop_view, rng) for x, rng in zip(there, rngs, strict=True)]
        return dataclasses.replace(tokens, there=torch.from_numpy(np.stack(rows)).to(tokens.there.device))

    def group(
        self, encoder: Encoder, tokens: Tokens, index: Tensor, rngs: list[np.random.Generator], step: int
    ) -> tuple[Sums, Tensor, Tensor]:
        """Sums, embeddings [b, E] and code usage [b, V] of recordings that have as many tokens, at `index` [b, K]."""
        view, place, lengths_s = encoder.places()
        at = index.cpu().numpy()
        drawn = spans.draw(view[at], place[at], lengths_s, self.settings.mask, rngs)
        hidden, weight, negatives = (torch.from_numpy(x).to(index.device) for x in dataclasses.astuple(drawn))
        features = encoder.features(tokens)
        vectors, code, probabilities = self.quantise(take(take(features, index), hidden), rngs, weight, step)
        x = self.masked(encoder.project(features), index.gather(1, hidden), weight)
        layers = encoder.layers(tokens, index, x)
        early, last = take(layers[max(1, len(layers) // 4) - 1], hidden), encoder.norm(layers[-1])
        penalty = take(features, index).float().square().mean(2)
        n = torch.sum(weight)
        sums = {
            "loss_contrast": self.contrast(self.of_token(early), self.of_code(vectors), code, negatives, weight),
            "loss_code": ((nll(self.name_code(take(last, hidden)), code) * weight).sum(), n),
            "loss_feature": (penalty.sum(), n.new_tensor(penalty.numel())),
        }
        return sums, encoder.embed(last, index, tokens.lead), (probabilities * weight[..., None]).sum(1)

    def quantise(
        self, features: Tensor, rngs: list[np.random.Generator], weight: Tensor, step: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Vectors, codes and probabilities of hidden features [b, H, F], with each recording's own noise."""
        noise = np.zeros((*weight.shape, self.settings.codes), np.float32)
        for k, (rng, n) in enumerate(zip(rngs, weight.sum(1).int().tolist(), strict=True)):
            noise[k, :n] = rng.gumbel(size=(n, self.settings.codes))
        return self.quantiser(features, torch.from_numpy(noise).to(features.device), temperature(step))

    def masked(self, x: Tensor, hidden: Tensor, weight: Tensor) -> Tensor:
        """x [b, N, D] with the learned vector at `hidden` [b, H], where their weight is not 0."""
        beyond = torch.where(weight > 0, hidden, x.shape[1])
        mask = torch.zeros(len(x), x.shape[1] + 1, dtype=torch.bool, device=x.device).scatter(1, beyond, True)
        return torch.where(mask[:, :-1, None], self.mask_token.to(x.dtype), x)

    @staticmethod
    def contrast(
        token: Tensor, target: Tensor, code: Tensor, negatives: Tensor, weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Sum of -log of a target's share of exp(cosine / 0.1) among it and its negatives (Baevski et al. 2020, eq. 3).

        token, target [b, H, C]; code [b, H]; negatives [b, H, n]: places among the H. Negatives of the same code are
        ignored; a recording with one hidden token has no negatives and contributes nothing.
        """
        unit, of = (nn.functional.normalize(x.float(), dim=2) for x in (token, target))
        likeness = unit @ of.transpose(1, 2) / TEMPERATURE  # [b, H, H]
        same = code[:, :, None] == code.gather(1, negatives.flatten(1)).view_as(negatives)
        others = likeness.gather(2, negatives).masked_fill(same, -torch.inf)
        own = likeness.diagonal(dim1=1, dim2=2)
        weight = weight * (weight.sum(1, keepdim=True) > 1)
        share = torch.cat([own[..., None], others], 2).logsumexp(2) - own
        return (share * weight).sum(), torch.sum(weight)

    def pooled(self, usage: Tensor) -> dict[str, Tensor]:
        """(V - exp(entropy of the mean code probabilities)) / V (Dieleman et al. 2018; as fairseq has it)."""
        p = usage.sum(0) / usage.sum().clamp(min=1)
        entropy = -(p * (p + 1e-7).log()).sum()
        return {"loss_diversity": (len(p) - entropy.exp()) / len(p)}


def temperature(step: int) -> float:
    """Temperature of the codes at a step."""
    first, last, factor = ANNEALING
    return max(last, first * factor**step)


def nll(logits: Tensor, code: Tensor) -> Tensor:
    """-log of the probability of `code` [b, H] by `logits` [b, H, V]: [b, H]."""
    logits = logits.float()
    return logits.logsumexp(2) - logits.gather(2, code[..., None])[..., 0]
