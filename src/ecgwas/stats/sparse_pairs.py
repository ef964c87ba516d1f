"""Variants to be tested again with their null models -> what saddlepoint and Firth need of each pair.

A pair is a variant and a trait. The genotype adjusted for covariates is g~ = g - X (X'WX)^-1 X'Wg. Of a rare variant
only carriers have a g~ of any size: they are counted exactly, all others together to second order, by their share of
the score and of the information (Dey et al. 2017, Am J Hum Genet 101:37, "fastSPA").
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ecgwas.stats.logistic import Null

SPARSE = 0.05  # where more people carry the minor allele everyone is counted exactly
CARRIER = 0.1  # minor-allele dosages above this are carriers
MAX_CELLS = 100_000  # people x pairs at a time: their arrays stay in the cache
LARGEST = 500.0  # exponent: beyond, exp overflows


@dataclass(frozen=True)
class Pairs:
    """B pairs of one trait; m people counted exactly each, padded with g = 0."""

    g: np.ndarray  # [B, m] g~ of those people
    mu: np.ndarray  # [B, m] their null probabilities
    e: np.ndarray  # [B, m] their null residuals
    rest_score: np.ndarray  # [B] the others' sum of g~ e
    rest_information: np.ndarray  # [B] the others' sum of g~^2 W

    @property
    def score(self) -> np.ndarray:
        """[B] of everyone."""
        return (self.g * self.e).sum(axis=1) + self.rest_score

    @property
    def information(self) -> np.ndarray:
        """[B] of everyone."""
        return (self.g**2 * self.mu * (1 - self.mu)).sum(axis=1) + self.rest_information


def tilted(mu: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log(1 - mu + mu e^x) and mu e^x / (1 - mu + mu e^x): null probabilities moved by x in the log odds."""
    rise = mu * np.expm1(np.minimum(x, LARGEST))
    return np.log1p(rise), (mu + rise) / (1 + rise)


def carriers(g: np.ndarray, lowest: np.ndarray) -> list[np.ndarray | slice]:
    """People of each row counted exactly: those whose `g` [V, n] is above that of non-carriers, `lowest` [V]."""
    found = [np.flatnonzero(row > low + CARRIER) for row, low in zip(g, lowest, strict=True)]
    return [slice(None) if len(rows) > SPARSE * g.shape[1] else rows for rows in found]


def gather(g: np.ndarray, exact: list[np.ndarray | slice], null: Null) -> Pairs:
    """Pairs of the variants `g` [B, n], float64, with one null model; `exact` as `carriers` gives them."""
    covered = (g * null.w) @ null.h
    score = g @ null.e
    information = np.maximum((g * g) @ null.w - (covered**2).sum(axis=1), 0)
    size = max(g.shape[1] if isinstance(rows, slice) else len(rows) for rows in exact)
    adjusted, e, mu = np.zeros((len(g), size)), np.zeros((len(g), size)), np.full((len(g), size), 0.5)
    for b, rows in enumerate(exact):
        values = g[b, rows] - null.h[rows] @ covered[b]
        place = slice(0, len(values))
        adjusted[b, place], e[b, place], mu[b, place] = values, null.e[rows], null.mu[rows]
    rest = information - (adjusted**2 * mu * (1 - mu)).sum(axis=1)
    everyone = np.array([isinstance(rows, slice) for rows in exact])
    left = np.where(everyone, 0, score - (adjusted * e).sum(axis=1))
    return Pairs(adjusted, mu, e, left, np.where(everyone, 0, np.maximum(rest, 0)))


def batches(exact: list[np.ndarray | slice], n: int) -> Iterator[np.ndarray]:
    """Positions of pairs to be held together: alike in size, and few enough for the memory."""
    sizes = np.array([n if isinstance(rows, slice) else max(len(rows), 1) for rows in exact])
    order = np.argsort(sizes, kind="stable")
    first = 0
    while first < len(order):
        last = first + 1
        while last < len(order) and (last + 1 - first) * sizes[order[last]] <= MAX_CELLS:
            last += 1
        yield order[first:last]
        first = last
