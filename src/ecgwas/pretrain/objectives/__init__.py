"""What pretraining learns: objectives behind one interface, one file each."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecgwas import config
    from ecgwas.encoder.transformer import Encoder
    from ecgwas.pretrain.objectives.base import Objective

CLASSES = {"jepa": "Jepa", "mae": "Mae", "ecg_lfm": "EcgLfm"}


def make_objective(settings: "config.Transformer", encoder: "Encoder") -> "Objective":
    """The objective that the settings name, with weights of its own, to train this encoder."""
    module = importlib.import_module(f"ecgwas.pretrain.objectives.{settings.objective}")  # imports torch
    return getattr(module, CLASSES[settings.objective])(settings, encoder.grid, encoder)
