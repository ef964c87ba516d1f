"""Encoder and signals -> mean, SD and number of the windows of each recording, one batch of windows in memory."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ecgwas.signals import data

Encode = Callable[[data.Batch], np.ndarray]  # batch -> [recording, width], NaN rows where it cannot be embedded


class Summary(NamedTuple):
    """Mean and spread of the embeddings over a recording's windows; a short recording is one window."""

    mean: np.ndarray  # float32 [recording, width], NaN where no window could be embedded
    sd: np.ndarray  # float32 [recording, width] with n - 1 degrees of freedom, NaN with fewer than two windows
    count: np.ndarray  # int32 [recording] windows that could be embedded


def every_window(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Position of the recording and own number of each window, from the number of windows of each recording."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


def of_rows(encode: Encode, signals: data.Signals, rows: np.ndarray, batch: int) -> Summary:
    """The summary of the recordings at these rows, their windows encoded `batch` at a time.

    Sums run in float64 and in the order of the windows, so that where a batch ends does not matter.
    """
    owner, number = every_window(signals.windows(rows))
    count = np.zeros(len(rows), dtype=np.int32)
    total = square = None
    for first in range(0, len(owner), batch):
        whose, which = owner[first : first + batch], number[first : first + batch]
        z = encode(signals.read(rows[whose], which)).astype(np.float64)
        if total is None:
            total, square = (np.zeros((len(rows), z.shape[1])) for _ in range(2))
        there = ~np.isnan(z).any(axis=1)
        np.add.at(count, whose[there], 1)
        np.add.at(total, whose[there], z[there])
        np.add.at(square, whose[there], z[there] ** 2)
    return Summary(*moments(count, total, square), count)


def moments(count: np.ndarray, total: np.ndarray, square: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and SD, float32 [recording, width], from numbers [recording], sums and sums of squares of windows."""
    n = count[:, None].astype(np.float64)
    mean = np.divide(total, n, out=np.full_like(total, np.nan), where=n > 0)
    spread = np.maximum(square - n * mean**2, 0)
    variance = np.divide(spread, n - 1, out=np.full_like(total, np.nan), where=n > 1)
    return mean.astype(np.float32), np.sqrt(variance).astype(np.float32)


def summarise(encode: Encode, signals: data.Signals, batch: int) -> Summary:
    """The summary of all recordings in the order of their table."""
    parts = []
    for start in range(0, len(signals), batch):
        rows = np.arange(start, min(start + batch, len(signals)))
        parts.append(of_rows(encode, signals, rows, batch))
        if start // batch % 100 == 0:
            print(f"{rows[-1] + 1} of {len(signals)} recordings", flush=True)
    return Summary(*(np.concatenate(x) for x in zip(*parts, strict=True)))
