"""People are drawn, not recordings; resamples without both classes are drawn again; intervals cover."""

import numpy as np
import pytest

from ecgwas.stats import bootstrap, discrimination


def test_all_recordings_of_a_person_follow():
    person = np.array([0, 0, 1, 2, 2, 2])
    draws = bootstrap.draw(person, np.array([[0.0], [1], [0], [1], [0], [1]]), 200, 1)
    weights = np.concatenate(list(draws.weights(person)))
    assert (draws.counts.sum(1) == 3).all()
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 5]).all()


def test_every_resample_has_both_values_of_every_column_and_what_was_redrawn_is_counted():
    rng = np.random.default_rng(0)
    y = np.zeros((60, 2))
    y[:2, 0], y[5:25, 1] = 1, 1
    y[30:, 1] = np.nan
    draws = bootstrap.draw(np.arange(60), y, 400, 1)
    counts = draws.counts
    assert (counts[:, :2].sum(1) > 0).all()
    assert (counts[:, y[:, 1] == 0].sum(1) > 0).all()
    missing = (1 - 2 / 60) ** 60
    expected = 400 * missing / (1 - missing)
    assert abs(draws.redrawn - expected) < 5 * np.sqrt(expected) + rng.random()


def test_drawings_that_cannot_be_had_end_with_a_reason():
    y = np.eye(14)  # fourteen classes of one person each: all in one resample of 14 is hopeless
    draws = bootstrap.draw(np.arange(14), y, 100, 1)
    assert draws.counts.shape == (0, 14)
    assert draws.redrawn >= 100 * bootstrap.ROUNDS - 1
    assert "too few cases" in draws.reason
    assert bootstrap.draw(np.arange(4), np.ones((4, 1)), 10, 1).reason == "a class has no person"


def test_the_order_of_recordings_and_ids_does_not_matter_and_methods_share_the_draws():
    rng = np.random.default_rng(1)
    person = rng.integers(0, 40, 120)
    y = (rng.random(120) < 0.4).astype(float)
    s = rng.normal(size=120) + y
    order = rng.permutation(120)

    def resampled(rows):
        draws = bootstrap.draw(person[rows], y[rows, None], 100, 3, people=40)
        return draws.over(person[rows], lambda w: discrimination.auroc(y[rows], s[rows], w))

    assert resampled(np.arange(120)) == pytest.approx(resampled(order), abs=1e-12)
    draws = bootstrap.draw(person, y[:, None], 100, 3, people=40)
    same = draws.over(person, lambda w: discrimination.auroc(y, s, w) - discrimination.auroc(y, 2 * s + 1, w))
    assert not same.any()


def test_pieces_of_any_size_give_the_same(monkeypatch):
    y = (np.arange(50) % 3 == 0).astype(float)
    draws = bootstrap.draw(np.arange(50), y[:, None], 100, 1)
    whole = draws.over(np.arange(50), lambda w: w @ y)
    monkeypatch.setattr(bootstrap, "CELLS", 120)
    assert (draws.over(np.arange(50), lambda w: w @ y) == whole).all()


def test_copies_of_a_person_are_no_new_people():
    """Recordings copied within people leave the interval; copied as new people they narrow it."""
    rng = np.random.default_rng(2)
    y = (rng.random(200) < 0.4).astype(float)
    s = rng.normal(size=200) + y
    four_y, four_s = np.tile(y, 4), np.tile(s, 4)

    def width(y, s, person):
        draws = bootstrap.draw(person, y[:, None], 400, 1)
        low, high = bootstrap.interval(draws.over(person, lambda w: discrimination.auroc(y, s, w)))
        return high - low

    once = width(y, s, np.arange(200))
    assert width(four_y, four_s, np.tile(np.arange(200), 4)) == pytest.approx(once, abs=1e-12)
    assert width(four_y, four_s, np.arange(800)) == pytest.approx(once / 2, rel=0.25)


def test_intervals_of_auroc_cover_the_truth():
    """Binormal scores one SD apart: AUROC Phi(1/sqrt 2) = 0.7602; people have one to three recordings."""
    truth, covered = 0.7602, 0
    rng = np.random.default_rng(3)
    for _ in range(200):
        person = np.repeat(np.arange(120), rng.integers(1, 4, 120))
        mine = rng.random(120) < 0.4
        y = mine[person].astype(float)
        s = y + np.sqrt(0.7) * rng.normal(size=120)[person] + np.sqrt(0.3) * rng.normal(size=len(person))
        draws = bootstrap.draw(person, y[:, None], 200, 1)
        low, high = bootstrap.interval(draws.over(person, lambda w, y=y, s=s: discrimination.auroc(y, s, w)))
        covered += low <= truth <= high
    assert 0.89 <= covered / 200 <= 0.99


def test_an_interval_needs_values_and_bias_is_taken_off():
    assert np.isnan(bootstrap.interval(np.full(10, np.nan))).all()
    assert np.isnan(bootstrap.interval(np.zeros(0))).all()
    low, high = bootstrap.centred(0.01, np.random.default_rng(0).normal(0.05, 0.005, 2000))
    assert low < 0.01 < high
    assert bootstrap.centred(0.0, np.full(10, 0.2)) == (0.0, 0.0)
