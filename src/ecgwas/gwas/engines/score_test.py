"""Null models, genotype block -> score statistics of all 0/1 traits at once, in two matrix products."""

import numpy as np
import torch

from ecgwas.gwas.engines.torch_linear import CANCELLED, COLLINEAR, product
from ecgwas.stats.logistic import Null


def stacked(nulls: list[Null]) -> tuple[torch.Tensor, torch.Tensor]:
    """[n, T + T c] residuals and W h of every trait, and weights [n, T]: the right sides of the score tests.

    Null models with fewer columns than others are filled with zeros.
    """
    e, w = np.stack([m.e for m in nulls], axis=1), np.stack([m.w for m in nulls], axis=1)
    most = max(m.h.shape[1] for m in nulls)
    projectors = [np.pad(m.w[:, None] * m.h, ((0, 0), (0, most - m.h.shape[1]))) for m in nulls]
    return torch.from_numpy(np.column_stack([e, *projectors])), torch.from_numpy(w)


def score_block(g: torch.Tensor, right: torch.Tensor, w: torch.Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Score U = g'(y - mu), its variance V = g'Wg - |h'Wg|^2 and g'Wg, each [V, T], of `g` [V, n] in two products.

    V = g'Wg - g'WX (X'WX)^-1 X'Wg: the covariates' part taken away (Rao 1948, Proc Camb Phil Soc 44:50).
    """
    traits = w.shape[1]
    products, raw = product(g, right).double().cpu().numpy(), product(g * g, w).double().cpu().numpy()
    covered = (products[:, traits:].reshape(len(g), traits, -1) ** 2).sum(axis=2)
    return products[:, :traits], np.maximum(raw - covered, 0), raw


class ScoreTest:
    """Score tests of every variant of a block against all traits of one group of people."""

    def __init__(self, nulls: list[Null], dtype: torch.dtype, device: str = "cpu"):
        self._exact = stacked(nulls)
        self._right, self._w = (part.to(device, dtype) for part in self._exact)
        self._dtype, self._device = dtype, device

    def block(self, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """U and V [V, T] of minor-allele dosages `g` [V, n], missing at the mean; V is NaN where collinear."""
        u, v, raw = score_block(torch.from_numpy(g).to(self._device, self._dtype), self._right, self._w)
        weak = np.flatnonzero(((v < CANCELLED * raw) & (raw > 0)).any(axis=1))
        if len(weak) and self._dtype != torch.float64:
            u[weak], v[weak], raw[weak] = score_block(torch.from_numpy(g[weak].astype(np.float64)), *self._exact)
        return u, np.where(v > COLLINEAR * raw, v, np.nan)
