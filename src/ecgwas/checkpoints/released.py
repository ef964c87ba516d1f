"""Checkpoint <-> safetensors: tensors, the rest of the checkpoint in the header, and a checksum of the tensors."""

import hashlib
import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

import ecgwas
from ecgwas.errors import UserError
from ecgwas.files import atomic

GROUPS = ("weights", "statistics", "readout")  # of tensors; everything else of a checkpoint is numbers and text


def tensors_of(checkpoint: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint as group/name."""
    return {f"{g}/{name}": x.contiguous() for g in GROUPS for name, x in sorted(checkpoint.get(g, {}).items())}


def checksum(tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 of names, types, shapes and numbers."""
    digest = hashlib.sha256()
    for name, x in sorted(tensors.items()):
        digest.update(f"{name} {x.dtype} {list(x.shape)} ".encode())
        digest.update(x.numpy().tobytes())
    return digest.hexdigest()


def save(checkpoint: dict[str, Any], path: Path, licence: str) -> str:
    """Write safetensors whose header holds the rest of the checkpoint; returns the checksum of its tensors."""
    tensors = tensors_of(checkpoint)
    sha256 = checksum(tensors)
    rest = {name: value for name, value in checkpoint.items() if name not in GROUPS}
    about = {"ecgwas": ecgwas.__version__, "licence": licence, "sha256": sha256}
    with atomic(path) as temporary:
        safetensors.torch.save_file(tensors, temporary, about | {"checkpoint": json.dumps(rest, sort_keys=True)})
    return sha256


def load(path: Path) -> dict[str, Any]:
    """The checkpoint in a file of `save`; raises `UserError` where it is damaged or another program's."""
    try:
        with safetensors.safe_open(path, "pt") as file:
            about, tensors = file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise UserError(f"{path}: not a readable safetensors file ({error}); fetch it again") from None
    if "checkpoint" not in about:
        raise UserError(f"{path}: not written by ecgwas, its header has no checkpoint; give a model released by ecgwas")
    if checksum(tensors) != about["sha256"]:
        raise UserError(f"{path}: its tensors do not have the sha256 {about['sha256']} it states; fetch it again")
    groups = {g: {n.removeprefix(f"{g}/"): x for n, x in tensors.items() if n.startswith(f"{g}/")} for g in GROUPS}
    return json.loads(about["checkpoint"]) | {g: named for g, named in groups.items() if named}
