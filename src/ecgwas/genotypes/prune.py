"""blocks of genotypes in genome order -> the rows kept so that no two nearby ones are in LD: greedy, windowed."""

from collections.abc import Iterable

import numpy as np


def standardise(dosages: np.ndarray) -> np.ndarray:
    """Rows of [variant, sample] to mean 0 and length 1, missing at the mean; rows that do not vary become 0."""
    missing = np.isnan(dosages)
    called = np.maximum((~missing).sum(1, keepdims=True), 1)
    centred = dosages - np.where(missing, 0, dosages).sum(1, keepdims=True, dtype=np.float64) / called
    centred = np.where(missing, 0, centred).astype(np.float32)
    length = np.sqrt((centred.astype(np.float64) ** 2).sum(1, keepdims=True))
    return (centred / np.where(length > 0, length, np.inf)).astype(np.float32)


def _first_come(r2: np.ndarray, near: np.ndarray, allowed: np.ndarray, limit: float) -> np.ndarray:
    """Walk rows in order; keep a row unless a kept one before it is near and above `limit`."""
    keep = allowed.copy()
    conflict = (r2 > limit) & near
    for i in range(len(keep)):
        if keep[i]:
            keep[i + 1 :] &= ~conflict[i, i + 1 :]
    return keep


def prune(
    blocks: Iterable[np.ndarray], contig: np.ndarray, position: np.ndarray, limit: float, window_bp: int
) -> np.ndarray:
    """Rows kept (bool [variant]) such that r² <= `limit` between any two kept within `window_bp` on one contig.

    `blocks` yields dosages [variant, sample] one after the other in genome order. r² is the squared correlation of
    dosages, missing at the mean (Hail's ld_prune uses the same). First come, first kept: the result depends on
    genome order only, not on the size of the blocks.
    """
    keep = np.zeros(len(position), bool)
    held = np.empty((0, 0), np.float32)  # kept rows that the next block can still reach
    held_at = np.empty(0, np.int64)  # their row numbers
    start = 0
    for block in blocks:
        z = standardise(block)
        rows = np.arange(start, start + len(z))
        allowed = (z != 0).any(1)
        if held_at.size:
            near = (contig[held_at, None] == contig[rows]) & (position[rows] - position[held_at, None] <= window_bp)
            allowed &= ~(((held @ z.T) ** 2 > limit) & near).any(0)
        near = (contig[rows, None] == contig[rows]) & (np.abs(position[rows] - position[rows, None]) <= window_bp)
        kept = _first_come((z @ z.T) ** 2, near, allowed, limit)
        keep[rows] = kept
        held = np.concatenate([held, z[kept]]) if held_at.size else z[kept]
        held_at = np.concatenate([held_at, rows[kept]])
        reach = (contig[held_at] == contig[rows[-1]]) & (position[rows[-1]] - position[held_at] <= window_bp)
        held, held_at = held[reach], held_at[reach]
        start += len(z)
    return keep
