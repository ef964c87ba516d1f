"""(seed, step) -> rows of a batch: epochs of every cohort by its share, recordings of a person in pairs."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from ecgwas.errors import UserError
from ecgwas.signals.data import ORDER, PAIRS


class Order:
    """Which recordings each step sees; a function of the table, the shares, the seed and the step alone."""

    def __init__(self, table: pl.DataFrame, batch: int, seed: int, shares: Mapping[str, float], pairs: bool) -> None:
        """table: of `Signals`. shares: weights of its cohorts by name; empty: by size. pairs: draw partners."""
        cohorts = table["cohort"].to_numpy()
        names = sorted(set(cohorts))
        if shares and set(shares) != set(names):
            raise UserError(f"cohorts: {sorted(shares)} have shares, the study trains on {names}; name each once")
        self.batch, self.seed = batch, seed
        self.members = [np.flatnonzero(cohorts == name) for name in names]
        weights = np.array([shares[name] for name in names] if shares else [len(m) for m in self.members], float)
        self.of_the_rest = weights / np.cumsum(weights[::-1])[::-1]  # share among this cohort and those after it
        self.partners = partners(table["person"].to_numpy()) if pairs else {}

    def rows(self, step: int) -> np.ndarray:
        """Rows of the table, int [batch]."""
        drawn = []
        for cohort, members in enumerate(self.members):
            first, last = self._before(cohort, step), self._before(cohort, step + 1)
            drawn.append(members[shuffled(len(members), first, last, [self.seed, ORDER, cohort])])
        rows = np.random.default_rng([self.seed, ORDER, step]).permutation(np.concatenate(drawn))
        return self._paired(rows, step) if self.partners else rows

    def _before(self, cohort: int, step: int) -> int:
        """Recordings of a cohort that the steps before `step` have drawn; over all cohorts they sum to step · batch.

        Each cohort takes the whole part of its share of what those before it left: counts that never fall.
        """
        left = step * self.batch
        for share in self.of_the_rest[:cohort]:
            left -= int(share * left + 1e-6)
        return int(self.of_the_rest[cohort] * left + 1e-6)

    def _paired(self, rows: np.ndarray, step: int) -> np.ndarray:
        """Every second row becomes another recording of the person before it, where there is one."""
        rng = np.random.default_rng([self.seed, PAIRS, step])
        for k in range(0, len(rows) - 1, 2):
            others = self.partners.get(int(rows[k]))
            if others is not None:
                rows[k + 1] = others[rng.integers(len(others))]
        return rows


def shuffled(n: int, first: int, last: int, key: list[int]) -> np.ndarray:
    """Elements `first` to `last` of shuffled epochs of n, laid end to end: int [last - first]."""
    if first == last:
        return np.empty(0, int)
    epochs = range(first // n, (last - 1) // n + 1)
    order = np.concatenate([np.random.default_rng([*key, epoch]).permutation(n) for epoch in epochs])
    return order[first - epochs[0] * n : last - epochs[0] * n]


def partners(person: np.ndarray) -> dict[int, np.ndarray]:
    """{row: other rows of the same person}, for rows that have any; person: code [row]."""
    order = np.argsort(person, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(person[order])) + 1)
    return {int(row): group[group != row] for group in groups if len(group) > 1 for row in group}
