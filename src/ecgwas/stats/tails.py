"""Test statistics -> -log10 p, finite and accurate where p itself underflows.

Everything rests on two upper tails: the regularised incomplete beta function I_x(a, b) for t and F, and the
regularised upper incomplete gamma function Q(a, x) for chi-square. Where p is a normal number scipy's (Boost)
values are used; beyond, the logarithm of the leading factor plus a continued fraction evaluated with Lentz's method.
"""

from collections.abc import Callable

import numpy as np
from scipy import special

UNDERFLOW = 1e-280  # below this p is computed as a logarithm
LN10 = np.log(10.0)
TINY = 1e-300

Term = Callable[[int, np.ndarray], np.ndarray]


def _lentz(first: np.ndarray, numerator: Term, denominator: Term, tolerance: float = 1e-15) -> np.ndarray:
    """first + n_1/(d_1 + n_2/(d_2 + …)) by modified Lentz (Thompson & Barnett 1986, J Comput Phys 64:490)."""
    value = np.where(first == 0, TINY, first)
    c, d = value.copy(), np.zeros_like(value)
    for m in range(1, 20_000):
        n, e = numerator(m, value), denominator(m, value)
        d = e + n * d
        d = 1 / np.where(d == 0, TINY, d)
        c = e + n / c
        c = np.where(c == 0, TINY, c)
        value = value * c * d
        if np.all(np.abs(c * d - 1) < tolerance):
            return value
    raise ArithmeticError("continued fraction did not converge")


def log_beta_tail(a: np.ndarray, b: np.ndarray, log_x: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """ln I_x(a, b) for x < (a + 1)/(a + b + 2), y = 1 - x: x^a y^b / (a B(a, b)) over the fraction (DLMF 8.17.22)."""

    def numerator(m: int, _: np.ndarray) -> np.ndarray:
        k = m // 2
        if m % 2:
            return -(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1))
        return k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k))

    fraction = _lentz(np.ones_like(x), numerator, lambda m, v: np.ones_like(v))
    return a * log_x + b * np.log(y) - np.log(a) - special.betaln(a, b) - np.log(fraction)


def log_gamma_tail(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """ln Q(a, x) for x > a + 1: Legendre's fraction, NIST DLMF 8.9.2."""
    fraction = _lentz(x + 1 - a, lambda m, _: -m * (m - a), lambda m, _: x + 2 * m + 1 - a)
    return a * np.log(x) - x - special.gammaln(a) - np.log(fraction)


def _beta(a: np.ndarray, b: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """I_x(a, b) from the smaller of x and y = 1 - x, which is the more accurate one."""
    out, near = np.empty_like(x), x < 0.5
    out[near] = special.betainc(a[near], b[near], x[near])
    out[~near] = special.betaincc(b[~near], a[~near], y[~near])
    return out


def _neg_log10_beta(a: np.ndarray, b: np.ndarray, log_x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """-log10 I_x(a, b), given ln x and y = 1 - x, each accurate where it is small."""
    x = np.exp(log_x)
    p = _beta(a, b, x, y)
    with np.errstate(divide="ignore"):
        out = -np.log(p) / LN10
    large, far = p >= 0.5, p < UNDERFLOW
    out[large] = -np.log1p(-_beta(b[large], a[large], y[large], x[large])) / LN10
    if far.any():
        out[far] = -log_beta_tail(a[far], b[far], log_x[far], x[far], y[far]) / LN10
    return out + 0.0  # no negative zero


def _apply(function: Callable[..., np.ndarray], *values: np.ndarray | float) -> np.ndarray:
    """`function` of broadcast float64 arrays, NaN where any value is NaN."""
    arrays = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in values))
    out = np.full(arrays[0].shape, np.nan)
    good = np.all([np.isfinite(v) for v in arrays], axis=0)
    if good.any():
        out[good] = function(*(v[good] for v in arrays))
    return out


def from_t(t: np.ndarray | float, df: np.ndarray | float) -> np.ndarray:
    """Two-sided -log10 p of Student's t: I_x(df/2, 1/2) with x = df/(df + t^2) (Abramowitz & Stegun 26.7.1).

    With infinite df, of the normal distribution.
    """

    def tail(t: np.ndarray, df: np.ndarray) -> np.ndarray:
        ratio = (t / np.sqrt(df)) ** 2
        return _neg_log10_beta(df / 2, np.full_like(t, 0.5), -np.log1p(ratio), ratio / (1 + ratio))

    t, df = np.broadcast_arrays(np.asarray(t, dtype=float), np.asarray(df, dtype=float))
    normal = np.isposinf(df)
    out = _apply(tail, t, np.where(normal, np.nan, df))
    if normal.any():
        out[normal] = from_chi2(t[normal] ** 2, 1)
    return out


def from_r2(r2: np.ndarray | float, df1: np.ndarray | float, df2: np.ndarray | float) -> np.ndarray:
    """-log10 p of F = (r2/df1)/((1 - r2)/df2), for r2 a squared multiple correlation: I_(1-r2)(df2/2, df1/2)."""

    def tail(r2: np.ndarray, df1: np.ndarray, df2: np.ndarray) -> np.ndarray:
        r2 = np.clip(r2, 0, 1 - 1e-16)
        return _neg_log10_beta(df2 / 2, df1 / 2, np.log1p(-r2), r2)

    return _apply(tail, r2, df1, df2)


def from_f(f: np.ndarray | float, df1: np.ndarray | float, df2: np.ndarray | float) -> np.ndarray:
    """-log10 p of F with df1, df2 degrees of freedom (Abramowitz & Stegun 26.6.2)."""

    def tail(f: np.ndarray, df1: np.ndarray, df2: np.ndarray) -> np.ndarray:
        ratio = f * df1 / df2
        return _neg_log10_beta(df2 / 2, df1 / 2, -np.log1p(ratio), ratio / (1 + ratio))

    return _apply(tail, f, df1, df2)


def from_chi2(chi2: np.ndarray | float, df: np.ndarray | float) -> np.ndarray:
    """-log10 p of chi-square with df degrees of freedom: Q(df/2, chi2/2) (Abramowitz & Stegun 26.4.2)."""

    def tail(chi2: np.ndarray, df: np.ndarray) -> np.ndarray:
        a, x = df / 2, chi2 / 2
        with np.errstate(divide="ignore"):
            p, complement = special.gammaincc(a, x), special.gammainc(a, x)
            out = np.where(p < 0.5, -np.log(p), -np.log1p(-complement)) / LN10
        far = p < UNDERFLOW
        if far.any():
            out[far] = -log_gamma_tail(a[far], x[far]) / LN10
        return out + 0.0

    return _apply(tail, chi2, df)


NEARLY_GAMMA = 1e-9  # of the mean: below this difference a scaled beta distribution is a gamma distribution
LARGE = 1e9  # in place of an infinite parameter of the beta distribution


def beta_of_moments(m1: np.ndarray, m2: np.ndarray, m3: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """p, s, L of the distribution on [0, L] with raw moments m_k = L^k p(p+1)…/(s(s+1)…): a beta(p, s - p).

    From the ratios a_k = m_k/m_(k-1) = L (p + k - 1)/(s + k - 1). Towards L = infinity it is a gamma distribution;
    where L and s are negative, beyond it, a scaled beta prime with p and 1 - s (Pearson's types I, III, VI; Johnson,
    Kotz & Balakrishnan 1994, Continuous Univariate Distributions 1, chapter 12).
    """
    first, second, third = m1, m2 / m1, m3 / m2
    apart = 2 * second - first - third
    apart = np.where(np.abs(apart) < NEARLY_GAMMA * first, NEARLY_GAMMA * first, apart)
    s = np.clip(2 * (third - second) / apart, -LARGE, LARGE)
    top = second * (s + 1) - first * s
    return first * s / top, s, top


def from_moments(
    x: np.ndarray | float, m1: np.ndarray | float, m2: np.ndarray | float, m3: np.ndarray | float
) -> np.ndarray:
    """Upper tail -log10 p at x of the distribution from 0 with these raw moments: `beta_of_moments`.

    NaN where no such distribution has them. At and beyond its end p is that just before it, so that it stays finite.
    """

    def tail(x: np.ndarray, m1: np.ndarray, m2: np.ndarray, m3: np.ndarray) -> np.ndarray:
        p, s, top = beta_of_moments(m1, m2, m3)
        inside = top > 0
        share = np.clip(x / top, None, 1 - 1e-15)
        ratio = np.where(inside, share, share / (share - 1))
        log_rest = np.where(inside, np.log1p(-np.where(inside, share, 0)), -np.log1p(-np.where(inside, 0, share)))
        b = np.where(inside, s - p, 1 - s)
        out, good = np.full(x.shape, np.nan), (p > 0) & (b > 0)
        out[good] = _neg_log10_beta(b[good], p[good], log_rest[good], ratio[good])
        return out

    with np.errstate(divide="ignore", invalid="ignore"):
        return _apply(tail, x, m1, m2, m3)
