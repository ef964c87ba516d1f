"""Genotype block -> the same statistics from Hail's linear_regression_rows: the reference engine.

Hail must be running (ecgwas.hail_session).
"""

import tempfile
from pathlib import Path

import hail as hl
import numpy as np
import polars as pl

from ecgwas.gwas.engine_torch import COLLINEAR, Stats, coded
from ecgwas.gwas.groups import Group


def matrix_table(dosage: np.ndarray, folder: Path) -> hl.MatrixTable:
    """ALT dosages [V, n] (NaN missing) as entries x of a MatrixTable with row_idx and col_idx, through Parquet."""
    n_variants, n = dosage.shape
    path = folder / "dosage.parquet"
    rows = pl.DataFrame({"i": np.arange(n_variants, dtype=np.int32), "x": dosage.astype(np.float64)})
    rows.with_columns(pl.col("x").arr.to_list()).write_parquet(path)
    frame = hl.utils.java.Env.spark_session().read.parquet(str(path))
    table = hl.Table.from_spark(frame).key_by("i")
    mt = hl.utils.range_matrix_table(n_variants, n)
    mt = mt.annotate_rows(dosages=table[mt.row_idx].x)
    x = mt.dosages[mt.col_idx]
    return mt.annotate_entries(x=hl.or_missing(~hl.is_nan(x), x)).drop("dosages")


def regress(dosage: np.ndarray, y: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """beta and standard error [V, T] of traits `y` [n, T] on each genotype [V, n] with covariates `c` [n, c], by Hail.

    One group (`y` a flat list): every person must have every trait and covariate. An intercept is added.
    """
    with tempfile.TemporaryDirectory() as folder:
        mt = matrix_table(dosage, Path(folder))
        columns = hl.literal(np.column_stack([y, c]).tolist(), "array<array<float64>>")
        mt = mt.annotate_cols(v=columns[mt.col_idx])
        k = y.shape[1]
        covariates = [1.0, *(mt.v[k + j] for j in range(c.shape[1]))]
        found = hl.linear_regression_rows([mt.v[j] for j in range(k)], mt.x, covariates, block_size=64)
        rows = found.select("beta", "standard_error").collect()
    rows.sort(key=lambda row: row.row_idx)
    pick = [np.array([row[name] for row in rows], dtype=float).reshape(-1, k) for name in ("beta", "standard_error")]
    return pick[0], pick[1]


class Engine:
    """Stats of each group by linear_regression_rows, traits and covariates as they came."""

    def __init__(self, groups: list[Group]):
        self.groups = groups

    def block(self, dosage: np.ndarray) -> list[Stats]:
        """Stats of each group for ALT dosages [V, person], NaN missing."""
        return [self._group(g, dosage[:, g.rows]) for g in self.groups]

    def _group(self, group: Group, dosage: np.ndarray) -> Stats:
        g, _, n, af = coded(dosage.astype(np.float64))
        raw = np.einsum("vn,vn->v", g, g)
        if not len(group.traits):
            gg = raw - ((g @ group.q) ** 2).sum(axis=1)
            gg[~(gg > COLLINEAR * raw)] = np.nan
            return Stats(n, af, gg, np.zeros((len(n), 0)))
        beta, se = regress(dosage, group.y, group.c)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = beta / se
            gg = (group.yy / (group.df * se**2 + beta**2))[:, 0]  # since se^2 = (yy - beta^2 gg) / (df gg)
            r = t / np.sqrt(t**2 + group.df)
        untested = ~(gg > COLLINEAR * raw)
        gg[untested], r[untested] = np.nan, np.nan
        return Stats(n, af, gg, r)
