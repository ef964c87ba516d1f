"""Platt probabilities are calibrated; bins hold enough people; the one-step bootstrap is a full one."""

import itertools

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.metrics import brier_score_loss

from ecgwas.stats import bootstrap, calibration


def drawn(n, seed, slope=1.0, shift=0.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return (rng.random(n) < 1 / (1 + np.exp(-(slope * x + shift)))).astype(int), x


def test_platt_undoes_a_wrong_scale():
    y, x = drawn(20_000, 1)
    fitted = calibration.platt(y, 5 * x + 3)
    slope, intercept = calibration.slope_and_intercept(y, fitted.probabilities(5 * x + 3))
    assert fitted.slope == pytest.approx(0.2, abs=0.02)
    assert (slope, intercept) == pytest.approx((1, 0), abs=1e-6)
    assert fitted.reason is None


def test_platt_is_left_out_where_it_cannot_be_and_where_it_would_turn_ranks_round():
    y, x = drawn(200, 2)
    for labels, logits in ((np.zeros(200, int), x), ((x > 0).astype(int), x), (y, -x)):
        fitted = calibration.platt(labels, logits)
        assert (fitted.slope, fitted.intercept) == (1, 0)
        assert fitted.reason


def test_every_bin_has_enough_people_with_and_without_and_every_recording_is_in_one():
    rng = np.random.default_rng(3)
    for seed in range(20):
        y, x = drawn(300, seed, 2, -2)
        p, person = np.round(1 / (1 + np.exp(-x)), 2), rng.integers(0, 150, 300)
        groups = calibration.bins(y, p, person, 5)
        assert sorted(np.concatenate([g.rows for g in groups])) == list(range(300))
        for g in groups:
            for kind in (0, 1):
                assert len(np.unique(person[g.rows][y[g.rows] == kind])) >= 5
        for one, following in itertools.pairwise(groups):
            assert p[one.rows].max() < p[following.rows].min()
            assert one.end == following.start


def test_finer_cuts_never_cross_coarser_ones():
    for seed in range(30):
        y, x = drawn(150, seed, 2, -1)
        coarse = calibration.bins(y, x, np.arange(150), 5)
        fine = calibration.bins(y, x, np.arange(150), 5, (*calibration.DECILES, 0.95, 0.99))
        inner = {g.start for g in coarse}
        assert inner <= {g.start for g in fine}


def test_too_few_cases_make_one_bin():
    y = np.r_[np.ones(3), np.zeros(50)].astype(int)
    groups = calibration.bins(y, np.linspace(0, 1, 53), np.arange(53), 5)
    assert [len(g.rows) for g in groups] == [53]


def test_ece_by_hand():
    y, p = np.array([0, 1, 1, 1]), np.array([0.1, 0.3, 0.8, 0.9])
    halves = [calibration.Bin(np.array([0, 1]), 0, 0.5), calibration.Bin(np.array([2, 3]), 0.5, 1)]
    assert calibration.expected_error(y, p, halves)[0] == pytest.approx((0.6 + 0.3) / 4)
    twice = calibration.expected_error(y, p, halves, np.array([[2, 0, 1, 1]]))
    assert twice[0] == pytest.approx((0.2 + 0.3) / 4)


def test_few_newton_steps_in_each_resample_are_nearly_the_whole_fit():
    y, x = drawn(500, 4, 0.7, -1)
    draws = bootstrap.draw(np.arange(500), y[:, None].astype(float), 100, 1)
    fit, held = calibration.recalibration(x, y), calibration.in_the_large(y, x)
    rows = [np.repeat(np.arange(500), counts) for counts in draws.counts]
    slopes = np.array([calibration.recalibration(x[r], y[r])[1] for r in rows])
    intercepts = np.array([calibration.in_the_large(y[r], x[r]) for r in rows])
    weights = draws.counts.astype(float)
    for quick, whole in (
        (calibration.refitted(y, x, fit, weights), slopes),
        (calibration.one_step_at_one(y, x, held, weights), intercepts),
    ):
        assert np.sqrt(np.mean((quick - whole) ** 2)) < 0.12 * whole.std()
        width = np.ptp(bootstrap.interval(whole))
        assert bootstrap.interval(quick) == pytest.approx(bootstrap.interval(whole), abs=0.06 * width)


def test_intervals_of_slope_and_intercept_cover():
    covered = np.zeros(2)
    for seed in range(150):
        y, x = drawn(300, 1000 + seed, 1.0, 0.3)
        p = 1 / (1 + np.exp(-x))
        draws = bootstrap.draw(np.arange(300), y[:, None].astype(float), 200, 1)
        made = calibration.measures(y, p, np.arange(300), draws, 5)
        covered += [made["slope"][1] <= 1 <= made["slope"][2], made["intercept"][1] <= 0.3 <= made["intercept"][2]]
        assert made["ece"][1] <= made["ece"][0] <= made["ece"][2]
    assert (covered / 150 > 0.89).all()


def test_brier_is_scikit_learns():
    rng = np.random.default_rng(4)
    p = rng.random(300)
    y = (rng.random(300) < p).astype(int)
    assert calibration.brier(y, p) == pytest.approx(brier_score_loss(y, p), abs=1e-14)


def test_calibration_slope_and_intercept_are_those_of_statsmodels():
    rng = np.random.default_rng(5)
    for slope, shift in ((1, 0), (0.5, 1), (2, -1)):
        x = rng.normal(size=600)
        y = (rng.random(600) < 1 / (1 + np.exp(-(slope * x + shift)))).astype(int)
        p = 1 / (1 + np.exp(-x))
        free = sm.Logit(y, sm.add_constant(x)).fit(disp=0).params
        held = sm.GLM(y, np.ones(600), family=sm.families.Binomial(), offset=x).fit().params
        assert calibration.recalibration(x, y) == pytest.approx(free, abs=1e-6)
        assert calibration.slope_and_intercept(y, p) == pytest.approx((free[1], held[0]), abs=1e-6)


def test_good_probabilities_have_slope_one_and_intercept_zero():
    rng = np.random.default_rng(6)
    x = rng.normal(size=50_000)
    y = rng.random(50_000) < 1 / (1 + np.exp(-x))
    slope, intercept = calibration.slope_and_intercept(y.astype(int), 1 / (1 + np.exp(-x)))
    assert slope == pytest.approx(1, abs=0.05)
    assert intercept == pytest.approx(0, abs=0.04)


def test_there_is_no_slope_where_classes_are_apart_or_one():
    x = np.arange(10.0)
    assert np.isnan(calibration.recalibration(x, (x > 4).astype(int))).all()
    assert np.isnan(calibration.recalibration(x, np.zeros(10))).all()
    assert np.isnan(calibration.recalibration(np.ones(10), (x > 4).astype(int))).all()


def test_calibration_in_the_large_has_a_closed_form_where_all_risks_are_equal():
    y = np.r_[np.ones(30), np.zeros(70)]
    for risk in (1e-12, 0.02, 0.999):
        x = calibration.logit(np.full(100, risk))
        assert calibration.in_the_large(y, x) == pytest.approx(np.log(3 / 7) - x[0], abs=1e-9)
