"""Joint-embedding prediction: the teacher's latents of hidden tokens from visible ones (Assran et al. 2023)."""

import torch
from torch import Tensor, nn

from ecgwas import config
from ecgwas.encoder.sums import Sums
from ecgwas.encoder.tokens import Grid
from ecgwas.encoder.transformer import Encoder, Predictor, whole
from ecgwas.pretrain.objectives.base import Masked, View

CHUNK = 8  # recordings that the teacher encodes at once on a CPU, so that they stay in its cache


class Jepa(Masked):
    """Smooth L1 distance of predicted latents from those of the averaged encoder, which has all leads and tokens.

    A student of few leads thus learns the teacher's latents of all leads. Latents are normalised token by token.
    """

    def __init__(self, settings: config.Transformer, grid: Grid, encoder: Encoder) -> None:
        super().__init__(settings, grid, encoder)
        self.weights = {"loss_latent": 1.0}
        self.predictor, self.out = Predictor(settings), nn.Linear(settings.width, settings.width)

    def targets(self, teacher: Encoder, view: View) -> Tensor:
        """Normalised latents of the hidden tokens of each group: [B, most hidden, D]; padding is meaningless."""
        hidden = hidden_tokens(view)
        latents = view.teacher.strip.new_zeros(*hidden.shape, self.settings.width)
        chunk = CHUNK if hidden.device.type == "cpu" else len(hidden)
        for chosen, index in whole(view.teacher.there):
            for rows, kept in zip(chosen.split(chunk), index.contiguous().split(chunk), strict=True):
                asked = torch.searchsorted(kept, hidden[rows]).clamp(max=kept.shape[1] - 1)
                x = teacher(view.teacher[rows], kept, asked)
                latents[rows] = nn.functional.layer_norm(x.float(), x.shape[2:])
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
        error = nn.functional.smooth_l1_loss(predicted, targets[rows, : hidden.shape[1]], reduction="none").mean(2)
        return {"loss_latent": ((error * weight).sum(), torch.sum(weight))}


def hidden_tokens(view: View) -> Tensor:
    """Tokens to predict of every recording of a view, padded with zeros: int [B, most hidden]."""
    width = max([group.hidden.shape[1] for group in view.groups], default=1)
    hidden = torch.zeros(len(view.teacher.there), width, dtype=torch.int64)
    for group in view.groups:
        hidden[group.rows, : group.hidden.shape[1]] = torch.from_numpy(group.hidden)
    return hidden.to(view.teacher.there.device)
