"""p-values -> QQ plot with the band of independent null tests, as SVG."""

import numpy as np
from scipy import stats

from ecgwas.report.figures import svg


def qq(values: np.ndarray, lambda_words: str, title: str) -> str:
    """Observed against expected −log10 p with the 95 % band of each order statistic under independence.

    Expected: the means (i − ½)/n; the band: quantiles of Beta(i, n + 1 − i), the law of the i-th smallest of n
    p-values.
    """
    observed = np.sort(values[np.isfinite(values)])[::-1]
    n = len(observed)
    if n == 0:
        return ""
    rank = np.unique(np.rint(np.geomspace(1, n, min(n, 1200))).astype(int))
    expected = -np.log10((rank - 0.5) / n)
    low, high = (-np.log10(stats.beta.ppf(q, rank, n + 1 - rank)) for q in (0.975, 0.025))
    x = svg.Scale(0, float(expected[0]) * 1.05, 70, 410)
    y = svg.Scale(0, max(float(observed[0]), float(high[0])) * 1.05, 340, 16)
    diagonal = min(x.high, y.high)
    band = np.concatenate([expected, expected[::-1]]), np.concatenate([low, high[::-1]])
    parts = [svg.y_axis(y, 70, 410, "observed −log₁₀ p"), svg.x_axis(x, 340, "expected −log₁₀ p", about=5)]
    parts.append(svg.path(x(band[0]), y(band[1]), "band", closed=True))
    parts.append(svg.line(float(x(0)), float(y(0)), float(x(diagonal)), float(y(diagonal)), "diagonal"))
    at = observed[rank - 1]
    parts += [svg.dot(a, b, 2.2, "point") for a, b in zip(x(expected), y(np.maximum(at, 0)), strict=True)]
    parts.append(svg.text(84, 34, lambda_words, "note"))
    return svg.figure(430, 388, parts, title)
