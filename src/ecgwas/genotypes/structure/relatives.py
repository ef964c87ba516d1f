"""related pairs -> the largest set of people no two of whom are related, people with an ECG first."""

from collections.abc import Iterable

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

EXACT = 24  # families up to this size are solved exactly


def _better(a: tuple[int, int, list[int]], b: tuple[int, int, list[int]]) -> tuple[int, int, list[int]]:
    """The set with more preferred people, then with more people; on a tie the first."""
    return b if b[:2] > a[:2] else a


def _exact(people: frozenset[int], near: dict[int, set[int]], preferred: np.ndarray) -> tuple[int, int, list[int]]:
    """(preferred, people, members) of the best independent set among `people`, by branching on the busiest."""
    if not people:
        return 0, 0, []
    busiest = min(people, key=lambda i: (-len(near[i] & people), i))
    rest = people - {busiest}
    n, m, members = _exact(rest - near[busiest], near, preferred)
    taken = (n + int(preferred[busiest]), m + 1, [*members, busiest])
    if not near[busiest] & people:
        return taken
    return _better(taken, _exact(rest, near, preferred))


def _greedy(people: frozenset[int], near: dict[int, set[int]], preferred: np.ndarray) -> list[int]:
    """A maximal independent set: again and again the preferred one with the fewest relatives left."""
    left, members = set(people), []
    while left:
        chosen = min(left, key=lambda i: (not preferred[i], len(near[i] & left), i))
        members.append(chosen)
        left -= near[chosen] | {chosen}
    return members


def unrelated(n: int, pairs: Iterable[tuple[int, int]], preferred: np.ndarray) -> np.ndarray:
    """Bool [n]: the set without a pair of `pairs` that holds most of `preferred` (bool [n]), then most people.

    Exact in families of up to 24 people, greedy in larger ones; ties go to the smaller index, so that the same pairs
    always give the same set.
    """
    pairs = np.asarray(sorted({(min(p), max(p)) for p in pairs}), np.int64).reshape(-1, 2)
    near: dict[int, set[int]] = {int(i): set() for i in np.unique(pairs)}
    for i, j in pairs.tolist():
        near[i].add(j)
        near[j].add(i)
    graph = scipy.sparse.coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    family = connected_components(graph, directed=False)[1]
    chosen = np.ones(n, bool)
    for label in np.unique(family[list(near)]) if near else []:
        people = frozenset(i for i in near if family[i] == label)
        members = _exact(people, near, preferred)[2] if len(people) <= EXACT else _greedy(people, near, preferred)
        chosen[list(people)] = False
        chosen[members] = True
    return chosen
