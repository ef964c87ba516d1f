"""History of a training run -> loss against step, as SVG."""

import numpy as np
import polars as pl

from ecgwas.report.figures import svg


def loss(history: pl.DataFrame) -> str:
    """Loss against training step: every recorded step light, a running mean strong."""
    names = [name for name in history.columns if "loss" in name and history[name].dtype.is_numeric()]
    clean = history.filter(pl.col(names[0]).is_finite()) if names else history.clear()
    if not names or clean.is_empty():
        return ""
    step = clean["step"].to_numpy().astype(float)
    values = np.concatenate([clean[name].drop_nulls().to_numpy() for name in names])
    x = svg.Scale(0, max(float(step.max()), 1.0), 70, 840)
    y = _padded(values[np.isfinite(values)], 220, 16)
    parts = [svg.y_axis(y, 70, 840, "loss"), svg.x_axis(x, 220, "training step")]
    for i, name in enumerate(names):
        column = clean[name].cast(pl.Float64).to_numpy()
        seen = np.isfinite(column)
        parts.append(svg.path(x(step[seen]), y(column[seen]), f"curve faint c{i % 4}"))
        parts.append(svg.path(x(step[seen]), y(_running_mean(column[seen])), f"curve c{i % 4}"))
        if len(names) > 1:
            parts.append(svg.text(836, 24 + 18 * i, name.replace("_", " "), f"tick key c{i % 4}", text_anchor="end"))
    return svg.figure(860, 268, parts, "Training loss against step")


def _padded(values: np.ndarray, bottom: float, top: float) -> svg.Scale:
    low, high = float(values.min()), float(values.max())
    room = 0.05 * (high - low) or 0.5
    return svg.Scale(low - room, high + room, bottom, top)


def _running_mean(values: np.ndarray) -> np.ndarray:
    """Mean over 1/20 of the curve, shorter at its ends."""
    half = max(1, len(values) // 40)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    low, high = np.maximum(np.arange(len(values)) - half, 0), np.minimum(np.arange(len(values)) + half + 1, len(values))
    return (sums[high] - sums[low]) / (high - low)
