"""Probabilities and labels -> net benefit of acting at a risk threshold, beside acting on all and on none.

Vickers & Elkin 2006 (Med Decis Making 26:565): at a risk t that makes acting worth it, TP/n - FP/n t/(1 - t).
"""

from dataclasses import dataclass

import numpy as np

from ecgwas.stats.bootstrap import Draws, interval

RISKS = np.arange(1, 51) / 100


@dataclass(frozen=True)
class Curve:
    """Net benefit at each of RISKS: value, low, high [3, risk]; advantage: over the better of all and nobody."""

    benefit: np.ndarray
    treat_all: np.ndarray
    advantage: np.ndarray


def benefits(y: np.ndarray, p: np.ndarray, weights: np.ndarray, risks: np.ndarray = RISKS) -> np.ndarray:
    """Net benefit of p and of treating all, [2, b, risk], with recordings counting weights [b, n]."""
    reached = np.searchsorted(risks, p + 1e-12, "right")  # number of risks that p is at or above
    indicator = (reached[:, None] == np.arange(len(risks) + 1)).astype(np.float64)
    w = weights.astype(np.float64)
    cases, controls = (w * (y == kind) @ indicator for kind in (1, 0))
    total = w.sum(1, keepdims=True)
    true, false = (np.cumsum(c[:, ::-1], axis=1)[:, ::-1][:, 1:] / total for c in (cases, controls))
    odds = risks / (1 - risks)
    prevalence = cases.sum(1, keepdims=True) / total
    return np.stack([true - false * odds, prevalence - (1 - prevalence) * odds])


def curve(y: np.ndarray, p: np.ndarray, person: np.ndarray, draws: Draws, risks: np.ndarray = RISKS) -> Curve:
    """Net benefit with intervals over resamples of people."""
    value = benefits(y, p, np.ones((1, len(y))), risks)[:, 0]
    again = draws.over(person, lambda w: benefits(y, p, w, risks).transpose(1, 0, 2)).reshape(-1, 2, len(risks))
    ours, everyone = again[:, 0], again[:, 1]
    return Curve(
        _with_interval(value[0], ours),
        _with_interval(value[1], everyone),
        _with_interval(value[0] - np.maximum(value[1], 0), ours - np.maximum(everyone, 0)),
    )


def _with_interval(value: np.ndarray, again: np.ndarray) -> np.ndarray:
    ends = [interval(column) for column in again.T]
    return np.vstack([value, np.array(ends).reshape(len(value), 2).T])
