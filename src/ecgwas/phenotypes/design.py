"""Covariate columns -> the design: levels joined, formulas evaluated, standardised, collinear columns found."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from ecgwas.errors import UserError
from ecgwas.phenotypes.formulas import Formulas

SAME_SPAN = 1e-7  # of a column of unit variance: what may lie outside a span that holds it
COLLINEAR = 1e-6  # a column whose part outside the columns before it is smaller than this share of it adds nothing
FEWEST_PEOPLE = 10  # of a level; smaller ones are joined
OTHER = "other"


@dataclass(frozen=True)
class Design:
    """Columns of covariates without the intercept."""

    x: np.ndarray  # [person, column], standardised
    names: list[str]
    joined: dict[str, str] = field(default_factory=dict)  # by column: which of its levels were joined


def standardise(x: np.ndarray) -> np.ndarray:
    """Columns centred and scaled to unit variance; a constant column becomes zeros."""
    x = x - x.mean(axis=0)
    sd = x.std(axis=0)
    return np.divide(x, sd, out=np.zeros_like(x), where=sd > 1e-12)


def with_few_joined(levels: pl.Series) -> tuple[pl.Series, str]:
    """`levels` [person] with those of fewer than `FEWEST_PEOPLE` people joined into one, and which they were.

    Where these are fewer than that together, the smallest of the other levels joins them.
    """
    counts = levels.value_counts().sort(["count", levels.name], descending=[True, False])
    kept = counts.filter(pl.col("count") >= FEWEST_PEOPLE)
    few = counts.filter(pl.col("count") < FEWEST_PEOPLE)
    while few.height and few["count"].sum() < FEWEST_PEOPLE and kept.height:
        few, kept = pl.concat([kept.tail(1), few]), kept.head(-1)
    if not few.height:
        return levels, ""
    names = few[levels.name].to_list()
    other = OTHER
    while other in kept[levels.name]:
        other += "_"
    counted = ", ".join(f"{name} ({count})" for name, count in few.head(20).iter_rows())
    more = f" and {few.height - 20} more" if few.height > 20 else ""
    return levels.replace(names, [other] * len(names)), f"joined as '{other}': {counted}{more}"


def factor(levels: pl.Series):
    """`levels` as pandas' categorical, the most frequent first, which is the reference."""
    import pandas

    counts = levels.value_counts().sort(["count", levels.name], descending=[True, False])
    return pandas.Categorical(levels.to_list(), categories=counts[levels.name].to_list())


def design(table: pl.DataFrame, formulas: Formulas, where: str) -> Design:
    """The design of complete people `table` [person, alias].

    Bare columns are centred before they are multiplied where that leaves the span of the design as it is, that is where
    all lower terms are present: it takes most of the collinearity of age and age^2 away. Calls such as log() take the
    values themselves. Raises `UserError` where a term cannot be computed, or is not finite for someone.
    """
    if not formulas.terms:
        return Design(np.zeros((table.height, 0)), [])
    columns, joined = {}, {}
    for alias in formulas.uses:
        values = table[alias]
        if values.dtype == pl.String:
            values, which = with_few_joined(values)
            joined |= {formulas.shown(alias): which} if which else {}
            columns[alias] = factor(values) if values.n_unique() > 1 else np.zeros(table.height)
        else:
            columns[alias] = values.to_numpy()
    x, names = evaluated(columns, formulas, where)
    check_finite(x, names, table, formulas, where)
    names = [formulas.shown(name) for name in names]
    plain = standardise(x)
    if not any(":" in term or "**" in term for term in formulas.terms):
        return Design(plain, names, joined)
    bare = {
        a: standardise(columns[a]) for a, use in formulas.uses.items() if use.kind != "raw" and _is_array(columns[a])
    }
    centred = standardise(evaluated(columns | bare, formulas, where)[0])
    x = centred if within_span(plain, centred) else plain
    return Design(x, names, joined)


def _is_array(column: object) -> bool:
    return isinstance(column, np.ndarray)


def within_span(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether each column of `x` [person, column], standardised, is a combination of an intercept and those of `y`."""
    q = np.linalg.qr(np.column_stack([np.ones(len(y)), y]))[0]
    return bool(np.linalg.norm(x - q @ (q.T @ x), axis=0).max() < SAME_SPAN * np.sqrt(len(x)))


def check_finite(x: np.ndarray, names: list[str], table: pl.DataFrame, formulas: Formulas, where: str) -> None:
    """Raises `UserError` that names the first column of `x` [person, column] and person without a finite value."""
    unfit = ~np.isfinite(x)
    if not unfit.any():
        return
    j = int(unfit.any(axis=0).argmax())
    row = int(unfit[:, j].argmax())
    seen = ", ".join(f"{formulas.uses[a].column} = {table[a][row]}" for a in formulas.uses if a in names[j])
    raise UserError(
        f"{where}: covariate {formulas.shown(names[j])} is not finite for {int(unfit[:, j].sum())} people, such as"
        f" {table['person_id'][row]!r} ({seen}); correct `phenotypes.covariates`, or leave the cells empty"
    )


def evaluated(columns: dict, formulas: Formulas, where: str) -> tuple[np.ndarray, list[str]]:
    """Columns that formulaic makes of checked terms [person, column] and their names, the intercept taken away."""
    import pandas
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    text = " + ".join(["1", *formulas.terms])  # with the intercept, levels lose their reference
    try:
        with np.errstate(all="ignore"):
            matrix = Formula(text, _ordering="none").get_model_matrix(
                pandas.DataFrame(columns), context={}, na_action="ignore"
            )
    except (FormulaicError, ValueError, TypeError, ArithmeticError, np.linalg.LinAlgError) as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        terms = ", ".join(formulas.shown(term) for term in formulas.terms)
        raise UserError(f"{where}: the covariates {terms} cannot be computed: {formulas.shown(why)}") from None
    matrix = matrix.drop(columns="Intercept")
    return matrix.to_numpy(dtype=float), [str(name) for name in matrix.columns]


def independent(x: np.ndarray) -> list[int]:
    """Columns of `x` [person, term] that are not a combination of the intercept and the columns before them."""
    basis = np.empty((len(x), 1 + x.shape[1]), order="F")
    basis[:, 0] = 1 / np.sqrt(len(x))
    kept = []
    for j in range(x.shape[1]):
        q, residual = basis[:, : 1 + len(kept)], x[:, j]
        for _ in range(2):  # once more against rounding (Giraud et al. 2005, twice is enough)
            residual = residual - q @ (q.T @ residual)
        if np.linalg.norm(residual) > COLLINEAR * max(np.linalg.norm(x[:, j]), 1e-300):
            basis[:, 1 + len(kept)] = residual / np.linalg.norm(residual)
            kept.append(j)
    return kept
