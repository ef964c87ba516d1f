"""Sizes of a step -> floating-point operations it executes, and the rate at which this device multiplies matrices.

Matrix products alone, 2·m·k·n each, of the tokens processed: visible tokens forward and backward (three products for
one, two where the input takes no gradient), the teacher forward. Recomputation of attention in the backward pass is not
counted, nor are the terms that compare recordings. Letters as in `model.py`; n tokens of a recording.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import torch
from torch import nn

from ecgwas.encoder.tokens import Grid
from ecgwas.encoder.transformer import Encoder
from ecgwas.pretrain.objectives.base import View

if TYPE_CHECKING:
    from ecgwas.pretrain.losses import Learner

PROBE_S = 0.2


def of_step(learner: "Learner", view: View) -> float:
    """Operations of a step on the recordings of a view; NaN for objectives other than `jepa` and `mae`."""
    settings, grid = learner.settings, learner.encoder.grid
    if settings.objective not in ("jepa", "mae"):
        return float("nan")
    n = len(view.student.there)
    total = 0.0
    for group in view.groups:
        b, kept, hidden = len(group.rows), group.kept.shape[1], group.hidden.shape[1]
        total += b * (2 * entry(grid, settings.width) + 3 * settings.depth * block(settings.width, kept, kept))
        total += b * (head(learner.encoder, kept) + 3 * prediction(learner, kept, hidden))
    if settings.objective == "jepa":
        total += teacher(learner, view)
    return total + (3 * n * linear(*maps_of(learner.readout)) if learner.readout is not None else 0.0)


def linear(*shapes: tuple[int, int]) -> int:
    """One row through linear maps (in, out)."""
    return sum(2 * a * b for a, b in shapes)


def maps_of(module: nn.Module) -> list[tuple[int, int]]:
    """Shapes of the linear maps in a module."""
    return [(m.in_features, m.out_features) for m in module.modules() if isinstance(m, nn.Linear)]


def entry(grid: Grid, width: int) -> int:
    """Patches, sizes with their gates, and rate of one recording, of all leads."""
    sizes, rate = 2 * grid.leads * linear((2, width)), linear((1, width))
    return (grid.n_strip * grid.strip_patch + grid.n_beat * grid.beat_patch) * 2 * width + sizes + rate


def block(width: int, queries: int, keys: int) -> int:
    """One block of one recording: `queries` tokens that attend to `keys`."""
    per_query, per_key = linear((width, width), (width, width), (width, 8 * width)), linear((width, 2 * width))
    return queries * per_query + keys * per_key + 4 * queries * keys * width


def head(encoder: Encoder, kept: int) -> int:
    """The embedding head of one recording, forward and backward; no gradient for the assignment of tokens to leads."""
    maps = sum(2 * w.numel() for w in encoder.head.maps.values())
    rank = next((shape[1] for shape in maps_of(encoder.head)), encoder.norm.normalized_shape[0])
    narrow = kept * linear(*maps_of(encoder.head))
    return 3 * (narrow + maps) + 2 * 4 * (encoder.grid.leads + 1) * kept * rank


def prediction(learner: "Learner", kept: int, hidden: int) -> int:
    """The predictor and its output maps, of one recording."""
    settings, objective = learner.settings, learner.objective
    outs = [(m.in_features, m.out_features) for m in objective.children() if isinstance(m, nn.Linear)]
    return settings.decoder_depth * block(settings.width, hidden, kept) + hidden * linear(*outs)


def teacher(learner: "Learner", view: View) -> float:
    """The averaged encoder: all present tokens, in the last block only those requested."""
    settings = learner.settings
    hidden = max([group.hidden.shape[1] for group in view.groups], default=1)
    return float(
        sum(
            entry(learner.encoder.grid, settings.width)
            + (settings.depth - 1) * block(settings.width, n, n)
            + block(settings.width, hidden, n)
            for n in view.teacher.there.sum(1).tolist()
            if n
        )
    )


def peak(device: torch.device, pool: ThreadPoolExecutor, threads: int) -> float:
    """Operations a second of large matrix products in the precision of training, `threads` at once."""
    n, dtype = (4096, torch.bfloat16) if device.type == "cuda" else (512, torch.float32)
    x = torch.ones(n, n, device=device, dtype=dtype)

    def best(_: int) -> float:
        rate, end = 0.0, time.monotonic() + PROBE_S
        while time.monotonic() < end:
            began = time.monotonic()
            for _ in range(4):
                x @ x
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            rate = max(rate, 8 * n**3 / (time.monotonic() - began))
        return rate

    return sum(pool.map(best, range(threads)))
