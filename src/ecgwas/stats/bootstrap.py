"""People, their recordings and labels -> bootstrap resamples of people, the same for every method compared."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ecgwas.stats import CONFIDENCE

ROUNDS = 200  # times the resamples asked for, after which sampling stops where resamples keep missing a class
CELLS = 200_000  # weights in memory at once: as many as fit a cache
LOST_SHARE = 0.5  # of resamples without a value, above which there is no interval


@dataclass(frozen=True)
class Draws:
    """Resamples of people. A person drawn twice counts twice, with all recordings."""

    counts: np.ndarray  # [b, person] int16: how often each person is drawn; no rows where sampling stopped
    redrawn: int  # resamples redrawn because a class was missing
    reason: str | None = None  # why there are no resamples

    def weights(self, person: np.ndarray) -> Iterator[np.ndarray]:
        """Weights [some of b, recording] of recordings that belong to `person` [recording], piece by piece."""
        piece = max(1, CELLS // max(len(person), 1))
        for start in range(0, len(self.counts), piece):
            yield self.counts[start : start + piece][:, person]

    def over(self, person: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """`statistic` of the weights [b, recording], put together again along b."""
        parts = [statistic(weights) for weights in self.weights(person)]
        return np.concatenate(parts) if parts else np.zeros(0)


def codes(person: np.ndarray) -> tuple[np.ndarray, int]:
    """Number of the person of each recording, from 0 in the order of the ids, and how many people there are."""
    ids, group = np.unique(np.asarray(person), return_inverse=True)
    return group, len(ids)


def both_classes(y: np.ndarray, person: np.ndarray, people: int) -> np.ndarray:
    """[person, 2 classes]: 1.0 where the person has a recording with a 1 (a 0) in y [n, class]; NaN in y is neither."""
    has = np.zeros((people, 2 * y.shape[1]), np.float32)
    for k in range(y.shape[1]):
        has[person[y[:, k] == 1], 2 * k] = 1
        has[person[y[:, k] == 0], 2 * k + 1] = 1
    return has


def draw(person: np.ndarray, y: np.ndarray, resamples: int, seed: int, people: int | None = None) -> Draws:
    """`resamples` of people with replacement, each with both values of every column of y [n, class] (NaN: not known).

    `person` [n] numbers the people from 0. Resamples that lack a value are drawn again and counted; after ROUNDS times
    as many draws as asked for it is given up, with the reason.
    """
    people = int(person.max()) + 1 if people is None else people
    needed = both_classes(y, person, people)
    if (needed.sum(0) == 0).any():
        return Draws(np.zeros((0, people), np.int16), 0, "a class has no person")
    rng = np.random.default_rng([seed, 7])
    kept: list[np.ndarray] = []
    found = tried = 0
    while found < resamples and tried < ROUNDS * resamples:
        batch = min(resamples, max(1, CELLS // people))
        counts = rng.multinomial(people, np.full(people, 1 / people), size=batch).astype(np.int16)
        good = (counts.astype(np.float32) @ needed > 0).all(1)
        ends = np.flatnonzero(good)[: resamples - found]
        tried += int(ends[-1]) + 1 if len(ends) == resamples - found else batch
        kept.append(counts[ends])
        found += len(ends)
    if found < resamples:
        lost = f"{tried} resamples drawn, {found} of them with both classes; {resamples} are needed: too few cases"
        return Draws(np.zeros((0, people), np.int16), tried - found, lost)
    return Draws(np.concatenate(kept), tried - found)


def interval(values: np.ndarray, level: float = CONFIDENCE) -> tuple[float, float]:
    """Percentile interval of the resamples' values [b]; NaN where half of them have none.

    Efron & Tibshirani 1993, An Introduction to the Bootstrap, section 13.3.
    """
    known = values[np.isfinite(values)]
    if len(known) <= LOST_SHARE * len(values) or not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def centred(value: float, values: np.ndarray, level: float = CONFIDENCE) -> tuple[float, float]:
    """Percentile interval moved by the resamples' bias, never below 0: for what resampling enlarges, such as ECE."""
    low, high = interval(values, level)
    if not np.isfinite(low):
        return low, high
    bias = float(np.nanmean(values)) - value
    return max(0.0, low - bias), max(0.0, high - bias)
