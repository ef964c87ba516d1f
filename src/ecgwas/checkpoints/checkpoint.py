"""Checkpoint <-> file: a plain dictionary of tensors, numbers and text; equal contents give equal bytes."""

import io
from pathlib import Path
from typing import Any

import torch

from ecgwas.errors import UserError
from ecgwas.files import atomic


def save(checkpoint: dict[str, Any], path: Path) -> None:
    """Write a checkpoint atomically, through a buffer: torch.save would write the file's name into the file."""
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    with atomic(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint, or a released model (.safetensors), onto the CPU; code in the file is not executed."""
    if Path(path).suffix == ".safetensors":
        from ecgwas.checkpoints import released  # imports safetensors

        return released.load(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file may raise anything
        raise UserError(f"{path}: not a readable checkpoint ({type(error).__name__}); train the model again") from None
