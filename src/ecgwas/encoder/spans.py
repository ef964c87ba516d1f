"""Present tokens -> leads and time spans to hide, and negatives: each recording by its own seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecgwas.encoder.masks import HIDDEN_TOGETHER
from ecgwas.signals.data import SPANS

DROP_LEAD = 0.5  # probability
SPAN_S = 0.32  # length of a hidden span
FEWEST = 2  # spans of a view
NEGATIVES = 100  # of each hidden token
RATE = 3  # view of the token that belongs to no lead


@dataclass(frozen=True)
class Hidden:
    """Hidden tokens of recordings with K tokens each, at most H hidden."""

    index: np.ndarray  # int [recording, H], positions among the K tokens
    weight: np.ndarray  # float32 [recording, H], 0 for padding
    negatives: np.ndarray  # int [recording, H, NEGATIVES], positions among the H


def see(
    there: np.ndarray, lead: np.ndarray, view: np.ndarray, drop_view: float, rng: np.random.Generator
) -> np.ndarray:
    """Visible tokens of one recording: bool [token]; there, lead and view of the tokens [token].

    Each lead is dropped with probability `DROP_LEAD`, but never all (Oh et al. 2022), the rate with none; a share
    `drop_view` of recordings shows one view only.
    """
    of_leads = view < RATE
    leads = np.unique(lead[there & of_leads])
    survives = rng.random(len(leads)) >= DROP_LEAD
    if len(leads):
        survives[rng.integers(len(leads))] |= not survives.any()
    shown = there & (np.isin(lead, leads[survives]) | ~of_leads)
    dropped, lost = rng.random() < drop_view, np.isin(view, HIDDEN_TOGETHER[rng.integers(2)])
    return shown & ~lost if dropped and (shown & ~lost & (view < 2)).any() else shown


def places(n: int, length: int, mask: float, rng: np.random.Generator) -> np.ndarray:
    """Hide spans of `length` of n places: bool [n].

    fairseq's `compute_mask_indices` (Baevski et al. 2020, section 3.1): `mask` n / length spans at random starts, which
    may overlap, so that less than `mask` is hidden in the end; one place at least stays.
    """
    hidden, length = np.zeros(n, bool), min(length, n - 1)
    if length < 1:
        return hidden
    spans = max(FEWEST, int(mask * n / length + rng.random()))
    starts = rng.choice(n - length + 1, min(spans, n - length), replace=False)
    hidden[(starts[:, None] + np.arange(length)).ravel()] = True
    hidden[rng.integers(n)] &= not hidden.all()
    return hidden


def hide(
    view: np.ndarray, place: np.ndarray, lengths_s: Sequence[float], mask: float, rng: np.random.Generator
) -> np.ndarray:
    """Tokens hidden of one recording: bool [K]; the same times in all leads, sizes never.

    view, place: of the tokens that are there, int [K]; 0 strip, 1 beat. lengths_s: of a patch of each view.
    """
    hidden = np.zeros(len(view), bool)
    for number, seconds in enumerate(lengths_s):
        chosen = view == number
        if chosen.any():
            first, last = place[chosen].min(), place[chosen].max()
            spans = places(last - first + 1, max(1, round(SPAN_S / seconds)), mask, rng)
            hidden[chosen] = spans[place[chosen] - first]
    return hidden


def negatives(n: int, rng: np.random.Generator) -> np.ndarray:
    """Others of n hidden tokens, drawn with replacement: int [n, NEGATIVES]; themselves where there is no other."""
    if n < 2:
        return np.zeros((n, NEGATIVES), int)
    drawn = rng.integers(n - 1, size=(n, NEGATIVES))
    return drawn + (drawn >= np.arange(n)[:, None])


def draw(
    view: np.ndarray, place: np.ndarray, lengths_s: Sequence[float], mask: float, rngs: Sequence[np.random.Generator]
) -> Hidden:
    """Hidden tokens of recordings whose tokens have these views and places, int [recording, K]; one rng a recording."""
    chosen = [np.flatnonzero(hide(v, p, lengths_s, mask, rng)) for v, p, rng in zip(view, place, rngs, strict=True)]
    width = max(1, *(len(index) for index in chosen))
    index, weight = np.zeros((len(chosen), width), np.int64), np.zeros((len(chosen), width), np.float32)
    others = np.zeros((len(chosen), width, NEGATIVES), np.int64)
    for k, (hidden, rng) in enumerate(zip(chosen, rngs, strict=True)):
        n = len(hidden)
        index[k, :n], weight[k, :n], others[k, :n] = hidden, 1, negatives(n, rng)
    return Hidden(index, weight, others)


def generators(key: list[int], slots: Sequence[int]) -> list[np.random.Generator]:
    """Random numbers of each recording's own."""
    return [np.random.default_rng([*key, SPANS, int(slot)]) for slot in slots]
