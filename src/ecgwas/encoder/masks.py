"""Present tokens -> tokens visible to the encoder and tokens to be predicted, each recording by its own seed."""

from dataclasses import dataclass

import numpy as np

from ecgwas.signals.data import MASKS

HIDDEN_TOGETHER = ((0,), (1, 3))  # views hidden with the strip, and with the beat: a strip shows the rate too
ROUND = 8  # numbers of seen tokens are multiples of it, so that few group sizes occur


@dataclass(frozen=True)
class Group:
    """Recordings of a batch that see the same number of tokens."""

    rows: np.ndarray  # int [recording], positions in the batch
    kept: np.ndarray  # int [recording, K], tokens the encoder sees
    hidden: np.ndarray  # int [recording, H], tokens to predict
    weight: np.ndarray  # float32 [recording, H], 0 for padding


def draw(
    there: np.ndarray,
    seen: np.ndarray,
    grid: tuple[np.ndarray, np.ndarray],
    mask: float,
    drop_view: float,
    targets: int,
    key: list[int],
    slots: np.ndarray,
) -> list[Group]:
    """Hide tokens; what a recording hides depends on (key, its slot) alone, not on the rest of the batch.

    there: bool [recording, token], recorded in all. seen: bool [recording, token], those of the student's leads.
    grid: view and place of the tokens. A share `drop_view` of recordings sees one view only: what a masked strip holds
    can then not be copied from the median beat. Of what is left a share `mask` is hidden: half of the recordings hide
    tokens at random, half the same times in all leads. Up to `targets` tokens that are there and not seen are to be
    predicted; of a lead that the student does not have too.
    """
    choices = [
        _one(there[k], seen[k], grid, mask, drop_view, targets, np.random.default_rng([*key, MASKS, int(slot)]))
        for k, slot in enumerate(slots)
    ]
    sizes = np.array([len(kept) for kept, _ in choices])
    return [_group(np.flatnonzero(sizes == size), choices) for size in np.unique(sizes[sizes > 0])]


def _one(
    there: np.ndarray,
    seen: np.ndarray,
    grid: tuple[np.ndarray, np.ndarray],
    mask: float,
    drop_view: float,
    targets: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Tokens kept and tokens to predict of one recording."""
    view, place = grid
    visible = seen & there
    dropped = rng.random() < drop_view
    lost = np.isin(view, HIDDEN_TOGETHER[rng.integers(2)])
    if dropped and (visible & ~lost).any():
        visible = visible & ~lost
    scores = rng.random(len(view))
    if rng.random() < 0.5:
        times = rng.random((4, place.max() + 1))
        scores = times[view, place] + 0.01 * scores
    order = np.argsort(scores + 2.0 * ~visible, kind="stable")
    n = int(visible.sum())
    kept = order[: rounded((1 - mask) * n)] if n else order[:0]
    free = there & (view < 2)
    free[kept] = False
    hidden = rng.permutation(np.flatnonzero(free))[:targets]
    return np.sort(kept), hidden


def rounded(n: float) -> int:
    """A number of tokens: at least 1, from 2·`ROUND` on a multiple of `ROUND`."""
    return max(1, int(n) if n < 2 * ROUND else int(n) // ROUND * ROUND)


def _group(rows: np.ndarray, choices: list[tuple[np.ndarray, np.ndarray]]) -> Group:
    kept = np.stack([choices[k][0] for k in rows])
    width = max(1, *(len(choices[k][1]) for k in rows))
    hidden, weight = np.zeros((len(rows), width), np.int64), np.zeros((len(rows), width), np.float32)
    for i, k in enumerate(rows):
        n = len(choices[k][1])
        hidden[i, :n], weight[i, :n] = choices[k][1], 1
    return Group(rows, kept, hidden, weight)
