"""What pretraining learns: objectives behind one interface, one file each."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecgwas import config
    from ecgwas.pretrain.objectives.base import Objective
    from ecgwas.pretrain.tokens import Grid

CLASSES = {"jepa": "Jepa", "mae": "Mae", "ecg_lfm": "EcgLfm"}


def make_objective(settings: "config.Transformer", grid: "Grid") -> "Objective":
    """The objective that the settings name, with weights of its own."""
    module = importlib.import_module(f"ecgwas.pretrain.objectives.{settings.objective}")  # imports torch
    return getattr(module, CLASSES[settings.objective])(settings, grid)
