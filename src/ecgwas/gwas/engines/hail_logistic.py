"""Genotype blocks, 0/1 traits -> signed z, information and the test used, by Hail's logistic regression.

Hail must be running. It knows no offset; neither do our null models, where a prediction of step 1 is a covariate: both
engines have the same columns. Score, Wald, likelihood-ratio or Firth test of every variant, as `gwas.hail_test` says.
Hail's score test gives a chi-square alone: sign and information are those of ours.
"""

from dataclasses import replace

import numpy as np

from ecgwas.associations import scan_statistics
from ecgwas.associations.analysed import People
from ecgwas.config import Gwas
from ecgwas.gwas.engines import hail_regression, torch_logistic
from ecgwas.gwas.trait_groups import Group


def of_test(test: str, hail: dict[str, np.ndarray], z: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """z and information [V] of Hail's `test`; `z` and `v` are those of our score test."""
    if test == "wald":
        error = hail["wald_standard_error"]
        return hail["wald_beta"] / error, error**-2
    size = np.sqrt(hail[f"{test}_chi_sq_stat"])
    if test == "score":
        return np.sign(z) * size, v
    beta = hail[f"{test}_beta"]
    return np.sign(beta) * size, torch_logistic.effective(np.sign(beta) * size, beta, v)


def intercept_first(x: np.ndarray) -> np.ndarray:
    """An intercept and a basis of what else `x` [n, c] spans: columns of length sqrt(n), at right angles."""
    u, s, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    return np.column_stack([np.ones(len(x)), u[:, s > 0.5 * np.sqrt(len(x))] * np.sqrt(len(x))])


class HailLogistic:
    """Tests of every block against all 0/1 traits, in the people of each; the interface of TorchLogistic."""

    def __init__(self, people: People, contig: str, groups: list[Group], settings: Gwas):
        self.whole, self.test = len(people.y), settings.hail_test
        plain = settings.model_copy(update={"correction": "none", "dtype": "float64"})
        self.plain = torch_logistic.TorchLogistic(people, contig, groups, plain)
        predicted = people.predictions(contig)
        self._traits = [
            (int(j), g, intercept_first(torch_logistic.design(g, None if predicted is None else predicted[g.rows, j])))
            for g in groups
            for j in g.traits
        ]

    def block(self, dosage: np.ndarray) -> torch_logistic.LogisticTests:
        """Tests for ALT dosages [V, person], NaN missing."""
        score = self.plain.block(dosage)
        out = replace(score, z=score.z.copy(), v=score.v.copy(), test=score.test.copy())
        for j, group, x in self._traits:
            rows = np.flatnonzero(score.test[:, j] != torch_logistic.NONE)
            if not len(rows):
                continue
            y = group.y[:, int(np.flatnonzero(group.traits == j)[0])]
            hail = hail_regression.logistic_one(dosage[np.ix_(rows, group.rows)], y, x, [self.test])
            with np.errstate(divide="ignore", invalid="ignore"):
                z, v = of_test(self.test, hail, score.z[rows, j], score.v[rows, j])
            good = np.isfinite(z) & np.isfinite(v)
            out.z[rows, j], out.v[rows, j] = np.where(good, z, np.nan), np.where(good, v, np.nan)
            out.test[rows, j] = np.where(good, scan_statistics.TESTS.index(self.test), torch_logistic.FAILED)
        return out
