"""Masked autoencoding: the samples of hidden tokens from visible ones (He et al. 2022)."""

import torch
from torch import Tensor, nn

from ecgwas import config
from ecgwas.encoder.sums import Sums
from ecgwas.encoder.tokens import Grid, Tokens
from ecgwas.encoder.transformer import Encoder, Predictor, take
from ecgwas.pretrain.objectives.base import Masked, View


class Mae(Masked):
    """Mean squared error of the samples of hidden tokens, separately by view."""

    def __init__(self, settings: config.Transformer, grid: Grid, encoder: Encoder) -> None:
        super().__init__(settings, grid, encoder)
        self.weights = {"loss_strip": 0.25, "loss_beat": 0.25}
        self.predictor = Predictor(settings)
        self.strip_out = nn.Linear(settings.width, grid.strip_patch)
        self.beat_out = nn.Linear(settings.width, grid.beat_patch)

    def targets(self, teacher: Encoder, view: View) -> Tokens:
        """The tokens themselves, without noise."""
        return view.teacher

    def errors(
        self,
        encoder: Encoder,
        x: Tensor,
        kept: Tensor,
        hidden: Tensor,
        weight: Tensor,
        lead: Tensor,
        targets: Tokens,
        rows: Tensor,
    ) -> Sums:
        """Sums of mean squared errors over the samples of a token, and the number of tokens."""
        n = self.grid.n_strip
        y = self.predictor(encoder, x, kept, hidden, lead)
        places = {"loss_strip": hidden.clamp(max=n - 1), "loss_beat": (hidden - n).clamp(0, self.grid.n_beat - 1)}
        views = {"loss_strip": weight * (hidden < n), "loss_beat": weight * (hidden >= n)}
        found = {"loss_strip": (self.strip_out(y), targets.strip), "loss_beat": (self.beat_out(y), targets.beat)}
        parts = {}
        for name, (predicted, patches) in found.items():
            error = (predicted.float() - take(patches[rows], places[name])).square().mean(2)
            parts[name] = (error * views[name]).sum(), torch.sum(views[name])
        return parts
