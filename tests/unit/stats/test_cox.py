"""Proportional hazards: the same as statsmodels, planted hazard ratios inside their intervals, risks that add up."""

import numpy as np
import pytest
from statsmodels.duration.hazard_regression import PHReg

from ecgwas.stats.survival import cox

BETA = np.array([0.7, -0.4, 0.0])


def simulated(n, seed, beta=BETA, ties=False, death=0.05, censor=0.1):
    """Exponential times of event, death and end; ties: whole months."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, len(beta)))
    first = rng.exponential(1 / (0.1 * np.exp(x @ beta)))
    second = rng.exponential(1 / (death * np.exp(0.5 * x[:, 0])))
    ends = np.column_stack([np.minimum(rng.exponential(1 / censor, n), 15.0), first, second])
    years, event = ends.min(1), ends.argmin(1)
    return x, np.ceil(years * 12) / 12 if ties else years, event


@pytest.mark.parametrize("ties", [False, True])
def test_the_same_as_statsmodels(ties):
    x, years, event = simulated(300, 1, ties=ties)
    ours = cox.fit(x, years, event == 1)
    theirs = PHReg(years, x, status=(event == 1).astype(int), ties="efron").fit(disp=0, method="newton", tol=1e-12)
    assert ours.converged
    np.testing.assert_allclose(ours.beta, theirs.params, atol=1e-6)
    np.testing.assert_allclose(ours.covariance, theirs.cov_params(), atol=1e-6)
    assert ours.log_likelihood == pytest.approx(theirs.llf, abs=1e-6)


@pytest.mark.parametrize("ties", [False, True])
def test_gradient_and_information_are_derivatives(ties):
    x, years, event = simulated(60, 2, ties=ties)
    data = cox.ordered(years, event == 1)
    z, b, h = x[data.order], np.array([0.3, 0.1, -0.2]), 1e-5
    _, gradient, information = cox.likelihood(b, z, data)
    ends = [[cox.likelihood(b + sign * h * e, z, data) for sign in (1, -1)] for e in np.eye(3)]
    np.testing.assert_allclose(gradient, [(u[0] - d[0]) / (2 * h) for u, d in ends], rtol=1e-5)
    np.testing.assert_allclose(information, [(d[1] - u[1]) / (2 * h) for u, d in ends], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("ties", [False, True])
def test_planted_hazard_ratios_lie_inside_their_intervals_as_often_as_they_should(ties):
    rounds, inside = 200, np.zeros(3)
    for seed in range(rounds):
        x, years, event = simulated(300, [9, seed], ties=ties)
        found = np.log(cox.hazard_ratios(cox.fit(x, years, event == 1), np.ones(3)))
        inside += (found[:, 1] <= BETA) & (found[:, 2] >= BETA)
    assert (np.abs(inside / rounds - 0.95) < 3.5 * np.sqrt(0.95 * 0.05 / rounds)).all()


def test_a_ridge_shrinks_and_bounds_what_has_no_maximum():
    x, years, event = simulated(200, 3)
    free, tied = cox.fit(x, years, event == 1), cox.fit(x, years, event == 1, np.array([0.0, 50.0, 50.0]))
    assert abs(tied.beta[1]) < abs(free.beta[1])
    perfect = (event == 1).astype(float)[:, None]
    assert not cox.fit(perfect, years, event == 1).converged
    assert cox.fit(perfect, years, event == 1, 1.0).converged


def test_incidences_and_survival_add_to_one_and_meet_the_truth():
    x, years, event = simulated(4000, 4, death=0.08)
    a, b = cox.fit(x, years, event == 1), cox.fit(x, years, event == 2)
    at = np.array([1.0, 5.0, 8.0])
    one, two = cox.incidence(a, b, x, at), cox.incidence(b, a, x, at)
    step = np.searchsorted(a.times, at, side="right") - 1, np.searchsorted(b.times, at, side="right") - 1
    hazard = np.exp(a.linear(x))[:, None] * a.baseline[step[0]] + np.exp(b.linear(x))[:, None] * b.baseline[step[1]]
    np.testing.assert_allclose(one + two, 1 - np.exp(-hazard), atol=1e-12)
    rate, other = 0.1 * np.exp(x @ BETA)[:, None], 0.08 * np.exp(0.5 * x[:, [0]])
    truth = rate / (rate + other) * (1 - np.exp(-(rate + other) * at))
    assert np.abs(one - truth).mean() < 0.02
    assert np.isclose(one.mean(0), truth.mean(0), atol=0.015).all()


def test_hazards_that_are_not_proportional_are_seen():
    x, years, event = simulated(2000, 5)
    each, together = cox.proportional(cox.fit(x, years, event == 1), x, years, event == 1)
    assert (each > 0.001).all()
    assert together > 0.001
    rng = np.random.default_rng(6)
    z, u = rng.standard_normal((2000, 1)), rng.exponential(size=2000)
    early = 0.3 * np.exp(z[:, 0])
    changed = np.where(u < early * 2, u / early, 2 + (u - early * 2) / (0.3 * np.exp(-z[:, 0])))
    hit = np.ones(2000, bool)
    assert cox.proportional(cox.fit(z, changed, hit), z, changed, hit)[0][0] < 1e-6


def test_p_of_proportional_hazards_is_uniform_where_they_are():
    found = []
    for seed in range(200):
        x, years, event = simulated(300, [11, seed])
        found.append(cox.proportional(cox.fit(x, years, event == 1), x, years, event == 1)[1])
    assert abs(np.mean(np.array(found) < 0.1) - 0.1) < 3.5 * np.sqrt(0.09 / 200)


def test_more_covariates_than_events_end_without_a_maximum():
    rng = np.random.default_rng([4])
    x, years = rng.standard_normal((60, 30)), rng.exponential(size=60)
    model = cox.fit(x, years, np.arange(60) < 8)
    assert not model.converged
    assert np.isfinite(model.beta).all()
    assert cox.fit(x, years, np.arange(60) < 8, 10.0).converged
