"""Measures of survival: against pairs counted one by one, statsmodels, the truth without censoring."""

import numpy as np
import pytest
from statsmodels.duration.survfunc import CumIncidenceRight
from tests.unit.stats.test_cox import BETA, simulated

from ecgwas.stats.survival import cox, curves, metrics


def by_hand(years, event, risk, weight, left=None):
    """Wolbers' C by a loop over pairs."""
    above = total = 0.0
    g = left.before(years) if left else np.ones(len(years))
    for i in np.flatnonzero(event == 1):
        for j in range(len(years)):
            longer = years[j] > years[i] or (years[j] == years[i] and event[j] != 1)
            if j == i or not (longer or (event[j] == 2 and years[j] < years[i])):
                continue
            w = weight[i] * weight[j] / (g[i] * (g[i] if longer else g[j]))
            total += w
            above += w * ((risk[i] > risk[j]) + 0.5 * (risk[i] == risk[j]))
    return above / total


@pytest.mark.parametrize("ties", [False, True])
def test_concordance_is_that_of_pairs_counted_one_by_one(ties):
    x, years, event = simulated(150, 1, ties=ties)
    if ties:
        years = np.ceil(years)
    rng = np.random.default_rng(2)
    risk, weight = np.round(x @ BETA, 1), rng.integers(0, 4, 150).astype(float)
    assert metrics.harrell(years, event, risk, weight) == pytest.approx(by_hand(years, event, risk, weight), abs=1e-12)
    left = metrics.censoring(years, event)
    seen = np.where((years >= 8) & (event == 1), 0, event)
    told = metrics.uno(years, event, risk, 8.0, left, weight)
    assert told == pytest.approx(by_hand(years, seen, risk, weight, left), abs=1e-12)


def test_a_person_drawn_twice_is_two_people_and_rising_maps_of_risk_change_nothing():
    x, years, event = simulated(200, 3, ties=True)
    risk, rows = x @ BETA, np.random.default_rng(4).integers(0, 200, 200)
    counts = np.bincount(rows, minlength=200).astype(float)
    # Drawn twice, the two of an event are tied in time and make no pair.
    again = metrics.harrell(years[rows], event[rows], risk[rows])
    assert metrics.harrell(years, event, risk, counts) == pytest.approx(again, abs=1e-12)
    assert metrics.harrell(years, event, np.exp(3 * risk)) == metrics.harrell(years, event, risk)
    case, weight = metrics.at_horizon(years, event, 4.0, metrics.censoring(years, event))
    assert metrics.auc(case, weight, np.exp(3 * risk)) == metrics.auc(case, weight, risk)


def test_uno_does_not_change_with_censoring_where_harrell_does():
    rng = np.random.default_rng(5)
    n = 12000
    z = rng.standard_normal(n)
    # Risk matters early only, so that who is watched shortly makes C larger.
    u, early = rng.exponential(size=n), 0.1 * np.exp(1.5 * z)
    first = np.where(u < early * 2, u / early, 2 + (u - early * 2) / 0.1)
    values = []
    for rate in (1e-9, 0.25):
        end = np.minimum(rng.exponential(1 / rate, n), 10.5)
        years, event = np.minimum(first, end), (first <= end).astype(int)
        left = metrics.censoring(years, event)
        values.append((metrics.harrell(years, event, z), metrics.uno(years, event, z, 10.0, left)))
    (h0, u0), (h1, u1) = values
    assert abs(u1 - u0) < 0.01 < abs(h1 - h0)


def test_auc_brier_and_slope_find_the_truth_in_spite_of_censoring_and_death():
    x, years, event = simulated(20000, 6)
    at = 5.0
    rate, other = 0.1 * np.exp(x @ BETA), 0.05 * np.exp(0.5 * x[:, 0])
    truth = rate / (rate + other) * (1 - np.exp(-(rate + other) * at))
    case, weight = metrics.at_horizon(years, event, at, metrics.censoring(years, event))
    whole = np.random.default_rng(7).random(20000) < truth
    assert metrics.brier(case, weight, truth) == pytest.approx((truth * (1 - truth)).mean(), abs=0.006)
    assert metrics.auc(case, weight, truth) == pytest.approx(metrics.auc(whole, np.ones(20000), truth), abs=0.015)
    found = metrics.slope(case, weight, truth)
    assert found == pytest.approx((1, 0), abs=0.09)
    logit = np.log(truth / (1 - truth))
    assert metrics.slope(case, weight, 1 / (1 + np.exp(-2 * logit)))[0] == pytest.approx(found[0] / 2, rel=1e-3)


def test_aalen_johansen_and_kaplan_meier():
    _, years, event = simulated(300, 8, ties=True)
    made = curves.curve(years, event)
    np.testing.assert_allclose(made.survival + made.incidence + made.death, 1, atol=1e-12)
    theirs = CumIncidenceRight(years, event)
    np.testing.assert_allclose(made.at(made.incidence, theirs.times), theirs.cinc[0], atol=1e-12)
    alone = np.where(event == 2, 0, event)
    ours = curves.curve(years, alone)
    left = [(years >= time).sum() for time in ours.times]
    ended = [((years == time) & (alone == 1)).sum() for time in ours.times]
    shares = [1 - d / n for d, n in zip(ended, left, strict=True)]
    np.testing.assert_allclose(ours.survival, np.cumprod(shares), atol=1e-12)
    np.testing.assert_allclose(ours.variance, ours.survival_variance, atol=1e-12)


# Remission, weeks, under 6-mercaptopurine and placebo (Freireich et al. 1963, Blood 21:699); values of R's survival.
TREATED = np.array([6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35.0])
RELAPSED = np.r_[np.ones(9, int), np.zeros(12, int)]
PLACEBO = np.array([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23.0])


def test_remission_in_leukaemia_is_that_of_r():
    made = curves.curve(TREATED, RELAPSED)
    assert made.survival == pytest.approx([0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], abs=5e-4)
    errors = [0.0764, 0.0869, 0.0963, 0.1068, 0.1141, 0.1282, 0.1346]
    assert np.sqrt(made.survival_variance) == pytest.approx(errors, abs=5e-5)
    years, event = np.r_[TREATED, PLACEBO], np.r_[RELAPSED, np.ones(21, int)]
    statistic, p = curves.log_rank(years, event, np.repeat([0, 1], 21))
    assert statistic == pytest.approx(16.79, abs=5e-3)
    assert p == pytest.approx(4.17e-5, abs=5e-8)


def test_where_nobody_is_left_survival_is_0_and_the_incidence_still_has_a_variance():
    made = curves.curve(np.array([1.0, 2.0, 3.0]), np.array([1, 2, 1]))
    assert made.survival[-1] == made.survival_variance[-1] == 0
    assert made.incidence[-1] == pytest.approx(2 / 3)
    assert np.isfinite(made.variance).all()


def test_intervals_of_the_incidence_hold_it_as_often_as_they_should():
    rounds, inside = 300, 0
    nodes, chance = np.polynomial.hermite_e.hermegauss(40)
    both = 0.1 + 0.05 * np.exp(0.5 * nodes)
    truth = (chance / chance.sum()) @ (0.1 / both * (1 - np.exp(-both * 5)))
    for seed in range(rounds):
        _, years, event = simulated(150, [12, seed], beta=np.zeros(1), death=0.05)
        made = curves.curve(years, event)
        low, high = curves.limits(made.at(made.incidence, 5.0), made.at(made.variance, 5.0))
        inside += low <= truth <= high
    assert abs(inside / rounds - 0.95) < 0.045


@pytest.mark.parametrize("groups", [2, 3])
def test_log_rank_is_the_score_test_of_the_cox_model_without_ties(groups):
    _, years, event = simulated(240, 9)
    group = np.arange(240) % groups
    indicators = (group[:, None] == np.arange(1, groups)).astype(float)
    data = cox.ordered(years, event == 1)
    _, score, information = cox.likelihood(np.zeros(groups - 1), indicators[data.order], data)
    statistic, p = curves.log_rank(years, event, group)
    assert statistic == pytest.approx(score @ np.linalg.solve(information, score), rel=1e-9)
    assert 0 < p < 1


def test_log_rank_keeps_the_digits_of_a_small_p():
    years = np.r_[np.linspace(1, 2, 200), np.linspace(3, 4, 200)]
    statistic, p = curves.log_rank(years, np.ones(400, int), np.repeat([0, 1], 200))
    assert statistic > 100
    assert 0 < p < 1e-20


def test_log_rank_of_groups_never_at_risk_together_is_not_known():
    years = np.array([1.0, 1.0, 5.0, 6.0])
    assert np.isnan(curves.log_rank(years, np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]))).all()
