"""Checkpoint -> safetensors with all that is needed to use it, and a model card."""

import hashlib
import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

import ecgwas
from ecgwas import config
from ecgwas.checkpoints import checkpoint as files
from ecgwas.cli import run
from ecgwas.errors import UserError
from ecgwas.files import atomic

GROUPS = ("weights", "statistics", "readout")  # of tensors; everything else of a checkpoint is numbers and text

CARD = """---
license: {licence}
library_name: ecgwas
tags: [electrocardiogram, self-supervised, {kind}]
---
# {name}

Embeds an electrocardiogram of any length, sampling rate and set of leads:

```python
from ecgwas.embed import load
z = load("{file}").embed(signal, rate_hz=500, leads=["I", "II", "V1"], unit="mV")  # signal [lead, sample] -> [{width}]
```

| | |
|---|---|
| kind | {kind}, {weights:,} numbers |
| embedding | {width} |
| leads it was trained on | {leads}; absent ones are left out, III, aVR, aVL and aVF are sums of I and II |
| training recordings | {trained_on} |
| seed | {seed} |
| made by | ecgwas {version} |
| licence of the weights | {licence} |
| sha256 of the tensors | `{sha256}` |

Settings of the model: `{settings}`

Preprocessing, which `load` repeats (zero-phase filters, corners in Hz): `{ingest}`

**Limits.** Trained without labels; axes have no names. Device, site and filters of the recordings are in the signal and
therefore in the embedding. Not a medical device: nothing here was tested for diagnosis.
"""


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


def card(checkpoint: dict[str, Any], name: str, file: str, licence: str, sha256: str) -> str:
    """The model card, in the form that model hubs read."""
    settings = checkpoint["settings"]
    return CARD.format(
        name=name,
        file=file,
        licence=licence,
        sha256=sha256,
        kind=checkpoint["kind"],
        weights=sum(x.numel() for x in checkpoint["weights"].values()),
        width=settings.get("embedding") or settings["components"],
        leads=", ".join(checkpoint["leads"]),
        trained_on=checkpoint["recordings"],
        seed=checkpoint["seed"],
        version=ecgwas.__version__,
        settings=json.dumps(settings),
        ingest=json.dumps({k: v for k, v in checkpoint["ingest"].items() if k not in ("shards", "channels")}),
    )


def main(checkpoint: Path, name: str, settings: config.Release, model: Path, model_card: Path) -> None:
    """Write a trained model for others.

    Args:
        checkpoint: A trained model.
        name: What the card calls it.
        settings: The `release` block, as JSON.
        model: Written: model.safetensors.
        model_card: Written: README.md.
    """
    if not settings.licence:
        raise UserError("release.licence is not set; name the licence that the training recordings allow, as SPDX id")
    trained = files.load(checkpoint)
    sha256 = save(trained, model, settings.licence)
    with atomic(model_card) as temporary:
        temporary.write_text(card(trained, name, model.name, settings.licence, sha256))
    print(f"{model}: sha256 of the tensors {sha256}", flush=True)


if __name__ == "__main__":
    run(main)
