"""Genotype block -> squared residuals weighted with people's leverages: what the joint test asks of a genotype."""

import numpy as np
import torch

from ecgwas.gwas.engines import leverages

STRUCTURED = 0.05  # share of a genotype explained by covariates from which on its residual is squared, not itself
CHUNK = {"cpu": 2**18, "cuda": 2**26}  # genotypes squared at a time: they stay in the cache


class Squares:
    """Means over people of leverages, weighted with squared genotype residuals: four numbers a variant."""

    def __init__(self, found: leverages.Leverages, covariates: torch.Tensor):
        """`covariates` [k, n]: an orthonormal basis of the centred ones; its type and device are those of all."""
        like = {"dtype": covariates.dtype, "device": covariates.device}
        ones = np.ones_like(found.pair)
        self._q = covariates
        self._two = torch.tensor(np.stack([found.relative, found.pair, ones]), **like)
        self._four = torch.tensor(np.stack([ones, found.pair**2]), **like)
        self._rows = max(1, CHUNK.get(covariates.device.type, CHUNK["cpu"]) // max(1, covariates.shape[1]))
        self._memory = torch.empty((self._rows, covariates.shape[1]), **like)

    def features(self, g: torch.Tensor, explained: torch.Tensor, product: torch.Tensor) -> np.ndarray:
        """float64 [V, 4], columns leverages.SQUARES, of centred genotypes `g` [V, n].

        `explained` [V] is the share of a genotype's squared length in the covariates, `product` [k, V] its coefficients
        on them. A residual is formed where the share matters: squares of others differ from it by less than chance.
        """
        two = torch.empty((3, len(g)), dtype=g.dtype, device=g.device)
        four = torch.empty((2, len(g)), dtype=g.dtype, device=g.device)
        structured = explained > STRUCTURED
        for first in range(0, len(g), self._rows):
            rows = slice(first, min(first + self._rows, len(g)))
            square = self._memory[: rows.stop - first]
            torch.mul(g[rows], g[rows], out=square)
            some = torch.nonzero(structured[rows])[:, 0]
            if len(some):
                square[some] = (g[first + some] - product[:, first + some].T @ self._q).square_()
            two[:, rows] = self._two @ square.T  # five times as fast as square @ two
            four[:, rows] = self._four @ square.square_().T
        return leverages.of_sums(two.T.double().cpu().numpy(), four.T.double().cpu().numpy())
