"""Torch engine, Hail's linear_regression_rows and statsmodels: one answer."""

import numpy as np
import pytest

from ecgwas.associations import scan_statistics
from ecgwas.gwas import scan, trait_groups
from ecgwas.gwas.engines.torch_linear import TorchLinear
from ecgwas.hail_session import hail_session

pytestmark = pytest.mark.hail

AF = np.array([0.001, 0.005, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 0.995, 0.999])


@pytest.fixture(scope="module")
def data():
    """Dosages [V, n] with missing calls and fractions, correlated traits, covariates correlated with genotypes."""
    rng = np.random.default_rng(11)
    n, frequencies = 1_500, np.repeat(AF, 2)
    g = rng.binomial(2, frequencies[:, None], (len(frequencies), n)).astype(np.float32)
    g[np.arange(len(g)), rng.integers(0, n, len(g))] = np.where(frequencies > 0.5, 0, 2)
    c = rng.normal(size=(n, 4)) + 0.6 * g[[8, 10, 12, 0]].T
    y = rng.normal(size=(n, 5)) @ rng.normal(size=(5, 5)) + c @ rng.normal(size=(4, 5)) + g[[6]].T
    g[::3] = np.clip(g[::3] + rng.uniform(-0.1, 0.1, g[::3].shape), 0, 2).astype(np.float32)
    g[rng.random(g.shape) < 0.01] = np.nan
    return g, y, c


@pytest.fixture(scope="module")
def by_hail(data):
    """Statistics of the Hail engine, complete traits and traits with missing values, in one session."""
    from ecgwas.gwas.engines import hail_linear, hail_regression

    g, y, c = data
    with hail_session(threads=2, memory_gb=1.5):
        whole = hail_linear.HailLinear(trait_groups.build(y, c)).block(g)
        gaps = hail_linear.HailLinear(trait_groups.build(with_gaps(y), c)).block(g[6:12])
        direct = hail_regression.linear(g, y, c)
    return whole, gaps, direct


def with_gaps(y):
    """The traits with two patterns of missing values."""
    y = y.copy()
    y[:200, 1], y[150:300, 3] = np.nan, np.nan
    return y


def estimates(stats, group):
    t = scan.t_values(stats.r, group.df)
    return scan_statistics.effects(t, stats.gg[:, None], group.yy, group.df)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-6), ("float32", 1e-3)])
def test_torch_equals_hail(data, by_hail, dtype, tolerance):
    g, y, c = data
    made = trait_groups.build(y, c)
    beta, se = estimates(TorchLinear(made, dtype).block(g)[0], made[0])
    theirs, their_se = by_hail[2]
    worst = np.max(np.abs(beta - theirs) / their_se), np.max(np.abs(se - their_se) / their_se)
    print(f"{dtype}: |difference of beta| {worst[0]:.2g} SE, of SE {worst[1]:.2g} SE")
    assert max(worst) < tolerance


def test_hail_equals_statsmodels(data, by_hail):
    import statsmodels.api as sm

    g, y, c = data
    beta, se = by_hail[2]
    for v, row in enumerate(g.astype(float)):
        x = np.column_stack([np.where(np.isnan(row), np.nanmean(row), row), np.ones(len(row)), c])
        found = sm.OLS(y[:, 0], x).fit()
        assert abs(beta[v, 0] - found.params[0]) < 1e-6 * found.bse[0]
        assert abs(se[v, 0] - found.bse[0]) < 1e-6 * found.bse[0]


def test_both_engines_fill_the_same_statistics(data, by_hail):
    g, y, c = data
    made = trait_groups.build(y, c)
    a, b = TorchLinear(made, "float64").block(g)[0], by_hail[0][0]
    np.testing.assert_array_equal(a.n, b.n)
    np.testing.assert_allclose(a.af, b.af, rtol=1e-6)  # the sum of float32 dosages
    np.testing.assert_allclose(a.gg, b.gg, rtol=1e-6)
    np.testing.assert_allclose(a.r, b.r, atol=1e-8)


def test_groups_by_missing_values_are_the_same(data, by_hail):
    g, y, c = data
    made = trait_groups.build(with_gaps(y), c)
    assert [group.name for group in made] == ["all", "g1", "g2", "joint"]
    for a, b in zip(TorchLinear(made, "float64").block(g[6:12]), by_hail[1], strict=True):
        np.testing.assert_allclose(a.r, b.r, atol=1e-8)
        np.testing.assert_allclose(a.gg, b.gg, rtol=1e-6)
