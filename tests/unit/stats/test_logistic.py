"""Null models and score tests of 0/1 outcomes, against statsmodels and closed forms."""

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from scipy import special

from ecgwas.gwas.engines import score_test
from ecgwas.gwas.engines.torch_linear import coded
from ecgwas.stats import logistic
from ecgwas.stats.linear import orthonormal


@pytest.fixture(scope="module")
def cohort():
    """600 people, 3 covariates, an offset, 2 outcomes, 40 genotypes with missing calls and frequencies 0.02 to 0.98."""
    rng = np.random.default_rng(4)
    n = 600
    c, offset = rng.normal(size=(n, 3)), rng.normal(scale=0.7, size=n)
    g = rng.binomial(2, np.linspace(0.02, 0.98, 40)[:, None], (40, n)).astype(float)
    eta = -1 + c @ [0.5, -0.3, 0.0] + offset
    y = (rng.random((2, n)) < special.expit(np.stack([eta + 0.3 * g[12], eta - 1]))).astype(float)
    g[rng.random(g.shape) < 0.02] = np.nan
    return y, c, offset, g


def glm(y, x, offset=None):
    return sm.GLM(y, x, family=sm.families.Binomial(), offset=offset).fit(tol=1e-14, maxiter=200)


def test_null_model_with_offset_is_statsmodels_glm(cohort):
    y, c, offset, _ = cohort
    x = sm.add_constant(c)
    ours, theirs = logistic.fit(y[0], x, offset), glm(y[0], x, offset)
    np.testing.assert_allclose(ours.beta, theirs.params, rtol=1e-8)
    np.testing.assert_allclose(ours.se, theirs.bse, rtol=1e-7)
    np.testing.assert_allclose(ours.loglik, theirs.llf, rtol=1e-12)
    assert ours.reason is None


def test_wald_and_likelihood_ratio_are_those_of_statsmodels(cohort):
    y, c, offset, g = cohort
    x, values = sm.add_constant(c), np.nan_to_num(g[20], nan=1.0)
    beta, se, chi2 = logistic.with_genotype(y[1], x, values, offset)
    full, null = glm(y[1], np.column_stack([x, values]), offset), glm(y[1], x, offset)
    np.testing.assert_allclose([beta, se, chi2], [full.params[-1], full.bse[-1], 2 * (full.llf - null.llf)], rtol=1e-7)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-4)])
def test_score_test_of_a_block_is_statsmodels_score_test(cohort, dtype, tolerance):
    y, c, offset, raw = cohort
    g, *_ = coded(raw)
    x = orthonormal(c)
    nulls = [logistic.null_model(outcome, x, offset) for outcome in y]
    u, v = score_test.ScoreTest(nulls, dtype).block(g)
    for t, outcome in enumerate(y):
        model = sm.GLM(outcome, x, family=sm.families.Binomial(), offset=offset)
        null = model.fit(tol=1e-14, maxiter=200)
        for j in range(0, len(g), 7):
            # GLM.score_test takes the columns to add and uses the expected information
            chi2 = null.model.score_test(null.params, exog_extra=g[j][:, None])[0]
            np.testing.assert_allclose(u[j, t] ** 2 / v[j, t], np.squeeze(chi2), rtol=tolerance, atol=tolerance)


def test_without_covariates_the_score_test_is_armitage_trend():
    """n (sum over cases of g - gbar)^2 / (cases share (1 - share) sum (g - gbar)^2): Armitage 1955, in closed form."""
    rng = np.random.default_rng(0)
    g, y = rng.binomial(2, 0.3, (1, 300)).astype(float), (rng.random(300) < 0.2).astype(float)
    u, v = score_test.ScoreTest([logistic.null_model(y, np.ones((300, 1)))], torch.float64).block(g)
    centred = g[0] - g[0].mean()
    trend = (centred @ y) ** 2 / (y.mean() * (1 - y.mean()) * centred @ centred)
    np.testing.assert_allclose(u[0, 0] ** 2 / v[0, 0], trend, rtol=1e-12)


def test_a_genotype_that_covariates_explain_has_no_test(cohort):
    y, c, _, _ = cohort
    g = np.stack([c[:, 0] * 2 + 1, np.full(len(c), 1.0), c[:, 1] + 1e-2 * np.random.default_rng(1).normal(size=len(c))])
    nulls = [logistic.null_model(y[0], orthonormal(c))]
    exact, single = (score_test.ScoreTest(nulls, dtype).block(g.astype(name))
                     for dtype, name in ((torch.float64, "f8"), (torch.float32, "f4")))  # fmt: skip
    assert np.isnan(exact[1][:2]).all()
    assert np.isnan(single[1][1]).all()
    np.testing.assert_allclose(single[1][2], exact[1][2], rtol=5e-3)  # what float32 genotypes leave of it


def test_separation_and_collinearity_have_reasons():
    rng = np.random.default_rng(2)
    x = sm.add_constant(rng.normal(size=(100, 2)))
    y = (x[:, 1] > 0).astype(float)
    assert logistic.fit(y, x).reason == "separated"
    assert logistic.fit(np.zeros(100), x).reason == "separated"
    quasi = np.where(np.arange(100) < 20, 1.0, (rng.random(100) < 0.4))  # one level of a covariate has cases only
    level = np.column_stack([np.ones(100), np.arange(100) < 20]).astype(float)
    assert logistic.fit(quasi, level).reason == "separated"
    assert logistic.fit(quasi, level, firth=True).reason is None
    assert logistic.fit(rng.integers(0, 2, 100), np.column_stack([x, x[:, 1]])).reason == "collinear"
    assert logistic.null_model(y, x).reason == "separated"


def test_a_model_that_plain_steps_overshoot_converges():
    """A far start needs step halving."""
    rng = np.random.default_rng(3)
    x = sm.add_constant(rng.standard_t(2, size=(300, 3)))
    y = (rng.random(300) < special.expit(x @ [0.5, 2, -1, 0.2])).astype(float)
    far = logistic.fit(y, x, start=np.array([8.0, -6, 5, 3]))
    np.testing.assert_allclose(far.beta, glm(y, x).params, rtol=1e-6)
