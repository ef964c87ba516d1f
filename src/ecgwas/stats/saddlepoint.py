"""Score statistic -> its p by saddlepoint approximation: right in the tail where cases are few.

Dey et al. 2017 (Am J Hum Genet 101:37): the score S = sum g~ (Y - mu) of independent Bernoulli Y has the cumulant
generating function K(t) = sum log(1 - mu + mu e^(g~ t)) - t sum g~ mu. With K'(t^) = s, w = sign(t^) sqrt(2(t^ s - K)),
v = t^ sqrt(K''), Pr(S > s) = 1 - Phi(w + log(v/w)/w) (Barndorff-Nielsen 1990, JRSSB 52:485). p is Pr(|S| >= |s|).
"""

import numpy as np
from scipy import special

from ecgwas.stats.sparse_pairs import Pairs, tilted

ITERATIONS = 100
TOLERANCE = 1e-6  # of the saddlepoint; the exponent has its minimum there
NEAR = 1e-4  # |t^| sqrt(V) below this: the normal tail itself
INSIDE = 1 - 1e-9  # of the largest score that can occur


def cumulants(pairs: Pairs, t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """K, K' and K'' [B] at `t` [B]."""
    x = pairs.g * t[:, None]
    normalisation, moved = tilted(pairs.mu, x)
    k = (normalisation - x * pairs.mu).sum(axis=1)
    slope = (pairs.g * (moved - pairs.mu)).sum(axis=1)
    curve = (pairs.g * pairs.g * moved * (1 - moved)).sum(axis=1)
    rest = pairs.rest_information
    return k + rest * t**2 / 2, slope + rest * t, curve + rest


def reach(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest score [B] that can occur; infinite where some people are counted to second order."""
    up, down = np.maximum(pairs.g, 0), np.minimum(pairs.g, 0)
    most = (up * (1 - pairs.mu) - down * pairs.mu).sum(axis=1)
    least = (down * (1 - pairs.mu) - up * pairs.mu).sum(axis=1)
    open_ended = pairs.rest_information > 0
    return np.where(open_ended, -np.inf, least), np.where(open_ended, np.inf, most)


def saddlepoint(pairs: Pairs, s: np.ndarray) -> np.ndarray:
    """t^ [B] with K'(t^) = s, by Newton's method kept inside a bracket that shrinks (K' increases)."""
    t = s / pairs.information
    low, high = np.where(s > 0, 0.0, -np.inf), np.where(s > 0, np.inf, 0.0)
    for _ in range(ITERATIONS):
        _, slope, curve = cumulants(pairs, t)
        low, high = np.where(slope < s, np.maximum(low, t), low), np.where(slope > s, np.minimum(high, t), high)
        new = t - (slope - s) / np.maximum(curve, 1e-300)
        bounded = np.isfinite(low) & np.isfinite(high)
        middle = np.where(bounded, (np.where(bounded, low, 0) + np.where(bounded, high, 0)) / 2, 2 * t)
        new = np.where((new > low) & (new < high), new, middle)
        done = np.abs(new - t) <= TOLERANCE * np.abs(t)
        t = new
        if done.all():
            break
    return t


def log_tail(pairs: Pairs, s: np.ndarray) -> np.ndarray:
    """Natural log of Pr(S > s) for s > 0, of Pr(S < s) for s < 0; -inf where no such score can occur."""
    least, most = reach(pairs)
    possible = (s > least * INSIDE) & (s < most * INSIDE)
    inner = np.where(possible, s, 0.0)
    t = saddlepoint(pairs, inner)
    k, _, curve = cumulants(pairs, t)
    z = inner / np.sqrt(pairs.information)
    near = np.abs(t) * np.sqrt(pairs.information) < NEAR
    w = np.sqrt(np.maximum(2 * (t * inner - k), 0))
    w, v = np.where(near, 1.0, w), np.where(near, 1.0, np.abs(t) * np.sqrt(curve))
    r = np.where(near, np.abs(z), w + np.log(v / w) / w)
    return np.where(possible, special.log_ndtr(-r), -np.inf)


def z_values(pairs: Pairs) -> np.ndarray:
    """[B] z with the sign of the score whose two-sided normal p is Pr(|S| >= |s|); NaN where it has no value."""
    s = pairs.score
    both = np.logaddexp(log_tail(pairs, np.abs(s)), log_tail(pairs, -np.abs(s)))
    with np.errstate(invalid="ignore"):
        z = -special.ndtri_exp(np.minimum(both, 0) - np.log(2))
    return np.where(np.isfinite(z), np.sign(s) * np.maximum(z, 0), np.nan)
