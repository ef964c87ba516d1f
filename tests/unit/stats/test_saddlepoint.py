"""Saddlepoint p, against the exact distribution of the score; type-I error where cases are 1 % of people."""

import numpy as np
import pytest
from scipy import special, stats

from ecgwas.stats import firth, logistic, saddlepoint, sparse_pairs


def carriers_of(n, hets, cases, hits):
    """Genotype [1, n] with `hets` carriers and outcome [n] with `cases`, `hits` of them carriers."""
    g, y = np.zeros(n), np.zeros(n)
    g[:hets] = 1
    y[:hits] = 1
    y[hets : hets + cases - hits] = 1
    return g[None], y


def made(g, y, x=None, penalised=False, everyone=False):
    null = logistic.null_model(y, np.ones((len(y), 1)) if x is None else x, firth=penalised)
    exact = [slice(None)] * len(g) if everyone else sparse_pairs.carriers(g, g.min(axis=1))
    return sparse_pairs.gather(g - g.mean(axis=1, keepdims=True), exact, null)


def exact_p(n, hets, cases, hits, mu):
    """Pr(|S| >= |s|) with half the probability of |s| itself, for S = (1 - f) K1 - f K0, both binomial with mu."""
    f = hets / n
    k1, k0 = np.arange(hets + 1)[:, None], np.arange(0, 12 * cases)[None, :]
    probability = stats.binom.pmf(k1, hets, mu) * stats.binom.pmf(k0, n - hets, mu)
    size = np.abs((1 - f) * (k1 - hets * mu) - f * (k0 - (n - hets) * mu))
    seen = abs((1 - f) * (hits - hets * mu) - f * (cases - hits - (n - hets) * mu))
    return probability[size > seen + 1e-9].sum() + 0.5 * probability[np.abs(size - seen) <= 1e-9].sum()


@pytest.mark.parametrize(("hets", "hits"), [(20, 4), (40, 5), (40, 8), (80, 6), (200, 10)])
def test_p_is_near_the_exact_one_where_the_normal_is_far(hets, hits):
    n, cases = 4000, 40
    g, y = carriers_of(n, hets, cases, hits)
    for everyone in (False, True):
        ours = 2 * stats.norm.sf(abs(saddlepoint.z_values(made(g, y, everyone=everyone))[0]))
        true = exact_p(n, hets, cases, hits, cases / n)
        assert 0.5 < ours / true < 2
    pair = made(g, y)
    normal = 2 * stats.norm.sf(abs(pair.score[0]) / np.sqrt(pair.information[0]))
    assert normal < true / 5


def test_continuous_genotypes_against_the_convolved_distribution():
    """Dosages make the score nearly continuous: its exact law by convolution on a fine grid, carriers one by one."""
    rng = np.random.default_rng(8)
    n, step = 120, 1e-3
    g, y = rng.integers(0, 2000, (1, n)) * step, (np.arange(n) < 12).astype(float)
    g[0, :5] += 1  # so that cases differ from controls
    pair = made(g, y, everyone=True)
    law = np.ones(1)  # of sum g Y in steps; S is that less its mean, since the sum of y is not fixed
    units = np.round((g[0] - g.mean()) / step).astype(int)
    lowest = int(np.minimum(units, 0).sum())
    for unit in units:
        moved = np.zeros(len(law) + abs(unit))
        moved[max(-unit, 0) :][: len(law)] += law * 0.9
        moved[max(unit, 0) :][: len(law)] += law * 0.1
        law = moved
    values = (lowest + np.arange(len(law))) * step - 0.1 * (units * step).sum()
    true = law[np.abs(values) >= abs(pair.score[0]) - step / 2].sum()
    ours = 2 * stats.norm.sf(abs(saddlepoint.z_values(pair)[0]))
    np.testing.assert_allclose(ours, true, rtol=0.03)


def test_balanced_outcomes_and_small_scores_keep_the_normal_p():
    rng = np.random.default_rng(1)
    g, y = rng.binomial(2, 0.3, (20, 3000)).astype(float), np.tile([0.0, 1.0], 1500)
    pair = made(g, y)
    np.testing.assert_allclose(saddlepoint.z_values(pair), pair.score / np.sqrt(pair.information), atol=0.01)
    still = made(np.array([[0.0, 1, 1, 0]]), np.array([0.0, 1, 0, 1]))
    np.testing.assert_allclose(saddlepoint.z_values(still), 0, atol=1e-6)


def test_p_far_in_the_tail_is_finite():
    g, y = carriers_of(5000, 60, 80, 50)
    z = saddlepoint.z_values(made(g, y))[0]
    assert 8 < z < 40


def type_one_error(test, n, cases, macs, alpha):
    """Mean over `macs` of Pr(p <= alpha): exact, since given margins the carriers among cases are hypergeometric."""
    y, errors = (np.arange(n) < cases).astype(float), []
    for mac in macs:
        hits = np.arange(0, min(mac, cases, 25) + 1)
        g = np.zeros((len(hits), n))
        for row, k in zip(g, hits, strict=True):
            row[:k] = 1
            row[cases : cases + mac - k] = 1
        rejected = np.abs(test(g, y)) >= stats.norm.isf(alpha / 2)
        errors.append(stats.hypergeom.pmf(hits, n, mac, cases)[rejected].sum())
    return np.mean(errors)


def score_z(g, y):
    pair = made(g, y)
    return pair.score / np.sqrt(pair.information)


def firth_z(g, y):
    beta, chi2 = firth.approximate(made(g, y, penalised=True))
    return np.sign(beta) * np.sqrt(chi2)


def test_type_one_error_with_one_percent_cases():
    """5,000 people, 50 cases, MAC 20 to 200, no effect: at 1e-4 the score test errs 10 times too often and more, the
    saddlepoint and Firth's test near as often as they say."""
    macs = [20, 24, 30, 40, 55, 75, 100, 140, 200]
    plain, saddle, penalised = (
        type_one_error(test, 5000, 50, macs, 1e-4)
        for test in (score_z, lambda g, y: saddlepoint.z_values(made(g, y)), firth_z)
    )
    print(f"type-I error at 1e-4: score {plain:.2g}, saddlepoint {saddle:.2g}, Firth {penalised:.2g}")
    assert plain > 1e-3
    assert 1e-5 < saddle < 2e-4
    assert 1e-5 < penalised < 2e-4


def test_type_one_error_with_covariates():
    """3,000 people, 1 % cases that covariates predict, 2,000 rare null variants: p < 1e-3 too often by score alone."""
    rng = np.random.default_rng(12)
    n, v = 3000, 2000
    x = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
    y = (rng.random(n) < special.expit(-5.3 + x[:, 1] + 0.5 * x[:, 2])).astype(float)
    g = np.zeros((v, n))
    g[np.arange(v)[:, None], rng.integers(0, n, (v, 30))] = 1
    plain, penalised = made(g, y, x), made(g, y, x, penalised=True)
    limit = stats.norm.isf(5e-4)
    normal = np.mean(np.abs(plain.score) / np.sqrt(plain.information) > limit)
    saddle = np.mean(np.abs(saddlepoint.z_values(plain)) > limit)
    third = np.mean(firth.approximate(penalised)[1] > limit**2)
    assert normal > 4e-3
    assert saddle < 3e-3
    assert third < 3e-3
