"""People and recordings tables -> the value of every column that the covariates use, as numbers or as levels."""

from dataclasses import dataclass

import polars as pl

from ecgwas.errors import UserError
from ecgwas.people import SEX
from ecgwas.phenotypes.formulas import Use
from ecgwas.user_tables import COMMA, UserTable

FEWEST_CODES, MOST_CODES = 3, 100  # distinct whole numbers that may be codes or a quantity: the user says which
YEARS = (1900, 2100)
QUANTITY = r"^[<>=\u2264\u2265~\u2248]*\s*[+-]?([0-9]+(?:[.,'\u2019\s][0-9]+)*)([^0-9]*)$"  # a number, its unit
NEVER = ("person_id", "sample_id", "recording_id")


@dataclass(frozen=True)
class Source:
    """A table that covariates are taken from: a row per person, or per recording."""

    frame: pl.DataFrame
    name: str
    given: UserTable | None = None  # that the frame is of

    def place(self, row: int) -> str:
        """Where a row is, for an error: its line, or in tables of ours the person.

        A line and no id, since a user's own file may hold people who withdrew consent.
        """
        if self.given is not None and self.given.path.suffix != ".parquet":
            return f"{self.name}: {self.given.place(row)}"
        return f"{self.name}: person {self.frame['person_id'][row]!r}"

    @property
    def columns(self) -> list[str]:
        """What may be a covariate."""
        return [name for name in self.frame.columns if name not in NEVER]


def as_numbers(series: pl.Series) -> pl.Series:
    """Float64, null where a value is missing or is no number; `sex` is 0 (female) or 1 (male)."""
    if series.dtype != pl.String:
        return series.cast(pl.Float64, strict=False).fill_nan(None)
    words = series.str.strip_chars().str.to_lowercase()
    known = SEX if series.name == "sex" else {}
    numbers = words.cast(pl.Float64, strict=False).fill_nan(None)
    return words.replace_strict(known, default=numbers, return_dtype=pl.Float64).rename(series.name)


def is_levels(series: pl.Series, use: Use) -> bool:
    """Whether a use of a column takes its values as levels: declared so, or a column of text without any number."""
    if use.kind != "bare" or series.name == "sex":
        return use.kind == "levels"
    if series.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return False
    text = series.cast(pl.String)
    return not as_numbers(text).count() and not is_quantity(text)


def is_quantity(text: pl.Series) -> bool:
    """Whether values are numbers as people write them: one with a decimal comma, or most <15, 1'234.5 or 20 kg.

    Those are `FEWEST_CODES` numbers at least, with the same unit or none: 1a, 1b, 2a, and <40, 40-60, >60 are levels.
    """
    given = text.drop_nulls().str.strip_chars()
    if given.str.contains(COMMA).any():
        return True
    number, unit = given.str.extract(QUANTITY, 1), given.str.extract(QUANTITY, 2).str.strip_chars()
    if not unit.count():
        return False
    alike = (unit == unit.drop_nulls().mode(maintain_order=True)[0]).fill_null(False)
    return alike.sum() > len(given) / 2 and number.filter(alike).n_unique() >= FEWEST_CODES


def levels(series: pl.Series) -> pl.Series:
    """Values as text, null where missing; whole numbers without a decimal point, however the table stores them."""
    if series.dtype.is_float():
        series = series.fill_nan(None)
        if len(whole := series.drop_nulls()) and (whole == whole.floor()).all() and whole.abs().max() < 2**53:
            series = series.cast(pl.Int64)
    return series.cast(pl.String)


def numbers(source: Source, use: Use) -> pl.Series:
    """A column as Float64, null where missing.

    Raises `UserError` where a value is no finite number, and where whole numbers are used bare that may be codes.
    """
    series = source.frame[use.column]
    values = as_numbers(series)
    odd = series.is_not_null() & (values.is_null() | values.is_infinite())
    if series.dtype.is_float():
        odd &= series.is_not_nan()
    if odd.any():
        row = int(odd.arg_max())
        remedy = "write female or male" if use.column == "sex" else f"correct it, or write C({use.column}) for levels"
        raise UserError(
            f"{source.place(row)}: covariate {use.column} is {str(series[row])!r}, which is no number ({odd.sum()} such"
            f" cells, {values.count() - int((odd & values.is_not_null()).sum())} numbers); {remedy}, or leave the cell"
            " empty where it is not known"
        )
    if use.kind == "bare":
        check_declared(source, use.column, values)
    return values


def check_declared(source: Source, column: str, values: pl.Series) -> None:
    """Raises where a column used bare holds whole numbers that may be codes: `FEWEST_CODES` to `MOST_CODES` of them."""
    distinct = values.drop_nulls().unique().sort()
    if (
        column in ("age", "sex")
        or not len(distinct)
        or (distinct != distinct.floor()).any()
        or is_year(column, distinct)
    ):
        return
    if len(distinct) > MOST_CODES:
        print(
            f"covariate {column}: {len(distinct)} whole numbers, used as a quantity; codes are C({column})", flush=True
        )
    elif len(distinct) >= FEWEST_CODES:
        seen = ", ".join(f"{value:.0f}" for value in distinct.head(3))
        raise UserError(
            f"{source.name}: covariate {column} holds {len(distinct)} whole numbers ({seen}, …), codes or a quantity:"
            f" write C({column}) in `phenotypes.covariates` for an indicator per level, numeric({column}) for one slope"
        )


def is_year(column: str, distinct: pl.Series) -> bool:
    """Whether a column holds calendar years: it is called so, and every value is one."""
    named = any(word in column.lower() for word in ("year", "yob"))
    return named and bool(distinct.is_between(*YEARS).all())


def column_values(source: Source, use: Use) -> pl.Series:
    """A used column, Float64 or String; raises `UserError` where nobody has a value."""
    series = source.frame[use.column]
    if series.dtype.is_nested() or series.dtype.is_temporal():
        raise UserError(f"{source.name}: covariate {use.column} holds {series.dtype}; write numbers or levels")
    found = levels(series) if is_levels(series, use) else numbers(source, use)
    if not found.count():
        raise UserError(
            f"{source.name}: covariate '{use.column}' has no usable value; fill the column in or take it out of"
            " `phenotypes.covariates`"
        )
    return found


def of_people(source: Source, uses: dict[str, Use]) -> pl.DataFrame:
    """person_id and a column per alias of the people table, one row per person."""
    values = source.frame.select(pl.col("person_id").cast(pl.String)).with_columns(
        column_values(source, use).alias(alias) for alias, use in uses.items()
    )
    values = values.filter(pl.col("person_id").is_not_null())
    twice = values.filter(pl.col("person_id").is_duplicated())
    if twice.height:
        raise UserError(
            f"{source.name}: person {twice['person_id'][0]!r} appears more than once; keep one row per person"
        )
    return values


def of_recordings(source: Source, uses: dict[str, Use]) -> pl.DataFrame:
    """person_id and a column per alias of the recordings table, in the order of time.

    Numbers are the mean over a person's recordings; levels the most frequent one, of equally frequent the earliest.
    """
    values = source.frame.select(pl.col("person_id").cast(pl.String)).with_columns(
        column_values(source, use).alias(alias) for alias, use in uses.items()
    )
    return values.group_by("person_id", maintain_order=True).agg(
        _earliest_mode(alias) if values.schema[alias] == pl.String else pl.col(alias).mean() for alias in uses
    )


def _earliest_mode(alias: str) -> pl.Expr:
    """The most frequent text of a group; of several the one that appears first."""
    known = pl.col(alias).drop_nulls()
    return known.mode(maintain_order=True).first().alias(alias)
