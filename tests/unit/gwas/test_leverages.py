"""The law of the joint test given people's leverages: permutation by brute force, normal traits, dosages, tails."""

import numpy as np
import pytest
from scipy import stats

from ecgwas.gwas import trait_groups
from ecgwas.gwas.engines import joint, leverages
from ecgwas.gwas.engines.torch_linear import TorchLinear
from ecgwas.stats import tails


def uneven(n, k, seed, df=6):
    """Traits [n, k] of people who differ in size: log-normal noise, heavy tails, a fifth recorded twice."""
    rng = np.random.default_rng(seed)
    size = np.exp(0.2 * rng.normal(size=n)) / np.sqrt(rng.chisquare(df, n) / df)
    return rng.normal(size=(n, k)) * (size * np.where(rng.random(n) < 0.2, np.sqrt(0.5), 1))[:, None]


def joint_test(g, y, c, dtype="float64"):
    """R², features and -log10 p [V] of genotypes `g` [V, n]."""
    made = trait_groups.build(y, c)[0]
    found = TorchLinear([made], dtype).block(g)[0]
    r2 = joint.r_squared(found.r, made.w)
    return r2, found.carriers, joint.neg_log10_p(r2, found.carriers, made)


def by_f(r2, n, k, c):
    """-log10 p of the F test of R² with c covariates and the intercept."""
    return tails.from_r2(r2, k, n - 1 - c - k)


@pytest.mark.parametrize(("mac", "k"), [(15, 8), (20, 16), (20, 64), (60, 32)])
def test_rates_under_permutation_are_nominal_where_those_of_the_f_test_are_not(mac, k):
    """Random carriers, 40,000 of them: p below 1e-2 and 1e-3 within 99.9 % Poisson bounds."""
    rng = np.random.default_rng(mac + k)
    n, times = 800, 40_000
    y, c = uneven(n, k, 1), rng.normal(size=(n, 2))
    p, naive = [], []
    for _ in range(times // 4000):
        g = np.zeros((4000, n), np.float32)
        np.put_along_axis(g, np.argsort(rng.random((4000, n)), axis=1)[:, :mac], 1, axis=1)
        r2, _, found = joint_test(g, y, c, "float32")
        p.append(10**-found)
        naive.append(10 ** -by_f(r2, n, k, 2))
    p, naive = np.concatenate(p), np.concatenate(naive)
    p = p[np.isfinite(p)]
    assert len(p) > (0.9 if mac >= 20 else 0.6) * times
    for level in (1e-2, 1e-3):
        low, high = stats.poisson.interval(0.999, len(p) * level)
        assert low <= (p < level).sum() <= high
    if k >= 16 and mac <= 20:
        assert (naive < 1e-3).mean() > 2e-3


def test_moments_are_those_of_brute_force_permutation_within_classes_of_leverage():
    """Given the carriers' leverages: mean, SD and skewness over people drawn anew from the same class of leverage."""
    n, k, mac = 600, 12, 30
    y = uneven(n, k, 2)
    made = trait_groups.build(y, np.zeros((n, 0)))[0]
    u, rng = made.unit @ made.w, np.random.default_rng(3)
    order = np.argsort(made.leverages.relative).reshape(mac, -1)  # classes of 20 people nearly alike
    g = np.zeros((30_000, n), np.float32)
    chosen = order[np.arange(mac), rng.integers(0, order.shape[1], (len(g), mac))]
    np.put_along_axis(g, chosen, 1, axis=1)
    r2 = np.square((g - mac / n) @ u).sum(axis=1) / (mac * (1 - mac / n))
    features = TorchLinear([made], "float32").block(g)[0].carriers
    alone = leverages.Leverages(**(vars(made.leverages) | {"shrinkage": 1.0}))
    m1, m2, m3 = leverages.moments(alone, features)
    sd = np.sqrt(m2 - m1**2)
    z, skewness = (r2 - m1) / sd, (m3 - 3 * m1 * m2 + 2 * m1**3) / sd**3
    assert z.mean() == pytest.approx(0, abs=0.03)
    assert z.std() == pytest.approx(1, abs=0.03)
    assert stats.skew(z) == pytest.approx(skewness.mean(), rel=0.15)


def test_pairs_sum_to_what_a_projection_has():
    q = np.linalg.qr(np.random.default_rng(4).standard_t(4, size=(300, 20)))[0]
    h = (q**2).sum(axis=1)
    r, square = leverages.pairs(h), (q @ q.T) ** 2
    np.testing.assert_allclose(r * (r.sum() - r), square.sum(axis=1) - np.diag(square), rtol=1e-9)


@pytest.mark.parametrize("k", [2, 6, 24])
def test_common_variants_have_the_p_of_the_f_test(k):
    rng = np.random.default_rng(k)
    n = 5000
    y, c = rng.normal(size=(n, k)), rng.normal(size=(n, 3))
    g = rng.binomial(2, 0.3, (40, n)).astype(np.float32)
    y[:, 0] += 0.1 * g[0]
    r2, _, found = joint_test(g, y, c)
    np.testing.assert_allclose(found, by_f(r2, n, k, 3), rtol=0.02, atol=0.01)


@pytest.mark.parametrize("mac", [10, 40])
def test_uniform_for_normal_traits_at_low_counts(mac):
    rng = np.random.default_rng(mac)
    n, g = 300, np.zeros((1, 300), np.float32)
    g[0, :mac] = 1
    p = np.array([10 ** -joint_test(g, rng.normal(size=(n, 6)), np.zeros((n, 0)))[2][0] for _ in range(600)])
    assert stats.kstest(p, "uniform").pvalue > 1e-3


def test_p_falls_as_the_effect_grows_and_stays_finite():
    n, k, rng = 1000, 16, np.random.default_rng(7)
    y, g = uneven(n, k, 5), np.zeros((1, n), np.float32)
    g[0, rng.permutation(n)[:25]] = 1
    made = trait_groups.build(y, np.zeros((n, 0)))[0]
    found, features = made.leverages, TorchLinear([made], "float64").block(g)[0].carriers
    r2 = np.linspace(0.001, 1, 500)
    p = leverages.neg_log10_p(r2, np.repeat(features, 500, axis=0), found)
    assert np.isfinite(p).all()
    assert (np.diff(p) >= 0).all()
    assert p[-1] > 100


def test_dosages_alleles_of_either_strand_and_covariates_enter_as_their_residual():
    """Features equal those of the residuals formed one by one: dosages, two alleles in one person, missing calls."""
    rng = np.random.default_rng(8)
    n, k = 500, 10
    c = np.column_stack([np.arange(n) < 200, rng.normal(size=n)]).astype(float)
    y = uneven(n, k, 6)
    g = np.clip(rng.binomial(2, 0.03, (6, n)) + rng.normal(0, 0.05, (6, n)), 0, 2).astype(np.float32)
    g[1] = rng.binomial(2, np.where(c[:, 0] > 0, 0.4, 0.01))  # mostly of one population
    g[2] = 2 - g[1]
    g[3] = np.where(rng.random(n) < 0.02, 2, 0)
    g[4, :20] = np.nan
    made = trait_groups.build(y, c)[0]
    found, lev = TorchLinear([made], "float64").block(g)[0].carriers, made.leverages
    whole = np.where(np.isnan(g), np.nanmean(g, axis=1, keepdims=True), g).astype(float)
    for v, structured in enumerate((False, True, True, False, False, False)):
        rest = whole[v] - whole[v].mean() if not structured else whole[v] - made.q @ (made.q.T @ whole[v])
        square = rest**2 / (rest @ rest)
        exact = [square @ lev.relative, square @ lev.pair, (square**2).sum(), square**2 @ lev.pair**2]
        np.testing.assert_allclose(found[v], exact, rtol=1e-6)
    np.testing.assert_allclose(found[1], found[2], rtol=1e-6)
    assert leverages.carriers(found, lev)[3] < (g[3] > 0).sum() + 1


def test_few_carriers_have_no_joint_p():
    rng = np.random.default_rng(9)
    n, g = 400, np.zeros((4, 400), np.float32)
    for v, mac in enumerate((1, 5, 12, 40)):
        g[v, rng.permutation(n)[:mac]] = 1
    assert np.isnan(joint_test(g, rng.normal(size=(n, 8)), np.zeros((n, 0)))[2]).tolist() == [True, True, False, False]


def test_a_scaled_beta_of_three_moments():
    """Exact beta, gamma and beta-prime distributions come back from their moments."""
    x = np.array([0.5, 1.0, 2.0])
    beta, gamma, prime = stats.beta(3, 40, scale=20), stats.gamma(4, scale=0.3), stats.betaprime(3, 30, scale=12)
    for law in (beta, gamma, prime):
        found = tails.from_moments(x, *(law.moment(i) for i in (1, 2, 3)))
        np.testing.assert_allclose(found, -np.log10(law.sf(x)), rtol=1e-5)
    far = tails.from_moments(np.array([200.0]), *(gamma.moment(i) for i in (1, 2, 3)))
    assert far[0] == pytest.approx(-stats.gamma(4, scale=0.3).logsf(200.0) / np.log(10), rel=1e-4)
    assert np.isnan(tails.from_moments(1.0, np.nan, 1.0, 1.0))


def test_normal_leverages_need_no_conditioning_and_heavy_ones_nearly_all():
    rng = np.random.default_rng(10)
    q = np.ones((3000, 1)) / np.sqrt(3000)
    alike = leverages.measure(np.linalg.qr(rng.normal(size=(3000, 8)))[0], q)
    assert alike.shrinkage < 0.15
    assert leverages.measure(np.linalg.qr(uneven(3000, 64, 1))[0], q).shrinkage > 0.85
