"""Firth's method, against a published example, closed forms, and the fast form against the exact one."""

import numpy as np
import polars as pl
import pytest
from scipy import special, stats

from ecgwas.stats import firth, logistic, sparse_pairs


@pytest.fixture(scope="module")
def endometrial(project):
    """Outcome and design (intercept, PI, EH, NV) of Heinze & Schemper 2002, where NV separates."""
    table = pl.read_csv(project / "tests" / "reference" / "endometrial.csv")
    x = table.select(pl.lit(1.0).alias("one"), "PI", "EH", "NV").cast(pl.Float64).to_numpy()
    return table["HG"].to_numpy().astype(float), x


def test_published_example(project, endometrial):
    """Estimates and standard errors of R's brglm2, which are those that Heinze & Schemper print."""
    y, x = endometrial
    known = pl.read_csv(project / "tests" / "reference" / "endometrial_firth.csv")
    order = [known["term"].to_list().index(name) for name in ("(Intercept)", "PI", "EH", "NV")]
    found = logistic.fit(y, x, firth=True)
    np.testing.assert_allclose(found.beta, known["beta"].to_numpy()[order], rtol=1e-6)
    np.testing.assert_allclose(found.se, known["se"].to_numpy()[order], rtol=1e-6)
    np.testing.assert_allclose(found.beta, [3.77455951, -0.03475175, -2.60416387, 2.92927330], rtol=1e-6)  # logistf
    beta, se, _ = firth.exact(y, x[:, :3], x[:, 3])
    np.testing.assert_allclose([beta, se], [found.beta[3], found.se[3]], rtol=1e-7)
    assert logistic.fit(y, x).reason == "separated"


@pytest.mark.parametrize("end", [0.6097244, 7.85463171])
def test_profile_likelihood_at_the_ends_of_the_published_interval(endometrial, end):
    """At both ends of logistf's 95 % interval of NV the penalised likelihood ratio is the 95 % point of chi-square."""
    y, x = endometrial
    full = logistic.fit(y, x, firth=True)
    held = logistic.fit(y, x, firth=True, start=np.array([0, 0, 0, end]), free=3)
    assert held.reason is None
    assert held.beta[3] == end
    np.testing.assert_allclose(2 * (full.loglik - held.loglik), stats.chi2.ppf(0.95, 1), rtol=1e-5)


def test_two_by_two_table_is_the_table_with_a_half_added():
    a, b, c, d = 7, 0, 20, 73
    g, y = np.repeat([1.0, 1, 0, 0], [a, b, c, d]), np.repeat([1.0, 0, 1, 0], [a, b, c, d])
    beta, _, chi2 = firth.exact(y, np.ones((len(y), 1)), g)
    np.testing.assert_allclose(beta, np.log((a + 0.5) * (d + 0.5) / ((b + 0.5) * (c + 0.5))), rtol=1e-7)
    assert chi2 > 0


@pytest.fixture(scope="module")
def unbalanced():
    """4,000 people, 3 covariates, 120 cases, 30 rare and common variants, some with effects."""
    rng = np.random.default_rng(6)
    n = 4000
    x = np.column_stack([np.ones(n), rng.normal(size=(n, 3))])
    g = rng.binomial(2, np.geomspace(0.004, 0.4, 30)[:, None], (30, n)).astype(float)
    eta = -4.2 + x[:, 1:] @ [0.6, -0.4, 0.2] + 1.8 * g[2] - 0.8 * g[25] + 1.0 * g[20]
    return (rng.random(n) < special.expit(eta)).astype(float), x, g


def fast(y, x, g, sparse=sparse_pairs.SPARSE):
    null = logistic.null_model(y, x, firth=True)
    assert np.abs(x.T @ null.e).max() < 1e-6
    centre = g.mean(axis=1, keepdims=True)
    exact = sparse_pairs.carriers(g, g.min(axis=1))
    made = sparse_pairs.gather(g - centre, exact if sparse else [slice(None)] * len(g), null)
    return made, firth.approximate(made)


def test_fast_form_is_close_to_the_exact_one(unbalanced):
    """z within 0.1 and beta within 10 % and 0.1 SE, from 30 carriers to common variants, z up to 4."""
    y, x, g = unbalanced
    _, (beta, chi2) = fast(y, x, g)
    exact = np.array([firth.exact(y, x, row) for row in g])
    np.testing.assert_array_less(np.abs(beta - exact[:, 0]), 0.1 * exact[:, 1] + 0.1 * np.abs(exact[:, 0]))
    np.testing.assert_array_less(np.abs(np.sqrt(chi2) - np.sqrt(exact[:, 2])), 0.1)
    assert exact[:, 2].max() > 15


def test_carriers_alone_give_what_everyone_gives(unbalanced):
    y, x, g = unbalanced
    (sparse, few), (whole, all_) = fast(y, x, g), fast(y, x, g, sparse=0)
    np.testing.assert_allclose(sparse.score, whole.score, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(sparse.information, whole.information, rtol=1e-9)
    np.testing.assert_allclose(few[0], all_[0], atol=5e-3)
    assert sparse.g.shape[1] == whole.g.shape[1]  # common variants count everyone


def test_the_null_of_the_fast_form_has_the_slope_of_the_exact_one(unbalanced):
    """Without covariates but the intercept and with everyone counted, the slope at 0 is g~'(y - mu + h(1/2 - mu)) and
    the penalty's, by numerical differences of the profile."""
    y, x, g = unbalanced
    made, _ = fast(y, x[:, :1], g, sparse=0)
    step = np.full(len(g), 1e-5)
    above, below = firth.profile(made, step), firth.profile(made, -step)
    np.testing.assert_allclose((above[0] - below[0]) / 2e-5, firth.profile(made, 0 * step)[1], rtol=1e-4, atol=1e-5)
