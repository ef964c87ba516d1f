"""Genotype blocks, 0/1 traits -> signed z, information and the test used: what the scan keeps of binary outcomes.

Every variant has the score test; where its p is below `gwas.correction_p` the p comes from Firth's likelihood ratio
or the saddlepoint. z has the sign of the ALT allele and that p as its two-sided normal p; v is the information about
the log odds ratio that goes with it: beta = z/sqrt(v), se = 1/sqrt(v). For the score test v is its variance, beta the
one step U/V; for the saddlepoint beta is the same and v = (z/beta)^2; for Firth beta is the penalised estimate and
v = (z/beta)^2 too, which is REGENIE's --firth-se.
"""

from dataclasses import dataclass, fields

import numpy as np
import polars as pl
from scipy import stats

from ecgwas.associations.analysed import People
from ecgwas.config import Gwas
from ecgwas.gwas.engines import score_test
from ecgwas.gwas.engines.torch_linear import DTYPES, coded
from ecgwas.gwas.trait_groups import Group
from ecgwas.stats import firth, linear, logistic, saddlepoint, sparse_pairs

NONE, SCORE, FIRTH, SADDLEPOINT, FAILED = range(5)  # the others are Hail's alone
ZERO = 1e-3  # below this |z| the ratio (z/beta)^2 is not used


@dataclass(frozen=True)
class LogisticTests:
    """Tests of V variants against T traits; NaN where there is none."""

    z: np.ndarray  # [V, T] sign of the ALT allele
    v: np.ndarray  # [V, T]
    test: np.ndarray  # int8 [V, T] places in scan_statistics.TESTS


def design(group: Group, prediction: np.ndarray | None) -> np.ndarray:
    """Columns [n, c] of a null model: intercept and covariates, and a trait's prediction [n] if it varies."""
    x = group.q * np.sqrt(len(group.rows))
    if prediction is None:
        return x
    residual = linear.project_out(group.q, prediction)
    size = np.sqrt(np.mean(residual**2))
    return np.column_stack([x, residual / size]) if size > linear.RANK * np.abs(prediction).max(initial=0) else x


def effective(z: np.ndarray, beta: np.ndarray, information: np.ndarray) -> np.ndarray:
    """Information (z/beta)^2 that turns z into beta; `information` where z is next to nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        implied = (z / beta) ** 2
    return np.where((np.abs(z) > ZERO) & np.isfinite(implied) & (implied > 0), implied, information)


class _Group:
    """The null models of the traits of one group of people."""

    def __init__(self, group: Group, traits: list[str], predicted: np.ndarray | None, settings: Gwas, device: str):
        self.group, self.settings = group, settings
        self.x = [
            design(group, None if predicted is None else predicted[np.ix_(group.rows, [j])][:, 0]) for j in group.traits
        ]
        outcomes = list(zip(group.y.T, self.x, strict=True))
        self.nulls = [logistic.null_model(y, x) for y, x in outcomes]
        for j, null in zip(group.traits, self.nulls, strict=True):
            if null.reason:
                print(f"trait {traits[j]} has no test: its null model is {null.reason}", flush=True)
        fast = settings.correction == "firth"
        self.penalised = [logistic.null_model(y, x, firth=True) for y, x in outcomes] if fast else []
        self._score = score_test.ScoreTest(self.nulls, DTYPES[settings.dtype], device)

    def block(self, dosage: np.ndarray) -> LogisticTests:
        """Tests of ALT dosages [V, n] of the group's people."""
        g, sign, _, af = coded(dosage)
        u, v = self._score.block(g)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = u / np.sqrt(v)
        z[~np.isfinite(z)] = np.nan
        tests = LogisticTests(z, np.where(np.isnan(z), np.nan, v), np.where(np.isnan(z), NONE, SCORE).astype(np.int8))
        if self.settings.correction != "none":
            again = np.abs(z) > stats.norm.isf(self.settings.correction_p / 2)
            self._correct(g, -2 * np.minimum(af, 1 - af), again, tests)
        return LogisticTests(tests.z * sign[:, None], tests.v, tests.test)

    def _correct(self, g: np.ndarray, lowest: np.ndarray, again: np.ndarray, tests: LogisticTests) -> None:
        """Test the pairs `again` [V, T] again and replace their statistics."""
        rows = np.flatnonzero(again.any(axis=1))
        exact = dict(zip(rows, sparse_pairs.carriers(g[rows], lowest[rows]), strict=True))
        for t in range(again.shape[1]):
            mine = np.flatnonzero(again[:, t])
            for batch in sparse_pairs.batches([exact[i] for i in mine], g.shape[1]) if len(mine) else ():
                chosen = mine[batch]
                z, v, test = self._again(g[chosen].astype(np.float64), [exact[i] for i in chosen], t)
                tests.z[chosen, t], tests.v[chosen, t], tests.test[chosen, t] = z, v, test

    def _again(
        self, g: np.ndarray, exact: list[np.ndarray | slice], t: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """z, v and test of the variants `g` [B, n] against trait t; what Firth cannot fit goes to the saddlepoint."""
        z, v, test = np.full(len(g), np.nan), np.full(len(g), np.nan), np.full(len(g), FAILED, np.int8)
        if self.settings.correction != "saddlepoint":
            beta, chi2, information = self._firth(g, exact, t)
            z = np.sign(beta) * np.sqrt(chi2)
            v, test = effective(z, beta, information), np.where(np.isnan(z), FAILED, FIRTH).astype(np.int8)
        left = np.flatnonzero(test == FAILED)
        if len(left):
            pairs = sparse_pairs.gather(g[left], [exact[i] for i in left], self.nulls[t])
            z[left] = saddlepoint.z_values(pairs)
            v[left] = effective(z[left], pairs.score / pairs.information, pairs.information)
            test[left] = np.where(np.isnan(z[left]), FAILED, SADDLEPOINT)
        return z, np.where(np.isnan(z), np.nan, v), test

    def _firth(
        self, g: np.ndarray, exact: list[np.ndarray | slice], t: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """beta, chi-square and information [B] by the fast or the exact form."""
        if self.settings.correction == "exact-firth":
            y, x = self.group.y[:, t], self.x[t]
            beta, se, chi2 = np.array([firth.exact(y, x, row) for row in g]).T
            return beta, chi2, se**-2
        if self.penalised[t].reason:
            return (np.full(len(g), np.nan),) * 3
        pairs = sparse_pairs.gather(g, exact, self.penalised[t])
        return *firth.approximate(pairs), pairs.information


class TorchLogistic:
    """Tests of every block against all 0/1 traits, in the people of each."""

    def __init__(self, people: People, contig: str, found: list[Group], settings: Gwas, device: str = "cpu"):
        self.n_traits, self.whole = people.y.shape[1], len(people.y)
        predicted = people.predictions(contig)
        self._groups = [_Group(g, people.traits, predicted, settings, device) for g in found if len(g.traits)]

    def block(self, dosage: np.ndarray) -> LogisticTests:
        """Tests for ALT dosages [V, person], NaN missing."""
        shape = (len(dosage), self.n_traits)
        out = LogisticTests(np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, np.int8))
        for made in self._groups:
            group = made.group
            mine = made.block(dosage if len(group.rows) == self.whole else dosage[:, group.rows])
            for field in fields(LogisticTests):
                getattr(out, field.name)[:, group.traits] = getattr(mine, field.name)
        return out


def columns(tests: LogisticTests, traits: list[str]) -> dict[str, np.ndarray]:
    """z, information and test as columns t:, v:, test: of a sumstats part."""
    out = {f"t:{name}": tests.z[:, j].astype(np.float32) for j, name in enumerate(traits)}
    out |= {f"v:{name}": tests.v[:, j].astype(np.float32) for j, name in enumerate(traits)}
    return out | {f"test:{name}": tests.test[:, j] for j, name in enumerate(traits)}


def trait_table(groups: list[Group], traits: list[str]) -> pl.DataFrame:
    """trait, group, n, df (null: normal), contig (null: any), yy (1), cases: what turns z and v into beta and error."""
    schema = {"trait": pl.String, "group": pl.String, "n": pl.Int32, "df": pl.Int32, "contig": pl.String}
    schema |= {"yy": pl.Float64, "cases": pl.Int32}
    rows = {
        int(j): (traits[j], group.name, len(group.rows), None, None, 1.0, int(np.nansum(group.y[:, k])))
        for group in groups
        for k, j in enumerate(group.traits)
    }
    return pl.DataFrame([rows[j] for j in range(len(traits))], schema=schema, orient="row")
