"""Training people and their labels -> a random subsample of people that contains every class."""

import numpy as np
import polars as pl

LEAST_POSITIVES = 3


def labelled(y: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Rows of y [n, class] (0/1) that keep their labels: sorted, a `share` of n, more where classes require it.

    First `LEAST_POSITIVES` of each class, the rarest class first; the others at random.
    """
    n, chosen = len(y), np.zeros(len(y), bool)

    def add(candidates: np.ndarray, count: int) -> None:
        chosen[rng.permutation(np.flatnonzero(candidates & ~chosen))[: max(count, 0)]] = True

    for k in np.argsort(y.sum(0), kind="stable"):
        add(y[:, k] == 1, LEAST_POSITIVES - int(y[chosen, k].sum()))
    add(np.ones(n, bool), round(share * n) - int(chosen.sum()))
    return np.flatnonzero(chosen)


def draw(train: pl.DataFrame, outcomes: list[str], share: float, number: int) -> list[str]:
    """People of a subsample: a function of training labels, share and number alone, the same for every method.

    Cases and controls of an outcome are classes of their own; a person belongs to a class by any recording.
    """
    flags = [
        (pl.col(f"y:{name}") == k).fill_null(False).any().alias(f"{name}:{k}") for name in outcomes for k in (1, 0)
    ]
    people = train.group_by("person_id").agg(flags).sort("person_id")
    y = people.drop("person_id").to_numpy().astype(float)
    rows = labelled(y, share, np.random.default_rng([round(1e6 * share), number]))
    return people["person_id"][rows].to_list()
