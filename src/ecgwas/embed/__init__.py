"""Encoder and signals -> one embedding per recording."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecgwas.embed.embedder import Embedder

__all__ = ["load"]


def load(checkpoint: str | Path) -> "Embedder":
    """A trained model, to embed arrays with: `load("checkpoint.pt").embed(signal, rate_hz=500, leads=["I", "II"])`."""
    from ecgwas.embed.embedder import Embedder  # imports torch

    return Embedder(Path(checkpoint))
