"""Log likelihood and its derivatives -> its maximum, by Newton's method with halved steps."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Value = Callable[[np.ndarray], float]
Derivatives = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # [p] -> gradient [p], information [p, p]


@dataclass(frozen=True)
class Stop:
    """When a search ends: a `change` of every coefficient, or a relative `gain` of the value, below these."""

    steps: int = 50
    change: float = 0.0
    gain: float = -np.inf
    fall: float = 0.0  # relative loss of the value that a step may have, for rounding
    smallest: float = 1e-8  # share of a step under which it is no longer halved


@dataclass(frozen=True)
class Maximum:
    """Where the search ended, and whether by its rule."""

    at: np.ndarray  # [p]
    converged: bool


def maximise(value: Value, derivatives: Derivatives, start: np.ndarray, stop: Stop) -> Maximum:
    """Maximum of a concave `value`; raises LinAlgError where the information is singular."""
    at, best = start, value(start)
    for _ in range(stop.steps):
        gradient, information = derivatives(at)
        step, size = np.linalg.solve(information, gradient), 1.0
        while (new := value(at + size * step)) < best - stop.fall * abs(best) and size > stop.smallest:
            size /= 2
        at, gained, best = at + size * step, new - best, new
        if np.abs(size * step).max(initial=0) < stop.change or gained < stop.gain * (1 + abs(best)):
            return Maximum(at, True)
    return Maximum(at, False)
