"""Laws of the sum of single effects: closed forms, invariances, and coverage in a closed loop."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from ecgwas.finemap.credible_sets import credible_sets
from ecgwas.finemap.susie import Options, adjusted_z, best_ratio, log_bayes_factors, susie

PEOPLE, VARIANTS = 1000, 250


def standardised(dosages: np.ndarray) -> np.ndarray:
    centred = dosages - dosages.mean(axis=1, keepdims=True)
    return centred / centred.std(axis=1, keepdims=True)


def scan(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """t statistics [trait, variant] of traits y [trait, person] on standardised genotypes x [variant, person]."""
    y = y - y.mean(axis=1, keepdims=True)
    r = y @ x.T / x.shape[1] / y.std(axis=1, keepdims=True)
    return r * np.sqrt((x.shape[1] - 2) / (1 - r**2))


def planted(genotypes, seed: int, traits: int, causal: int, variance: float = 0.05):
    """x, LD, causal variants [trait, causal] and t of traits with `causal` variants of `variance` each."""
    x = standardised(genotypes(seed, PEOPLE, VARIANTS))
    rng = np.random.default_rng([seed, 2])
    where = np.stack([rng.choice(len(x), causal, replace=False) for _ in range(traits)])
    sign = rng.choice([-1, 1], where.shape)
    y = rng.normal(size=(traits, PEOPLE)) + np.sqrt(variance) * np.einsum("tc,tcn->tn", sign, x[where])
    return x, x @ x.T / PEOPLE, where, scan(x, y)


def fit(t: np.ndarray, R: np.ndarray, **options):
    df = np.full(len(t), PEOPLE - 2.0)
    return susie(adjusted_z(t, df), R, df + 2, Options(max_iterations=200, **options))


def test_adjusted_z_is_scaled_correlation(genotypes):
    x = standardised(genotypes(1, PEOPLE, VARIANTS))
    y = np.random.default_rng(1).normal(size=(2, PEOPLE)) + x[0]
    r = np.corrcoef(np.vstack([y, x]))[:2, 2:]
    np.testing.assert_allclose(adjusted_z(scan(x, y), [PEOPLE - 2] * 2), np.sqrt(PEOPLE - 1) * r, rtol=1e-9)


def test_bayes_factor_is_ratio_of_normal_densities():
    """N(b; 0, V + s²) / N(b; 0, s²) in closed form."""
    b, s2, V = np.array([0.3, -1.2, 0.0]), 0.2, 0.7
    expected = [multivariate_normal.logpdf(v, cov=V + s2) - multivariate_normal.logpdf(v, cov=s2) for v in b]
    np.testing.assert_allclose(log_bayes_factors(b**2 / s2, np.array(V / s2)), expected, rtol=1e-12)


def test_single_effect_is_exact_posterior(genotypes):
    """One effect, fixed variances: enumeration over variants of the multivariate normal z ~ N(0, R + (n-1) V r r')."""
    x = standardised(genotypes(1, PEOPLE, VARIANTS))[::25]
    R, t = x @ x.T / PEOPLE, scan(x, np.random.default_rng(5).normal(size=(1, PEOPLE)) + 0.08 * x[3])
    one = fit(t, R, effects=1, estimate_prior_variance=False, estimate_residual_variance=False, prior_variance=0.2)
    z, weight = adjusted_z(t, [PEOPLE - 2])[0], (PEOPLE - 1) * 0.2
    log_density = [multivariate_normal.logpdf(z, cov=R + weight * np.outer(r, r)) for r in R]
    np.testing.assert_allclose(one.alpha[0, 0], np.exp(log_density - logsumexp(log_density)), atol=1e-7)


def test_prior_variance_maximises_evidence():
    """Against scipy's search from many starts."""
    rng = np.random.default_rng(4)
    chi2 = rng.chisquare(1, (40, 60)) * rng.choice([0.3, 1, 3], (40, 1))
    chi2[::2, 5] += rng.uniform(2, 60, 20)
    flat = np.full(chi2.shape, -np.log(60))

    def loss(u: float, row: np.ndarray) -> float:
        return -logsumexp(log_bayes_factors(row, np.exp(u)) - np.log(60))

    for row, ratio in zip(chi2, best_ratio(chi2, flat), strict=True):
        searches = [minimize_scalar(loss, bounds=(a, a + 4), args=(row,), method="bounded") for a in range(-8, 6, 2)]
        best = min(0.0, *(search.fun for search in searches))
        reached = loss(np.log(ratio), row) if ratio > 0 else 0.0
        assert reached <= best + 1e-6


def test_bound_never_falls(genotypes):
    _, R, _, t = planted(genotypes, 1, 30, 3)
    for path in fit(t, R).elbo:
        assert (np.diff(path) > -1e-6).all()


def test_batch_equals_one_by_one(genotypes):
    _, R, _, t = planted(genotypes, 2, 6, 2)
    together = fit(t, R)
    for k in range(6):
        alone = fit(t[k : k + 1], R)
        np.testing.assert_allclose(together.pip[k], alone.pip[0], atol=1e-9)
        assert together.iterations[k] == alone.iterations[0]


def test_swapped_alleles_and_order_change_nothing(genotypes):
    _, R, _, t = planted(genotypes, 3, 3, 2)
    rng = np.random.default_rng(0)
    order, sign = rng.permutation(VARIANTS), rng.choice([-1, 1], VARIANTS)
    changed = fit((t * sign)[:, order], (R * np.outer(sign, sign))[np.ix_(order, order)])
    np.testing.assert_allclose(changed.pip, fit(t, R).pip[:, order], atol=1e-7)


def test_fewer_variants_than_effects_and_perfect_proxies():
    """Two copies of one causal variant share its probability; a lone variant takes it all."""
    R = np.ones((2, 2))
    pip = fit(np.array([[12.0, 12.0]]), R, effects=10).pip[0]
    assert pip[0] == pytest.approx(pip[1])
    assert fit(np.array([[12.0]]), np.ones((1, 1))).pip[0, 0] == pytest.approx(1)


@pytest.fixture(scope="module")
def many_fits(genotypes):
    """(PIP, is causal, sets with their causal variants) of 8 loci by 40 traits with one or two causal variants."""
    pips, truth, sets = [], [], []
    for seed in range(8):
        _, R, where, t = planted(genotypes, seed, 40, 1 + seed % 2, variance=0.04)
        found = fit(t, R)
        causal = np.zeros(found.pip.shape, bool)
        np.put_along_axis(causal, where, True, axis=1)
        pips.append(found.pip.ravel())
        truth.append(causal.ravel())
        for k in range(len(t)):
            of = credible_sets(found.alpha[k], found.prior_variance[k], found.log_bf[k], R)
            sets += [(causal[k, one.variants].any(), len(one.variants)) for one in of]
    return np.concatenate(pips), np.concatenate(truth), sets


def test_coverage_of_credible_sets(many_fits):
    """95 % sets hold a causal variant in at least 93 %."""
    sets = many_fits[2]
    print(f"{len(sets)} sets, coverage {np.mean([holds for holds, _ in sets]):.3f}")
    assert len(sets) >= 200
    assert np.mean([holds for holds, _ in sets]) >= 0.93


def test_pips_are_calibrated(many_fits):
    """Among variants of PIP about x, a share x is causal: within 4 standard errors and the 3 % of an approximation."""
    pip, causal, _ = many_fits
    for low, high in [(0.02, 0.1), (0.1, 0.3), (0.3, 0.6), (0.6, 0.9), (0.9, 1.01)]:
        inside = (pip >= low) & (pip < high)
        mean = pip[inside].mean()
        assert abs(causal[inside].mean() - mean) < 4 * np.sqrt(mean * (1 - mean) / inside.sum()) + 0.03


def test_null_locus_has_no_set(genotypes):
    """No causal variant: no credible set in at least 95 %."""
    x = standardised(genotypes(5, PEOPLE, VARIANTS))
    R = x @ x.T / PEOPLE
    found = fit(scan(x, np.random.default_rng(9).normal(size=(200, PEOPLE))), R)
    sets = [credible_sets(found.alpha[k], found.prior_variance[k], found.log_bf[k], R) for k in range(200)]
    assert np.mean([not one for one in sets]) >= 0.95
