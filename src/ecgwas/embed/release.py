"""Checkpoint -> safetensors with its settings and preprocessing, and a model card."""

import json
from pathlib import Path
from typing import Any

import ecgwas
from ecgwas import config
from ecgwas.checkpoints import checkpoint as files
from ecgwas.checkpoints import released
from ecgwas.cli import run
from ecgwas.errors import UserError
from ecgwas.files import atomic

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
| leads it was trained on | {leads}; missing leads are allowed; III, aVR, aVL and aVF are sums of I and II |
| training recordings | {trained_on} |
| seed | {seed} |
| made by | ecgwas {version} |
| licence of the weights | {licence} |
| sha256 of the tensors | `{sha256}` |

Settings of the model: `{settings}`

Preprocessing, which `load` repeats (zero-phase filters, corners in Hz): `{ingest}`

**Limits.** Trained without labels; axes have no names. Device, site and filters of the recordings are in the signal and
therefore in the embedding. Not a medical device: not evaluated for diagnosis.
"""


def card(checkpoint: dict[str, Any], name: str, file: str, licence: str, sha256: str) -> str:
    """The model card, in the format of model hubs."""
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
    """Release a trained model: safetensors and a model card.

    Args:
        checkpoint: A trained model.
        name: Name of the model in the card.
        settings: The `release` block, as JSON.
        model: Written: model.safetensors.
        model_card: Written: README.md.
    """
    if not settings.licence:
        raise UserError("release.licence is not set; name the licence that the training recordings allow, as SPDX id")
    trained = files.load(checkpoint)
    sha256 = released.save(trained, model, settings.licence)
    with atomic(model_card) as temporary:
        temporary.write_text(card(trained, name, model.name, settings.licence, sha256))
    print(f"{model}: sha256 of the tensors {sha256}", flush=True)


if __name__ == "__main__":
    run(main)
