"""People table -> covariate columns: a small language of columns, squares and products."""

import re

import numpy as np
import polars as pl

from ecgwas.errors import UserError

SEX = {"female": 0.0, "f": 0.0, "male": 1.0, "m": 1.0}
COLLINEAR = 1e-6  # a column whose part outside the columns before it is smaller than this share of it adds nothing
POWER = re.compile(r"(.+)\^([2-9])")


def factors(term: str) -> list[str]:
    """Columns that are multiplied in `term`: `age` -> [age], `age^2` -> [age, age], `age:sex` -> [age, sex]."""
    names = []
    for part in term.split(":"):
        power = POWER.fullmatch(part.strip())
        names += [power[1].strip()] * int(power[2]) if power else [part.strip()]
    return names


def base_columns(terms: list[str]) -> list[str]:
    """Columns of the people table that the terms need, each once, in order of appearance."""
    return list(dict.fromkeys(name for term in terms for name in factors(term)))


def numeric(people: pl.DataFrame, column: str, where: str) -> pl.Series:
    """`column` of the people table as numbers; `sex` as 0 (female) or 1 (male); what cannot be read is null."""
    if column not in people.columns:
        raise UserError(
            f"{where}: covariate '{column}' is not a column; the table has {', '.join(people.columns)}."
            " Correct `phenotypes.covariates` or add the column."
        )
    series = people[column]
    if series.dtype == pl.String:
        words = series.str.strip_chars().str.to_lowercase()
        known = SEX if column == "sex" else {}
        values = words.replace_strict(known, default=words.cast(pl.Float64, strict=False), return_dtype=pl.Float64)
    else:
        values = series.cast(pl.Float64)
    values = values.fill_nan(None).rename(column)
    if len(values) and values.null_count() == len(values):
        seen = series.drop_nulls().unique().sort().head(5).to_list()
        raise UserError(
            f"{where}: covariate '{column}' has no usable value (seen: {seen}); write numbers, or female and male"
            " for sex, or take it out of `phenotypes.covariates`."
        )
    return values


def base_table(people: pl.DataFrame, terms: list[str], where: str) -> pl.DataFrame:
    """person_id and the columns that `terms` need, as numbers."""
    return people.select(pl.col("person_id").cast(pl.String)).with_columns(
        numeric(people, name, where) for name in base_columns(terms)
    )


def standardise(x: np.ndarray) -> np.ndarray:
    """Columns centred and scaled to unit variance; a constant column becomes zeros."""
    x = x - x.mean(axis=0)
    sd = x.std(axis=0)
    return np.divide(x, sd, out=np.zeros_like(x), where=sd > 1e-12)


def expand(base: pl.DataFrame, terms: list[str]) -> np.ndarray:
    """[person, term]: products of standardised columns, standardised again.

    Columns are centred before they are multiplied, which leaves the span of a design with all lower terms as it
    is and takes most of the collinearity of age and age^2 away.
    """
    if not terms:
        return np.zeros((base.height, 0))
    columns = {name: standardise(base[name].to_numpy().astype(float)) for name in base_columns(terms)}
    return standardise(np.stack([np.prod([columns[n] for n in factors(term)], axis=0) for term in terms], axis=1))


def independent(x: np.ndarray) -> list[int]:
    """Columns of `x` [person, term] that are not a combination of the intercept and the columns before them."""
    q = np.ones((len(x), 1)) / np.sqrt(len(x))
    kept = []
    for j in range(x.shape[1]):
        rest = x[:, j]
        for _ in range(2):  # once more against rounding (Giraud et al. 2005, twice is enough)
            rest = rest - q @ (q.T @ rest)
        if np.linalg.norm(rest) > COLLINEAR * max(np.linalg.norm(x[:, j]), 1e-300):
            q = np.column_stack([q, rest / np.linalg.norm(rest)])
            kept.append(j)
    return kept
