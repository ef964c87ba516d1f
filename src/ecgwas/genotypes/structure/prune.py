"""blocks of genotypes in genome order -> the rows kept so that no two nearby ones are in LD: greedy, windowed."""

from collections.abc import Iterable

import numpy as np

STEP = 64  # rows compared at once: all with all, though few pairs of a sparse array lie within the window


def standardise(dosages: np.ndarray) -> np.ndarray:
    """Rows of [variant, sample] to mean 0 and length 1, missing at the mean; rows that do not vary become 0."""
    z = np.array(dosages, np.float32)
    missing = np.isnan(z)
    z[missing] = 0
    called = np.maximum(z.shape[1] - missing.sum(1, keepdims=True), 1)
    z -= (z.sum(1, keepdims=True, dtype=np.float64) / called).astype(np.float32)
    z[missing] = 0
    length = np.sqrt(np.einsum("ij,ij->i", z, z))[:, None]
    z /= np.where(length > 0, length, np.inf)
    return z


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
    contig = np.unique(contig, return_inverse=True)[1]  # numbers compare faster than names
    keep = np.zeros(len(position), bool)
    held = np.empty((0, 0), np.float32)  # kept rows that the next block can still reach
    held_at = np.empty(0, np.int64)  # their row numbers
    start = 0
    steps = (block[i : i + STEP] for block in blocks for i in range(0, len(block), STEP))
    for step in steps:
        z = standardise(step)
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
