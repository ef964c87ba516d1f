"""The torch engine: ordinary least squares, and what becomes of variants without information."""

import numpy as np
import pytest

from ecgwas.associations import scan_statistics
from ecgwas.gwas import scan, sumstats, trait_groups
from ecgwas.gwas.engines.torch_linear import TorchLinear
from ecgwas.stats import linear


def estimates(g, y, c, dtype, block=TorchLinear):
    """beta, SE [V, T] by the engine in one group."""
    made = trait_groups.build(y, c)
    found = block(made, dtype).block(g)[0]
    t = scan.t_values(found.r, made[0].df)
    return scan_statistics.effects(t, found.gg[:, None], made[0].yy, made[0].df)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-6), ("float32", 1e-3)])
def test_equals_statsmodels(arrays, ols, dtype, tolerance):
    g, y, c = arrays()
    beta, se = estimates(g, y, c, dtype)
    exact, exact_se = ols(g, y, c)
    assert np.max(np.abs(beta - exact) / exact_se) < tolerance
    assert np.max(np.abs(se - exact_se) / exact_se) < tolerance


def test_float32_near_collinear_variant_is_computed_in_float64(arrays, ols):
    g, y, c = arrays(repeat=1)
    c[:, 0] = np.nan_to_num(g[3]) + 1e-3 * np.random.default_rng(2).normal(
        size=len(c)
    )  # leaves about 1e-5 of its variance
    g = np.nan_to_num(g)
    beta, _se = estimates(g, y, c, "float32")
    exact, exact_se = ols(g, y, c)
    assert np.max(np.abs(beta - exact) / exact_se) < 1e-3


def test_residual_trait_gives_the_same_numbers(arrays):
    """Frisch-Waugh-Lovell: covariates may be taken out of the trait first, at the same degrees of freedom."""
    g, y, c = arrays()
    q = linear.orthonormal(c)
    for a, b in zip(estimates(g, y, c, "float64"), estimates(g, linear.project_out(q, y), c, "float64"), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)


def test_swapped_alleles_change_the_sign_only(arrays):
    g, y, c = arrays()
    beta, se = estimates(g, y, c, "float64")
    other, other_se = estimates(2 - g, y, c, "float64")
    np.testing.assert_allclose(beta, -other, rtol=1e-9)
    np.testing.assert_allclose(se, other_se, rtol=1e-9)


def test_variants_without_information_have_a_reason(arrays):
    g, y, c = arrays(repeat=1)
    g = np.concatenate(
        [g[:2], np.full((1, g.shape[1]), 2.0), np.full((1, g.shape[1]), np.nan), c[None, :, 0] * 0.1 + 1]
    )
    found = TorchLinear(trait_groups.build(y, c)).block(g.astype(np.float32))[0]
    assert sumstats.reason(found) == [None, None, "monomorphic", "no_calls", "collinear"]
    assert np.isnan(found.r[2:]).all()
    assert np.isfinite(found.r[:2]).all()
    assert found.n.tolist()[2:4] == [g.shape[1], 0]


def test_collinear_covariates_cost_no_degree_of_freedom(arrays):
    g, y, c = arrays()
    twice = np.column_stack([c, c[:, 0] * 2 + 1])
    for a, b in zip(estimates(g, y, c, "float64"), estimates(g, y, twice, "float64"), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)


def test_planted_effect_is_recovered_and_covers():
    rng = np.random.default_rng(3)
    n, effect = 500, 0.25
    g = rng.binomial(2, 0.3, (1, n)).astype(np.float32)
    y = effect * g.T + rng.normal(size=(n, 400))
    beta, se = estimates(g, y, np.zeros((n, 0)), "float64")
    assert abs(beta.mean() - effect) < 4 * se.mean() / np.sqrt(400)
    assert 0.92 < np.mean(np.abs(beta - effect) < 1.96 * se) < 0.98


@pytest.mark.parametrize("imputed", [False, True])
def test_float32_does_not_lose_precision_as_people_grow(imputed):
    """Squares and products added over 100,000 people in float32 alone would be 1e-4 of themselves off."""
    rng = np.random.default_rng(7)
    n = 100_000
    g = rng.binomial(2, [[0.3], [0.02], [0.5]], (3, n)).astype(np.float32)
    if imputed:
        g = np.clip(g + rng.normal(0, 0.1, g.shape), 0, 2).astype(np.float32)
    c = np.column_stack([np.ones(n) + rng.normal(size=n), rng.integers(0, 2, n)])
    y = g.T @ np.array([[0.0, 0.15], [0.1, 0.0], [0.1, 0.0]]) + c.sum(1, keepdims=True) + rng.normal(size=(n, 2))
    (beta, se), (exact, exact_se) = (estimates(g, y, c, dtype) for dtype in ("float32", "float64"))
    assert np.abs(exact / exact_se).max() > 25
    assert np.max(np.abs(beta - exact) / exact_se) < 1e-5
    assert np.max(np.abs(se / exact_se - 1)) < 1e-6
