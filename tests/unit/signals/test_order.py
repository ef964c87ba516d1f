"""Laws of the order: epochs hold every recording once, cohorts get their share, partners stand side by side."""

import numpy as np
import polars as pl
import pytest

from ecgwas.errors import UserError
from ecgwas.signals.order import Order, shuffled


def table(sizes: dict[str, int], people: int | None = None) -> pl.DataFrame:
    cohort = [name for name, n in sizes.items() for _ in range(n)]
    person = np.arange(len(cohort)) if people is None else np.arange(len(cohort)) % people
    return pl.DataFrame({"cohort": cohort, "person": person})


@pytest.mark.parametrize(("n", "batch"), [(10, 4), (10, 10), (3, 8), (64, 1)])
def test_every_epoch_holds_every_recording_once(n, batch):
    order = Order(table({"a": n}), batch, 5, {}, pairs=False)
    rows = np.sort(shuffled(n, 0, 3 * n, [5, 0, 0]).reshape(3, n), 1)
    assert (rows == np.arange(n)).all()
    drawn = np.concatenate([order.rows(step) for step in range(4 * n)])
    counts = np.bincount(drawn, minlength=n)
    assert counts.max() - counts.min() <= 1
    assert np.array_equal(order.rows(3), Order(table({"a": n}), batch, 5, {}, pairs=False).rows(3))


@pytest.mark.parametrize("shares", [{}, {"a": 1, "b": 1, "c": 2}, {"a": 0.01, "b": 5, "c": 1}])
def test_cohorts_are_drawn_by_their_shares_and_evenly(shares):
    sizes = {"a": 300, "b": 30, "c": 7}
    order = Order(table(sizes), 16, 1, shares, pairs=False)
    rows = [order.rows(step) for step in range(500)]
    assert all(len(r) == 16 for r in rows)
    names = table(sizes)["cohort"].to_numpy()
    weights = np.array(list((shares or sizes).values()), float)
    for name, expected in zip(sizes, 8000 * weights / weights.sum(), strict=True):
        drawn = np.concatenate(rows)[names[np.concatenate(rows)] == name]
        assert abs(len(drawn) - expected) < 3
        counts = np.bincount(drawn, minlength=len(names))[names == name]
        assert counts.max() - counts.min() <= 1


def test_shares_of_other_cohorts_are_refused():
    with pytest.raises(UserError, match=r"\['a', 'x'\] have shares, the study trains on \['a', 'b'\]"):
        Order(table({"a": 3, "b": 3}), 2, 1, {"a": 1, "x": 1}, pairs=False)


def test_partners_stand_beside_each_other():
    people = table({"a": 60}, people=40)  # twenty people have two recordings
    person = people["person"].to_numpy()
    rows = np.concatenate([Order(people, 8, 1, {}, pairs=True).rows(step).reshape(-1, 2) for step in range(50)])
    twice = person[rows[:, 0]] < 20
    assert twice.any()
    assert (person[rows[twice, 0]] == person[rows[twice, 1]]).all()
    assert (rows[twice, 0] != rows[twice, 1]).all()
