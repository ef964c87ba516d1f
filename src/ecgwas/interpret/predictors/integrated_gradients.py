"""Recording and baseline -> integrated gradients of a logit, by sample (Sundararajan et al. 2017, eq. 1).

IG_i = (x_i - b_i) ∫ ∂f(b + α (x - b))/∂x_i dα over α from 0 to 1; they sum to f(x) - f(b) (completeness).
The integral is a Gauss-Legendre sum. Letters of the shapes as in `segments`.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ecgwas.encoder.tokens import Signals
from ecgwas.interpret.predictors.occlusion import Logits
from ecgwas.interpret.predictors.segments import SEGMENTS, Layout

BATCH = 64  # points of the path at once


class Attribution(NamedTuple):
    """Contribution of each sample of one recording to one logit."""

    strip: np.ndarray  # float64 [L, S], 0 where missing
    beat: np.ndarray  # float64 [L, T]
    residual: float  # f(x) - f(b) minus the sum: the error of the integral
    total: float  # f(x) - f(b)


def flat(signals: Signals) -> Signals:
    """The recordings with all recorded samples set to 0 mV."""
    return replace(signals, strip=signals.strip * 0, beat=signals.beat * 0)


def integrated(logits: Logits, signals: Signals, baseline: Signals, outcome: int, steps: int) -> Attribution:
    """Integrated gradients of one recording, signals and baseline [1, …], `steps` points of the path."""
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    ends = [(x, torch.where(b.isnan(), x, b)) for x, b in
            ((signals.strip, baseline.strip), (signals.beat, baseline.beat))]  # fmt: skip
    sums = [torch.zeros_like(x[0], dtype=torch.float64) for x, _ in ends]
    for start in range(0, steps, BATCH):
        alpha = torch.from_numpy((nodes[start : start + BATCH] + 1) / 2).to(signals.strip)
        weight = torch.from_numpy(weights[start : start + BATCH] / 2).to(signals.strip.device)
        points = [(b + alpha[:, None, None] * (x - b)).requires_grad_() for x, b in ends]
        value = logits(many(signals, *points))[:, outcome].sum()
        for total, slope in zip(sums, torch.autograd.grad(value, points, materialize_grads=True), strict=True):
            total += torch.einsum("a,als->ls", weight, slope.nan_to_num().double())
    parts = [((x - b)[0].nan_to_num().double() * s).cpu().numpy() for (x, b), s in zip(ends, sums, strict=True)]
    with torch.no_grad():
        last, first = (float(logits(one)[0, outcome]) for one in (signals, many(signals, *(b for _, b in ends))))
    return Attribution(parts[0], parts[1], last - first - float(parts[0].sum() + parts[1].sum()), last - first)


def many(signals: Signals, strip: Tensor, beat: Tensor) -> Signals:
    """Signals [1, …] with other samples, strip and beat [A, L, …]."""
    n = len(strip)
    return Signals(strip, beat, signals.rr_ms.expand(n), signals.millivolt.expand(n), signals.lead.expand(n, -1))


def by_segment(strip: np.ndarray, beat: np.ndarray, found: Layout) -> np.ndarray:
    """Sums over the samples of each segment, of both views [L, S] and [L, T]: [L, G]."""
    parts = [
        strip[:, found.strip == k].sum(1) + beat[:, found.beat == k].sum(1) for k in range(len(SEGMENTS))
    ]  # samples of no segment are excluded
    return np.stack(parts, 1)


def shares(mass: np.ndarray) -> np.ndarray:
    """Share of each cell in the total of |mass|; NaN where the total is 0."""
    total = np.abs(mass).sum()
    return np.abs(mass) / total if total > 0 else np.full(mass.shape, np.nan)


def folded(strip: np.ndarray, found: Layout, at_s: np.ndarray) -> np.ndarray:
    """Attributions of a strip [L, S] summed over its beats at times `at_s`, evenly spaced, from R: [L, A]."""
    step = at_s[1] - at_s[0]
    place = np.rint((found.phase_s - at_s[0]) / step)
    inside = (place >= 0) & (place < len(at_s))
    out = np.zeros((len(at_s), len(strip)))
    np.add.at(out, place[inside].astype(int), strip[:, inside].T)
    return out.T
