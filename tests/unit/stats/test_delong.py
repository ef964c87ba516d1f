"""DeLong's variance against its double sum, clusters against simulation, tests against their size."""

import numpy as np
import pytest

from ecgwas.stats import delong, discrimination


def by_double_sum(y, scores):
    """AUROCs and covariance of DeLong, DeLong & Clarke-Pearson 1988, pair by pair."""
    cases, controls = scores[:, y == 1], scores[:, y == 0]
    kernel = (cases[:, :, None] > controls[:, None, :]) + 0.5 * (cases[:, :, None] == controls[:, None, :])
    v10, v01 = kernel.mean(2), kernel.mean(1)
    return kernel.mean((1, 2)), np.cov(v10) / cases.shape[1] + np.cov(v01) / controls.shape[1]


def drawn(seed, n=80):
    rng = np.random.default_rng(seed)
    y = (np.arange(n) % 3 == 0).astype(int)
    s = rng.normal(size=(3, n)) + y * np.array([[0.5], [1], [1.5]])
    return y, np.round(s, 1) if seed % 2 else s


def test_midranks_give_the_double_sum():
    for seed in range(10):
        y, s = drawn(seed)
        auc, covariance = delong.covariance(y, s)
        expected_auc, expected = by_double_sum(y, s)
        assert auc == pytest.approx(expected_auc, abs=1e-12)
        assert covariance == pytest.approx(expected, abs=1e-12)
        assert auc[0] == pytest.approx(discrimination.auroc(y, s[0]), abs=1e-12)


def test_one_recording_a_person_is_the_same_with_and_without_people():
    y, s = drawn(1)
    ids = np.random.default_rng(1).permutation(len(y))
    assert delong.covariance(y, s, ids)[1] == pytest.approx(delong.covariance(y, s)[1], abs=1e-13)


def test_copies_within_people_add_nothing():
    y, s = drawn(2)
    copies = delong.covariance(np.tile(y, 3), np.tile(s, (1, 3)), np.tile(np.arange(len(y)), 3))[1]
    assert copies == pytest.approx(delong.covariance(y, s)[1], rel=0.02)


def test_clustered_variance_is_that_of_simulation():
    """People with several recordings, cases and controls mixed within people."""
    rng = np.random.default_rng(0)
    values, variances, naive = [], [], []
    for _ in range(400):
        person = np.repeat(np.arange(60), 4)
        y = (rng.random(240) < rng.beta(1, 1, 60)[person]).astype(int)
        s = 0.7 * y + rng.normal(size=60)[person] + rng.normal(size=240)
        auc, covariance = delong.covariance(y, s[None], person)
        values.append(auc[0])
        variances.append(covariance[0, 0])
        naive.append(delong.covariance(y, s[None])[1][0, 0])
    assert np.mean(variances) == pytest.approx(np.var(values), rel=0.2)
    assert abs(np.mean(naive) / np.var(values) - 1) > 0.25


def test_intervals_cover_and_tests_keep_their_size():
    rng = np.random.default_rng(4)
    covered = rejected = 0
    for _ in range(500):
        y = (np.arange(120) % 3 == 0).astype(int)
        shared = rng.normal(size=120)
        s = [y + np.sqrt(0.5) * shared + np.sqrt(0.5) * rng.normal(size=120) for _ in range(2)]
        _, low, high = delong.auroc_interval(y, s[0])
        covered += low <= 0.7602 <= high
        rejected += delong.difference(y, *s).p < 0.05
    assert 0.925 <= covered / 500 <= 0.975
    assert 0.025 <= rejected / 500 <= 0.08


def test_differences_turn_their_sign_and_know_no_difference():
    y, s = drawn(3)
    one, other = delong.difference(y, s[2], s[0]), delong.difference(y, s[0], s[2])
    assert one.value == pytest.approx(-other.value)
    assert one.p == pytest.approx(other.p)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
    same = delong.difference(y, s[0], 2 * s[0] + 1)
    assert (same.value, same.p) == (0, 1)


def test_where_the_variance_is_not_known_it_is_not_made_up():
    y = np.array([1, 0, 0, 0])
    assert np.isnan(delong.difference(y, np.arange(4.0), -np.arange(4.0)).p)
    assert np.isnan(delong.auroc_interval(np.array([0, 0, 1, 1]), np.arange(4.0))[1])
    assert np.isnan(delong.covariance(np.zeros(4, int), np.ones((1, 4)))[0]).all()
