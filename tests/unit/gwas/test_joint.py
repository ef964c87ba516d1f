"""The joint test: MANOVA, invariance, law under the null."""

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.multivariate.manova import MANOVA

from ecgwas.gwas import trait_groups
from ecgwas.gwas.engines import joint
from ecgwas.gwas.engines.torch_linear import TorchLinear
from ecgwas.stats import tails


def test(g, y, c):
    """-log10 p [V] of the joint test."""
    made = trait_groups.build(y, c)
    found = TorchLinear(made, "float64").block(g)[-1]
    return joint.neg_log10_p(joint.r_squared(found.r, made[-1].w), found.carriers, made[-1])


test.__test__ = False


def test_equals_manova(arrays):
    g, y, c = arrays(n=300, repeat=1, af=(0.05, 0.3, 0.4, 0.5, 0.9))
    g = np.nan_to_num(g)
    found = test(g, y, c)
    made = trait_groups.build(y, c)
    r2 = joint.r_squared(TorchLinear(made, "float64").block(g)[0].r, made[0].w)
    for v in range(len(g)):
        frame = pd.DataFrame(np.column_stack([y, c, g[v]]), columns=["a", "b", "c", "d", "x", "z", "w", "g"])
        table = MANOVA.from_formula("a + b + c + d ~ x + z + w + g", frame).mv_test().results["g"]["stat"]
        assert np.isclose(table.loc["Wilks' lambda", "Value"], 1 - r2[v], rtol=1e-9)
        assert np.isclose(table.loc["Pillai's trace", "Value"], r2[v], rtol=1e-9)
        f, k, df2 = (float(table.loc["Wilks' lambda", name]) for name in ("F Value", "Num DF", "Den DF"))
        assert np.isclose(tails.from_r2(r2[v], k, df2), tails.from_f(f, k, df2), rtol=1e-8)
        if g[v].mean() > 0.5 and r2[v] < 0.3:  # the law given leverages tends to that of F
            assert np.isclose(found[v], tails.from_f(f, k, df2), rtol=0.1, atol=0.02)


def test_does_not_change_with_rotation_and_scale_of_the_traits(arrays):
    g, y, c = arrays()
    mixed = y @ np.random.default_rng(4).normal(size=(y.shape[1], y.shape[1]))
    np.testing.assert_allclose(test(g, mixed, c), test(g, y, c), rtol=1e-8)


def test_one_trait_is_its_t_test(arrays):
    g, y, c = arrays(n_traits=1)
    made = trait_groups.build(y, c)
    r = TorchLinear(made, "float64").block(g)[0].r[:, 0]
    np.testing.assert_allclose(test(g, y, c), tails.from_r2(r**2, 1, made[0].df), rtol=1e-9)


def test_a_repeated_trait_adds_nothing(arrays):
    g, y, c = arrays()
    np.testing.assert_allclose(test(g, np.column_stack([y, y[:, 0] - y[:, 1]]), c), test(g, y, c), rtol=1e-7)


def test_uniform_under_the_null_whatever_the_genotype():
    """Exact with normal traits, 400 trait sets, Kolmogorov-Smirnov; one carrier cannot be told from a large person."""
    rng = np.random.default_rng(5)
    n, c = 120, rng.normal(size=(120, 2))
    g = np.stack([rng.binomial(2, 0.4, n), rng.binomial(1, 0.1, n), np.arange(n) == 7]).astype(np.float32)
    p = np.array([10 ** -test(g, rng.normal(size=(n, 6)), c) for _ in range(400)])
    assert np.isnan(p[:, 2]).all()
    for column in p.T[:2]:
        assert stats.kstest(column, "uniform").pvalue > 1e-3


def test_close_to_summed_chi_square_over_whitened_axes():
    rng = np.random.default_rng(6)
    n, k = 20_000, 8
    g, y = rng.binomial(2, 0.3, (20, n)).astype(np.float32), rng.normal(size=(n, k))
    made = trait_groups.build(y, np.zeros((n, 0)))[0]
    whitened = made.unit @ made.w
    r = TorchLinear(trait_groups.build(whitened, np.zeros((n, 0))), "float64").block(g)[0].r
    np.testing.assert_allclose(test(g, y, np.zeros((n, 0))), tails.from_chi2(n * (r**2).sum(axis=1), k), rtol=0.02)
