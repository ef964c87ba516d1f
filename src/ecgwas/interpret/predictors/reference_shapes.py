"""Recordings -> the mean shape of each segment in each lead, and a recording with these shapes.

A shape is the deviation of a segment from the line between its ends, over its length scaled to 1: a recording whose
shapes are replaced keeps its rhythm, intervals and levels, and is still a plausible electrocardiogram.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch

from ecgwas.encoder.tokens import Signals
from ecgwas.interpret.predictors.segments import SEGMENTS, Layout

POINTS = 64  # of a shape


def runs(labels: np.ndarray) -> list[tuple[int, int, int]]:
    """Segments that lie entirely in a view: (number in SEGMENTS, first sample, last sample + 1)."""
    edges = np.flatnonzero(np.diff(labels)) + 1
    return [(int(labels[a]), int(a), int(b)) for a, b in pairwise(edges) if labels[a] >= 0]


def line(x: np.ndarray, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """The line of x [L, samples] between the neighbours of start to stop [L, n], and places 0 to 1 on it."""
    at = np.arange(1, stop - start + 1) / (stop - start + 1)
    return x[:, start - 1, None] * (1 - at) + x[:, stop, None] * at, at


def shapes(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean shape of each segment over the beats of x [L, samples], [G, L, POINTS]; NaN where there is none."""
    grid, found = np.linspace(0, 1, POINTS), [[] for _ in SEGMENTS]
    for k, start, stop in runs(labels):
        level, at = line(x, start, stop)
        rest = x[:, start:stop] - level
        ends = np.concatenate([[0.0], at, [1.0]])
        found[k].append([np.interp(grid, ends, np.concatenate([[0.0], row, [0.0]])) for row in rest])
    none = np.full((len(x), POINTS), np.nan)
    return np.stack([np.mean(each, 0) if each else none for each in found])


def with_shapes(x: np.ndarray, labels: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """x [L, samples] with every whole segment in the shape `usual` [G, L, POINTS]; unchanged where that is NaN."""
    grid, out = np.linspace(0, 1, POINTS), x.copy()
    for k, start, stop in runs(labels):
        level, at = line(x, start, stop)
        made = level + np.stack([np.interp(at, grid, row) for row in usual[k]])
        out[:, start:stop] = np.where(np.isfinite(made), made, x[:, start:stop])
    return out


def usual(signals: Signals, found: Layout, shape: np.ndarray) -> Signals:
    """One recording, signals [1, …], with the shapes [G, L, POINTS] in both views."""
    views = {"strip": (signals.strip, found.strip), "beat": (signals.beat, found.beat)}
    made = {
        name: torch.from_numpy(with_shapes(x[0].cpu().numpy(), labels, shape)).to(x)[None]
        for name, (x, labels) in views.items()
    }
    return replace(signals, **made)


def mean_shapes(each: list[np.ndarray]) -> np.ndarray:
    """Mean of shapes [G, L, POINTS] over recordings, NaN where none has the segment and lead."""
    stack = np.stack(each)
    n = np.isfinite(stack).sum(0)
    return np.where(n > 0, np.nansum(stack, 0) / np.maximum(n, 1), np.nan)
