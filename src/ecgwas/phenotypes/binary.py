"""People table -> 0/1 outcomes that can be tested: enough cases and controls, not told apart by the covariates."""

from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import tables
from ecgwas.errors import UserError
from ecgwas.gwas.trait_groups import orthonormal
from ecgwas.phenotypes import analysed_people
from ecgwas.stats import logistic


def read(path: Path, wanted: list[str]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """person_id [person], the columns `wanted` as 0, 1 or NaN [person, column], and their names; people with any value.

    Raises `UserError` where a column is absent, holds another value, or a person stands twice.
    """
    table = analysed_people.read_table(path).filter(pl.col("person_id").is_not_null()).sort("person_id")
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        raise UserError(f"{path}: no column {', '.join(missing)} (`outcomes`); it has {', '.join(table.columns)}")
    twice = table.filter(pl.col("person_id").is_duplicated())
    if twice.height:
        raise UserError(f"{path}: person {twice['person_id'][0]!r} stands more than once; keep one row a person")
    columns = [zero_one(path, table[name]) for name in wanted]
    values = np.column_stack(columns)
    seen = np.isfinite(values).any(axis=1)
    if not seen.any():
        raise UserError(f"{path}: nobody has a value of {', '.join(wanted)}")
    return table["person_id"].to_numpy()[seen], values[seen], list(wanted)


def zero_one(path: Path, column: pl.Series) -> np.ndarray:
    """A column of 0/1 or false/true as 0.0, 1.0, NaN."""
    if column.dtype == pl.String:
        lower = column.str.strip_chars().str.to_lowercase()
        column = lower.replace({"true": "1", "false": "0", "": None, "na": None}).cast(pl.Float64, strict=False)
        unread = column.is_null() & ~lower.is_in(["", "na"]).fill_null(True)
        if unread.any():
            column = column.set(unread, np.inf)
    values = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    odd = ~np.isin(values[~np.isnan(values)], (0.0, 1.0))
    if odd.any():
        row = int(np.flatnonzero(~np.isnan(values))[odd][0])
        raise UserError(
            f"{path}: outcome {column.name} of row {row + 1} by person_id is neither 0 nor 1;"
            " write 0 (control), 1 (case) or nothing (unknown); 1/2 coding is not understood"
        )
    return values


def testable(y: np.ndarray, names: list[str], c: np.ndarray, min_cases: int) -> tuple[list[int], pl.DataFrame]:
    """Columns of `y` [person, column] that a logistic model with covariates `c` can test, and why the others cannot."""
    kept, excluded = [], [tables.empty(tables.TRAITS_EXCLUDED)]
    for j, name in enumerate(names):
        seen = np.isfinite(y[:, j])
        cases, controls = int(y[seen, j].sum()), int((1 - y[seen, j]).sum())
        if min(cases, controls) < min_cases:
            detail = f"{cases} cases and {controls} controls; min_cases = {min_cases}"
            excluded.append(analysed_people.row("trait", name, "too_few_cases", detail))
            continue
        # Of the people whose outcome is known a covariate may be constant: prostate cancer has men only.
        reason = logistic.fit(y[seen, j], orthonormal(c[seen]) * np.sqrt(seen.sum())).reason
        if reason:
            detail = f"the logistic model of the covariates is {reason}: one of them tells cases from controls"
            excluded.append(analysed_people.row("trait", name, "separated", detail))
            continue
        kept.append(j)
    gone = pl.concat(excluded)
    if not kept:
        why = "; ".join(f"{r['id']}: {r['reason']} ({r['detail']})" for r in gone.head(5).iter_rows(named=True))
        raise UserError(f"no outcome is left to analyse of {len(names)}: {why}")
    return kept, gone
