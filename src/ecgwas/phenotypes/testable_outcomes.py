"""People table -> 0/1 outcomes that can be tested: enough cases and controls, not separated by the covariates."""

import numpy as np
import polars as pl

from ecgwas import tables
from ecgwas.errors import UserError
from ecgwas.phenotypes import analysed_people
from ecgwas.stats import logistic
from ecgwas.stats.linear import orthonormal


def testable(y: np.ndarray, names: list[str], c: np.ndarray, min_cases: int) -> tuple[list[int], pl.DataFrame]:
    """Columns of `y` [person, column] that a logistic model with covariates `c` can test, and why the others cannot."""
    kept, excluded = [], [tables.TRAITS_EXCLUDED.empty()]
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
    excluded_traits = pl.concat(excluded)
    if not kept:
        why = "; ".join(
            f"{r['id']}: {r['reason']} ({r['detail']})" for r in excluded_traits.head(5).iter_rows(named=True)
        )
        raise UserError(f"no outcome is left to analyse of {len(names)}: {why}")
    return kept, excluded_traits
