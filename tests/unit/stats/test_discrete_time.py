"""Discrete-time hazards: the logistic regression on person-intervals, chances that add to one, the truth met."""

import numpy as np
import statsmodels.api as sm
from tests.unit.stats.test_cox import BETA, simulated

from ecgwas.stats.survival import discrete_time


def test_the_same_as_a_logistic_regression_on_person_intervals():
    x, years, event = simulated(400, 1)
    model = discrete_time.fit(x, years, event)
    weight, happened, _ = discrete_time.exposed(years, event, model.edges)
    rows, columns = np.nonzero(weight > 0)
    design = np.column_stack([np.eye(weight.shape[1])[columns], (x - x.mean(0))[rows]])
    y, w = happened[rows, columns].astype(float), weight[rows, columns]
    theirs = sm.GLM(y, design, family=sm.families.Binomial(), freq_weights=w).fit(tol=1e-12)
    np.testing.assert_allclose(np.concatenate([model.level[0], model.beta[0]]), theirs.params, atol=1e-5)


def test_chances_add_to_one_and_meet_the_truth():
    x, years, event = simulated(5000, 2)
    model = discrete_time.fit(x, years, event)
    first, second, alive = discrete_time.chances(model, x)
    np.testing.assert_allclose(first + second + alive, 1, atol=1e-12)
    at = np.array([1.0, 5.0])
    rate, other = 0.1 * np.exp(x @ BETA)[:, None], 0.05 * np.exp(0.5 * x[:, [0]])
    truth = rate / (rate + other) * (1 - np.exp(-(rate + other) * at))
    told = discrete_time.incidence(model, x, at)
    assert np.abs(told - truth).mean() < 0.03
    assert np.isclose(told.mean(0), truth.mean(0), atol=0.015).all()
    assert np.isnan(discrete_time.incidence(model, x, np.array([99.0]))).all()


def test_a_ridge_shrinks_and_few_events_make_few_intervals():
    x, years, event = simulated(300, 3)
    free, tied = discrete_time.fit(x, years, event), discrete_time.fit(x, years, event, 100.0)
    assert (np.abs(tied.beta[0][:2]) < np.abs(free.beta[0][:2])).all()
    few = np.where(np.cumsum(event == 1) > 7, 0, event)
    assert len(discrete_time.edges(years, few)) == 2
