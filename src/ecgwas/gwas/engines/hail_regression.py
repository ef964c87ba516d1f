"""Genotype block, traits, covariates -> Hail's linear and logistic regressions of every variant.

Hail must be running (ecgwas.hail_session).
"""

import tempfile
from pathlib import Path

import hail as hl
import numpy as np
import polars as pl

MAX_ITERATIONS = 100  # of Hail's logistic fits; Firth's steps are no Newton steps and converge slowly
LOGISTIC = {"wald": ("beta", "standard_error"), "lrt": ("beta", "chi_sq_stat"), "score": ("chi_sq_stat",),
            "firth": ("beta", "chi_sq_stat")}  # fmt: skip


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


def linear(
    dosage: np.ndarray, y: np.ndarray, c: np.ndarray, groups: list[list[int]] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """beta and standard error [V, T] of traits `y` [n, T] on each genotype [V, n] with covariates `c` [n, c], by Hail.

    Traits of one of `groups` (all by default) are tested in the people who have every one of them; NaN is missing.
    An intercept is added. Groups are calls of their own: given a list of lists, Hail 0.2.139 repeats each group as
    often as it has traits.
    """
    k = y.shape[1]
    beta, se = np.full((2, len(dosage), k), np.nan)
    with tempfile.TemporaryDirectory() as folder:
        mt = matrix_table(dosage, Path(folder))
        columns = hl.literal(np.column_stack([y, c]).tolist(), "array<array<float64>>")
        mt = mt.annotate_cols(v=columns[mt.col_idx])
        trait = [hl.or_missing(~hl.is_nan(mt.v[j]), mt.v[j]) for j in range(k)]
        covariates = [1.0, *(mt.v[k + j] for j in range(c.shape[1]))]
        for members in groups or [list(range(k))]:
            result = hl.linear_regression_rows([trait[j] for j in members], mt.x, covariates, block_size=64)
            rows = sorted(result.select("beta", "standard_error").collect(), key=lambda row: row.row_idx)
            for table, name in ((beta, "beta"), (se, "standard_error")):
                table[:, members] = np.array([row[name] for row in rows], dtype=float).reshape(-1, len(members))
    return beta, se


def logistic_one(dosage: np.ndarray, y: np.ndarray, x: np.ndarray, tests: list[str]) -> dict[str, np.ndarray]:
    """Hail's logistic_regression_rows of a 0/1 trait `y` [n] on each of `dosage` [V, n] with covariates `x` [n, c].

    The first column is the intercept: Hail starts its fit from it. {test_field: [V]}; missing genotypes take the mean.
    NaN where Hail's fit fails, everywhere where that of the null model does.
    """
    out = {f"{test}_{field}": np.full(len(dosage), np.nan) for test in tests for field in LOGISTIC[test]}
    with tempfile.TemporaryDirectory() as folder:
        mt = matrix_table(dosage, Path(folder))
        columns = hl.literal(np.column_stack([y, x]).tolist(), "array<array<float64>>")
        mt = mt.annotate_cols(v=columns[mt.col_idx])
        covariates = [mt.v[1 + k] for k in range(x.shape[1])]
        for test in tests:
            try:
                rows = hl.logistic_regression_rows(
                    test, mt.v[0], mt.x, covariates, max_iterations=MAX_ITERATIONS, tolerance=1e-8
                )
                result = sorted(rows.select(*LOGISTIC[test]).collect(), key=lambda row: row.row_idx)
            except hl.utils.java.FatalError as error:
                if "null model" not in str(error):
                    raise
                print(f"Hail fits no null model to an outcome of {int(y.sum())} cases in {len(y)} people", flush=True)
                continue
            for field in LOGISTIC[test]:
                out[f"{test}_{field}"] = np.array([row[field] for row in result], dtype=float)
    return out


def logistic(dosage: np.ndarray, y: np.ndarray, c: np.ndarray, tests: list[str]) -> dict[str, np.ndarray]:
    """`logistic_one` of each 0/1 trait of `y` [n, T], NaN missing: {test_field: [V, T]}.

    An intercept is added to the covariates `c` [n, c].
    """
    by_trait = []
    for trait in y.T:
        seen = np.isfinite(trait)
        x = np.column_stack([np.ones(seen.sum()), c[seen]])
        by_trait.append(logistic_one(dosage[:, seen], trait[seen], x, tests))
    return {name: np.stack([fits[name] for fits in by_trait], axis=1) for name in by_trait[0]}
