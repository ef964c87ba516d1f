"""Tail probabilities against arbitrary-precision arithmetic."""

import mpmath
import numpy as np
import pytest

from ecgwas.stats import tails

DF = [5.0, 30.0, 985.0, 2983.0, 40_000.0, 450_000.0]


def beta_log10(a: float, b: float, x: mpmath.mpf) -> float:
    """-log10 of the regularised incomplete beta function, 60 digits, by its series (all terms positive)."""
    a, b = mpmath.mpf(a), mpmath.mpf(b)
    term = total = mpmath.mpf(1)
    n = 0
    while term > total * mpmath.mpf(10) ** -40:  # 2F1(a + b, 1; a + 1; x), DLMF 8.17.8
        term *= (a + b + n) / (a + 1 + n) * x
        total += term
        n += 1
    log = a * mpmath.log(x) + b * mpmath.log(1 - x) - mpmath.log(a) + mpmath.log(total)
    log -= mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b)
    return -log / mpmath.log(10)


def relative(found: float, exact: mpmath.mpf) -> float:
    return float(abs(found - exact) / exact)


def tolerance(exact: mpmath.mpf) -> float:
    """1e-10 of -log10 p where p is in the range of float64, 1e-8 beyond."""
    return 1e-10 if exact < 300 else 1e-8


@pytest.mark.parametrize("df", DF)
def test_t_matches_arbitrary_precision(df):
    mpmath.mp.dps = 60
    ladder = [0.5, 5.0, 40.0, 200.0, 400.0, 5e3, 1e5]  # targets of -log10 p
    for target in ladder:
        t = float(np.sqrt(df * np.expm1(2 * target * np.log(10) / df))) if target / df < 100 else None
        if t is None or t == 0:
            continue
        x = df / (mpmath.mpf(df) + mpmath.mpf(t) ** 2)
        if x > 0.999:
            continue  # the series of this test is slow there; test_moderate_t has it
        exact = beta_log10(df / 2, 0.5, x)
        assert relative(tails.from_t(t, df).item(), exact) < tolerance(exact), (t, df)


@pytest.mark.parametrize(
    ("t", "df"), [(1e-3, 2983), (0.7, 2983), (5.45, 2983), (30, 40_000), (37, 450_000), (60, 2983)]
)
def test_moderate_t(t, df):
    mpmath.mp.dps = 60
    x = mpmath.mpf(t) ** 2 / (df + mpmath.mpf(t) ** 2)
    exact = -mpmath.log10(1 - mpmath.betainc(0.5, mpmath.mpf(df) / 2, 0, x, regularized=True)) if t < 10 else None
    exact = exact if exact is not None else -mpmath.log10(
        mpmath.betainc(mpmath.mpf(df) / 2, 0.5, 0, 1 - x, regularized=True)
    )  # fmt: skip
    assert relative(tails.from_t(t, df).item(), exact) < tolerance(exact)


@pytest.mark.parametrize("k", [1, 3, 16, 64])
@pytest.mark.parametrize("df2", [100.0, 2968.0, 39_000.0])
@pytest.mark.parametrize("r2", [0.02, 0.1, 0.4, 0.9, 0.999999])
def test_f_matches_arbitrary_precision(k, df2, r2):
    mpmath.mp.dps = 60
    exact = beta_log10(df2 / 2, k / 2, 1 - mpmath.mpf(r2))
    allowed = tolerance(exact) * float(exact) + 1e-15  # p = 1 is as near as p - 1 can be told from 0
    assert abs(tails.from_r2(r2, k, df2).item() - float(exact)) < allowed
    f = mpmath.mpf(r2) / k / ((1 - mpmath.mpf(r2)) / df2)
    assert abs(tails.from_f(float(f), k, df2).item() - float(exact)) < 10 * allowed


@pytest.mark.parametrize("k", [1, 2, 16, 200])
@pytest.mark.parametrize("chi2", [0.3, 10.0, 1e3, 1.4e3, 1e4, 4.6e5])
def test_chi2_matches_arbitrary_precision(k, chi2):
    mpmath.mp.dps = 60
    exact = -mpmath.log10(mpmath.gammainc(mpmath.mpf(k) / 2, mpmath.mpf(chi2) / 2, regularized=True))
    found = tails.from_chi2(chi2, k).item()
    assert float(abs(found - exact)) <= tolerance(exact) * float(exact) + 1e-16


def test_reaches_one_hundred_thousand_and_stays_monotone():
    t = np.geomspace(1e-3, 1e36, 2_000)
    p = tails.from_t(t, 2983)
    assert np.isfinite(p).all()
    assert (np.diff(p) > 0).all()
    assert p[-1] > 1e5
    assert tails.from_t(60.0, 2983) > 300  # where p itself is still a float, and its logarithm by scipy is not


def test_agreement_of_t_f_and_r2_and_of_missing_values():
    t, df = np.array([0.1, 3.0, 50.0]), 500.0
    np.testing.assert_allclose(tails.from_f(t**2, 1, df), tails.from_t(t, df), rtol=1e-12)
    np.testing.assert_allclose(tails.from_r2(t**2 / (t**2 + df), 1, df), tails.from_t(t, df), rtol=1e-10)
    assert np.isnan(tails.from_t(np.nan, 10))
    assert tails.from_t(0.0, 10) == 0
