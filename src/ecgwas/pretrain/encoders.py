"""Settings -> encoder, by its backbone."""

from torch import Tensor, nn

from ecgwas import config
from ecgwas.pretrain.model import Encoder
from ecgwas.pretrain.tokens import Grid


def make_encoder(settings: config.Transformer, grid: Grid, statistics: dict[str, Tensor]) -> nn.Module:
    """An encoder with random weights."""
    if settings.backbone == "conformer":
        from ecgwas.pretrain.conformer import Conformer

        return Conformer(settings, grid, statistics)
    return Encoder(settings, grid, statistics)
