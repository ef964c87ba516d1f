"""The search finds a maximum, halves a step that goes down, and says when it has not ended."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from ecgwas.stats import CONFIDENCE, Z, newton, ridge


def test_a_step_that_goes_down_is_halved():
    # -log cosh: a whole step from 2 lands far on the other side.
    found = newton.maximise(
        lambda x: -float(np.log(np.cosh(x[0]))),
        lambda x: (-np.tanh(x), 1 / np.cosh(x)[:, None] ** 2),
        np.array([2.0]),
        newton.Stop(change=1e-9),
    )
    assert found.converged
    assert found.at[0] == pytest.approx(0, abs=1e-9)


def test_a_likelihood_without_maximum_does_not_converge():
    found = newton.maximise(
        lambda x: -float(np.log1p(np.exp(-x[0]))),
        lambda x: (1 / (1 + np.exp(x)), (1 / (2 + np.exp(x) + np.exp(-x)))[:, None]),
        np.zeros(1),
        newton.Stop(steps=20, change=1e-9),
    )
    assert not found.converged


def test_ridge_is_that_of_scikit_learn():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 4))
    y = (rng.random(300) < 1 / (1 + np.exp(-x[:, 0] + 1))).astype(float)
    theirs = LogisticRegression(C=1 / 3.0, tol=1e-10, max_iter=1000).fit(x, y)
    assert ridge.logistic(x, y, 3.0) == pytest.approx(np.r_[theirs.intercept_, theirs.coef_[0]], abs=2e-3)


def test_the_quantile_is_that_of_the_level():
    from scipy.stats import norm

    assert norm.ppf((1 + CONFIDENCE) / 2) == Z
