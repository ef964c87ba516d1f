"""Genotype block -> correlations with residual traits: ordinary least squares as one matrix product."""

from dataclasses import dataclass

import numpy as np
import torch

from ecgwas.gwas.groups import Group

CANCELLED = 1e-3  # below this share of its variance left by covariates a genotype is computed again in float64
COLLINEAR = 1e-8  # below this share there is nothing left: no test

DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class Stats:
    """What a block of V variants yields in one group of T traits."""

    n: np.ndarray  # int32 [V] people called
    af: np.ndarray  # [V] ALT frequency in people called
    gg: np.ndarray  # [V] squared length of the genotype's residual on intercept and covariates; NaN where not tested
    r: np.ndarray  # [V, T] partial correlation with each trait, sign of the ALT allele; NaN where not tested


def coded(dosage: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """ALT dosages [V, n] -> (minor-allele dosages, centred, missing at 0; sign; people called; ALT frequency).

    Minor-allele coding and centring keep float32 products of rare variants exact to their own size.
    """
    missing = np.isnan(dosage)
    n = (~missing).sum(axis=1)
    total = np.nansum(dosage, axis=1, dtype=np.float64)
    af = np.divide(total, 2 * n, out=np.full(len(n), np.nan), where=n > 0)
    flip = af > 0.5
    g = np.where(flip[:, None], 2 - dosage, dosage)
    g -= (2 * np.where(flip, 1 - af, af))[:, None].astype(dosage.dtype)
    g[missing] = 0
    return g, np.where(flip, -1.0, 1.0), n.astype(np.int32), af


class Engine:
    """Holds [q | unit traits] of each group on the device; one product a block and group."""

    def __init__(self, groups: list[Group], dtype: str = "float32", device: str | None = None):
        self.groups, self.dtype = groups, DTYPES[dtype]
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        stacked = [torch.from_numpy(np.column_stack([g.q, g.unit])) for g in groups]
        self._right = [s.to(self.device, self.dtype) for s in stacked]
        self._exact = stacked

    def block(self, dosage: np.ndarray) -> list[Stats]:
        """Stats of each group for ALT dosages [V, person], NaN missing."""
        dosage = dosage.astype(np.float64 if self.dtype == torch.float64 else np.float32, copy=False)
        whole = len(self.groups[0].rows)
        return [
            self._group(i, dosage if len(g.rows) == whole else dosage[:, g.rows]) for i, g in enumerate(self.groups)
        ]

    def _group(self, i: int, dosage: np.ndarray) -> Stats:
        g, sign, n, af = coded(dosage)
        k = self.groups[i].q.shape[1]
        raw, gg, r = partial_correlations(torch.from_numpy(g).to(self.device, self.dtype), self._right[i], k)
        weak = np.flatnonzero((gg < CANCELLED * raw) & (raw > 0))
        if len(weak) and self.dtype != torch.float64:
            g64 = coded(dosage[weak].astype(np.float64))[0]
            raw[weak], gg[weak], r[weak] = partial_correlations(torch.from_numpy(g64), self._exact[i], k)
        untested = ~(gg > COLLINEAR * raw)
        gg[untested], r[untested] = np.nan, np.nan
        return Stats(n, af, gg, r * sign[:, None])


def partial_correlations(g: torch.Tensor, right: torch.Tensor, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """g'g, residual g'g - |q'g|^2 and correlations of `g` [V, n] with right [n, k + T], whose first k columns are q."""
    raw = torch.sum(g * g, dim=1, dtype=torch.float64).cpu().numpy()
    product = (g @ right).double().cpu().numpy()
    gg = np.maximum(raw - (product[:, :k] ** 2).sum(axis=1), 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return raw, gg, product[:, k:] / np.sqrt(gg)[:, None]
