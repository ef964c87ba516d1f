"""Genotype block -> the same statistics from Hail's linear_regression_rows: the reference engine.

Hail must be running (ecgwas.hail_session).
"""

import numpy as np
import torch

from ecgwas.gwas.engines import hail_regression
from ecgwas.gwas.engines.squares import Squares
from ecgwas.gwas.engines.torch_linear import COLLINEAR, Correlations, coded, columns
from ecgwas.gwas.trait_groups import Group


def squares(g: np.ndarray, raw: np.ndarray, group: Group) -> np.ndarray:
    """[V, 4] leverages.SQUARES of centred genotypes `g` [V, n] of squared lengths `raw`."""
    covariates = torch.from_numpy(np.ascontiguousarray(columns(group)[: -len(group.traits)]))
    whole = torch.from_numpy(g)
    product = covariates @ whole.T
    explained = product.square().sum(dim=0) / torch.from_numpy(raw)
    return Squares(group.leverages, covariates).features(whole, explained, product)


class HailLinear:
    """Correlations of each group by linear_regression_rows, traits and covariates as they came."""

    def __init__(self, groups: list[Group]):
        self.groups = groups

    def block(self, dosage: np.ndarray) -> list[Correlations]:
        """Correlations of each group for ALT dosages [V, person], NaN missing."""
        return [self._group(g, dosage[:, g.rows]) for g in self.groups]

    def _group(self, group: Group, dosage: np.ndarray) -> Correlations:
        g, _, n, af = coded(dosage.astype(np.float64))
        raw = np.einsum("vn,vn->v", g, g)
        if not len(group.traits):
            gg = raw - ((g @ group.q) ** 2).sum(axis=1)
            gg[~(gg > COLLINEAR * raw)] = np.nan
            return Correlations(n, af, gg, np.zeros((len(n), 0)))
        beta, se = hail_regression.linear(dosage, group.y, group.c)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = beta / se
            gg = (group.yy / (group.df * se**2 + beta**2))[:, 0]  # since se^2 = (yy - beta^2 gg) / (df gg)
            r = t / np.sqrt(t**2 + group.df)
        untested = ~(gg > COLLINEAR * raw)
        gg[untested], r[untested] = np.nan, np.nan
        return Correlations(n, af, gg, r, None if group.leverages is None else squares(g, raw, group))
