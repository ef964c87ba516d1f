"""Significant variants -> loci: joined by distance and LD to the strongest among them, in bounded memory."""

from collections import OrderedDict
from collections.abc import Callable

import numpy as np

from ecgwas.genotype_files.reader import GenotypeReader
from ecgwas.stats import linear
from ecgwas.stats.linear import unit_residuals

LD_REACH_BP = 5_000_000  # LD beyond is not computed
CACHE_BYTES = 2**28  # residual genotypes kept: leads near each other ask for the same ones
BATCH = 256  # variants read at a time

R2 = Callable[[int, np.ndarray], np.ndarray]  # (variant, other variants) -> their r²


class Linkage:
    """r² between variants of a reader, covariates projected out; genotypes are read on demand.

    At most `cache_bytes` of residual genotypes, and one batch, are held, however many variants there are.
    """

    def __init__(self, reader: GenotypeReader, covariates: np.ndarray, cache_bytes: int = CACHE_BYTES):
        self._reader, self._q = reader, linear.orthonormal(covariates)
        self._room = max(cache_bytes // (8 * max(len(covariates), 1)), BATCH + 1)
        self._kept: OrderedDict[int, np.ndarray] = OrderedDict()

    def genotypes(self, rows: np.ndarray) -> np.ndarray:
        """Residual genotypes of length 1 [row, person]; the rows are at most BATCH."""
        uncached = np.array([row for row in rows if row not in self._kept], int)
        if uncached.size:
            self._kept.update(zip(uncached.tolist(), unit_residuals(self._reader.read(uncached), self._q), strict=True))
        for row in rows:
            self._kept.move_to_end(row)
        genotypes = np.stack([self._kept[row] for row in rows])
        while len(self._kept) > self._room:
            self._kept.popitem(last=False)
        return genotypes

    def r2(self, variant: int, others: np.ndarray) -> np.ndarray:
        """r² [other] of `variant` with each of `others`."""
        lead, r2 = self.genotypes(np.array([variant]))[0], np.empty(len(others))
        for first in range(0, len(others), BATCH):
            r2[first : first + BATCH] = (self.genotypes(others[first : first + BATCH]) @ lead) ** 2
        return r2


def clump(
    contig: np.ndarray, position: np.ndarray, strength: np.ndarray, r2_with: R2, window_bp: int, r2: float
) -> np.ndarray:
    """For each significant variant the index of its lead; leads name themselves.

    Greedy from the strongest (ties: the first in genome order): all not yet taken that lie within `window_bp` of
    the lead, or within 5 Mb with r^2 > `r2` to it, join it.
    """
    lead = np.full(len(strength), -1)
    for i in np.argsort(-strength, kind="stable"):
        if lead[i] >= 0:
            continue
        away = np.where(contig == contig[i], np.abs(position - position[i]), np.iinfo(np.int64).max)
        free = lead < 0
        near = free & (away <= window_bp)
        asked = np.flatnonzero(free & ~near & (away <= LD_REACH_BP))
        lead[near] = i
        if asked.size:
            lead[asked[r2_with(int(i), asked) > r2]] = i
        lead[i] = i
    return lead
