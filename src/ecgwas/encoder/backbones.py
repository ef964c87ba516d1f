"""Settings -> encoder, by its backbone."""

from torch import Tensor, nn

from ecgwas import config
from ecgwas.encoder.tokens import Grid
from ecgwas.encoder.transformer import Encoder


def make_encoder(settings: config.Transformer, grid: Grid, statistics: dict[str, Tensor]) -> nn.Module:
    """An encoder with random weights."""
    if settings.backbone == "conformer":
        from ecgwas.encoder.conformer import Conformer

        return Conformer(settings, grid, statistics)
    return Encoder(settings, grid, statistics)
