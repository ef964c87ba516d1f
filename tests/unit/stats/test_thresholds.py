"""Thresholds are those of a search through all, fixed once; Wilson intervals invert the score test and cover."""

import numpy as np
import pytest

from ecgwas.stats import Z, thresholds


def test_youden_is_the_best_of_all_thresholds_and_the_highest_of_equals():
    for seed in range(50):
        rng = np.random.default_rng(seed)
        y = (np.arange(60) % 4 == 0).astype(int)
        s = np.round(rng.normal(size=60) + y, 1)
        chosen = thresholds.select(y, s, "youden")
        gains = {t: (s >= t)[y == 1].mean() + (s < t)[y == 0].mean() for t in np.r_[np.unique(s), 99]}
        best = max(gains.values())
        assert chosen.sensitivity + chosen.specificity == pytest.approx(best)
        if best > 1:
            assert chosen.value == max(t for t, gain in gains.items() if gain > best - 1e-9)


def test_target_specificity_is_reached_by_the_lowest_threshold_that_reaches_it():
    y = np.r_[np.zeros(10), np.ones(5)].astype(int)
    s = np.r_[np.arange(10.0), 4, 6, 8, 9, 12]
    chosen = thresholds.select(y, s, "specificity", 0.8)
    assert (chosen.value, chosen.specificity, chosen.sensitivity) == (8.0, 0.8, 0.6)
    tied = thresholds.select(y, np.where(s >= 7, 7.0, s), "specificity", 0.8)
    assert tied.value > 7
    assert (tied.specificity, tied.sensitivity) == (1.0, 0.0)


def test_a_score_at_the_threshold_is_positive():
    y, s = np.array([1, 1, 0, 0]), np.array([2.0, 1, 1, 0])
    made = thresholds.rates(y, s, 1.0)
    assert {name: rate.value for name, rate in made.items()} == pytest.approx(
        {"sensitivity": 1, "specificity": 0.5, "ppv": 2 / 3, "npv": 1, "flagged": 0.75}
    )
    assert {name: rate.n for name, rate in made.items()} == {
        "sensitivity": 2,
        "specificity": 2,
        "ppv": 3,
        "npv": 1,
        "flagged": 4,
    }


def test_there_is_no_threshold_of_one_class_and_no_share_of_nobody():
    assert thresholds.select(np.zeros(5), np.arange(5.0), "youden") is None
    made = thresholds.rates(np.array([0, 1]), np.array([0.0, 1.0]), 5.0)
    assert (made["ppv"].value, made["ppv"].n) == (None, 0)


def test_a_rising_transform_calls_the_same_recordings():
    rng = np.random.default_rng(1)
    y = (rng.random(200) < 0.3).astype(int)
    s = rng.normal(size=200) + y
    for rule in ("youden", "specificity"):
        one, other = thresholds.select(y, s, rule), thresholds.select(y, np.exp(s), rule)
        assert ((s >= one.value) == (np.exp(s) >= other.value)).all()


def test_wilsons_ends_are_where_the_score_test_rejects():
    for k, n, effect in ((0, 7, 1), (3, 11, 1), (11, 11, 1), (250, 1000, 1), (30, 80, 1.7)):
        low, high = thresholds.wilson(k, n, effect)
        for end in (low, high):
            away = abs(k / n - end) - Z * np.sqrt(end * (1 - end) * effect / n)
            assert end in (0, 1) or away == pytest.approx(0, abs=1e-9)
    assert (thresholds.wilson(0, 7)[0], thresholds.wilson(11, 11)[1]) == (0, 1)


def test_wilson_covers():
    rng = np.random.default_rng(2)
    for share in (0.05, 0.3, 0.9):
        ks = rng.binomial(60, share, 4000)
        ends = np.array([thresholds.wilson(k, 60) for k in range(61)])[ks]
        assert ((ends[:, 0] <= share) & (share <= ends[:, 1])).mean() == pytest.approx(0.95, abs=0.025)


def test_several_recordings_of_a_person_widen_the_interval():
    rng = np.random.default_rng(3)
    one_each = rng.random(100) < 0.7
    person = np.repeat(np.arange(100), 3)
    alike, single = thresholds.rate(one_each[person], person), thresholds.rate(one_each, np.arange(100))
    assert (alike.low, alike.high) == pytest.approx((single.low, single.high), abs=0.003)
    assert thresholds.rate(np.ones(300, bool), person).low == pytest.approx(
        thresholds.rate(np.ones(100, bool), np.arange(100)).low
    )
    covered = 0
    for _ in range(500):
        likely = rng.beta(2, 1, 100)
        good = rng.random(300) < likely[person]
        made = thresholds.rate(good, person)
        covered += made.low <= 2 / 3 <= made.high
    assert 0.92 <= covered / 500 <= 0.98
