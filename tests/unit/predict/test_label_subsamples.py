"""Laws of draws of few labels: every class is met, the same for all methods, people and never recordings."""

import numpy as np
import polars as pl
import pytest

from ecgwas.predict.labels import label_subsamples


def classes(rng: np.random.Generator) -> np.ndarray:
    return (rng.random((900, 4)) < [0.5, 0.2, 0.05, 0.02]).astype(float)


@pytest.mark.parametrize("share", [0.01, 0.1, 1.0])
def test_draws_hold_every_class(share: float) -> None:
    y = classes(np.random.default_rng(1))
    first, again, other = (label_subsamples.labelled(y, share, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert len(set(first)) == len(first)
    assert share * len(y) <= len(first) <= max(share * len(y), y.shape[1] * label_subsamples.LEAST_POSITIVES)
    assert (y[first].sum(0) >= label_subsamples.LEAST_POSITIVES).all()
    assert share == 1 or set(first) != set(other)


def labels(n: int = 400) -> pl.DataFrame:
    """Two recordings a person; `b` is rare, some of its labels are not known."""
    rng = np.random.default_rng(3)
    y = np.repeat(rng.random((n, 2)) < [0.4, 0.02], 2, 0).astype(float)
    table = pl.DataFrame({"person_id": [f"p{k // 2:04d}" for k in range(2 * n)], "y:a": y[:, 0], "y:b": y[:, 1]})
    return table.with_columns(pl.when(pl.Series(rng.random(2 * n) < 0.8)).then("y:b").alias("y:b"))


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_a_draw_is_of_people_and_does_not_depend_on_the_order_of_the_table(share: float) -> None:
    table = labels()
    people = label_subsamples.draw(table, ["a", "b"], share, 0)
    assert len(set(people)) == len(people) == max(round(share * 400), len(people))
    assert set(label_subsamples.draw(table.reverse(), ["a", "b"], share, 0)) == set(people)
    assert set(label_subsamples.draw(table, ["a", "b"], share, 1)) != set(people)
    chosen = table.filter(pl.col("person_id").is_in(people))
    for name in ("y:a", "y:b"):
        for k in (0, 1):
            assert chosen.filter(pl.col(name) == k)["person_id"].n_unique() >= label_subsamples.LEAST_POSITIVES
