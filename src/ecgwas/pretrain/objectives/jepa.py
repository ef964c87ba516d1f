"""Joint-embedding prediction: what the teacher makes of hidden tokens, from those seen (Assran et al. 2023)."""

import torch
from torch import Tensor, nn

from ecgwas import config
from ecgwas.pretrain.model import Encoder, Predictor, take, whole
from ecgwas.pretrain.objectives.base import Masked, Sums
from ecgwas.pretrain.tokens import Grid, Tokens


class Jepa(Masked):
    """Smooth L1 distance of predicted latents from those of the averaged encoder, which sees all leads and tokens.

    A student of few leads is thus taught what the teacher makes of all. Latents are normalised token by token.
    """

    def __init__(self, settings: config.Transformer, grid: Grid, encoder: Encoder) -> None:
        super().__init__(settings, grid, encoder)
        self.weights = {"loss_latent": 1.0}
        self.predictor, self.out = Predictor(settings), nn.Linear(settings.width, settings.width)

    def targets(self, teacher: Encoder, tokens: Tokens) -> Tensor:
        """Normalised latents of all tokens that are there: [B, N, D]."""
        latents = tokens.strip.new_zeros(*tokens.there.shape, self.settings.width)
        for rows, index in whole(tokens.there):
            x = teacher(tokens[rows], index)
            x = nn.functional.layer_norm(x.float(), x.shape[2:])
            place = index[..., None].expand_as(x)
            latents[rows] = latents[rows].scatter(1, place, x)
        return latents

    def errors(
        self,
        encoder: Encoder,
        x: Tensor,
        kept: Tensor,
        hidden: Tensor,
        weight: Tensor,
        lead: Tensor,
        targets: Tensor,
        rows: Tensor,
    ) -> Sums:
        """Sum over hidden tokens of the mean distance over the width, and their number."""
        predicted = self.out(self.predictor(encoder, x, kept, hidden, lead)).float()
        error = nn.functional.smooth_l1_loss(predicted, take(targets[rows], hidden), reduction="none").mean(2)
        return {"loss_latent": ((error * weight).sum(), torch.sum(weight))}
