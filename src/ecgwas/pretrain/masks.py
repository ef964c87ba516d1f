"""Which tokens are there -> which the encoder sees and which it must predict: views dropped, the rest at random."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Group:
    """Recordings of a batch that keep the same number of tokens."""

    rows: np.ndarray  # int [recording], places in the batch
    kept: np.ndarray  # int [recording, K], tokens the encoder sees
    hidden: np.ndarray  # int [recording, N - K], all others, those not recorded last
    weight: np.ndarray  # float32 [recording, N - K], 0 for tokens that were not recorded


def draw(present: np.ndarray, n_strip: int, mask: float, drop_view: float, rng: np.random.Generator) -> list[Group]:
    """Split a batch by what it sees: both views, the strip alone, the beat alone; then hide a share `mask` of it.

    present: bool [recording, token], the first n_strip tokens are of the strip. Half of the share `drop_view` of
    recordings sees no beat, half no strip: what a masked strip holds can then not be copied from the median beat.
    A recording that has one view only sees that. Each group keeps as many tokens as its poorest recording allows.
    """
    n, tokens = present.shape
    is_beat = np.arange(tokens) >= n_strip
    share = (rng.permutation(n) + 0.5) / n
    sees_strip = (share < 1 - drop_view / 2) & present[:, ~is_beat].any(1)
    sees_beat = ((share < 1 - drop_view) | (share > 1 - drop_view / 2)) & present[:, is_beat].any(1)
    sees_strip |= ~sees_beat & present[:, ~is_beat].any(1)
    sees_beat |= ~sees_strip & present[:, is_beat].any(1)
    visible = present & np.where(is_beat, sees_beat[:, None], sees_strip[:, None])
    scores = rng.random(present.shape) + 2.0 * ~visible + 4.0 * ~present
    order = scores.argsort(1)
    groups = []
    for rows in (sees_strip & sees_beat, sees_strip & ~sees_beat, sees_beat & ~sees_strip):
        rows = np.flatnonzero(rows)
        if len(rows):
            kept = max(1, round((1 - mask) * visible[rows].sum(1).min()))
            hidden = order[rows, kept:]
            weight = np.take_along_axis(present[rows], hidden, 1).astype(np.float32)
            groups.append(Group(rows, order[rows, :kept], hidden, weight))
    return groups
