"""Tables of statements and diagnoses -> codes of people and recordings, of any coding system."""

import ast
from pathlib import Path

import polars as pl

from ecgwas import config, user_tables
from ecgwas.errors import UserError


def normal(code: pl.Expr) -> pl.Expr:
    """Codes without dots, blanks and case: I48.0, i480 and I480 are one."""
    return code.str.strip_chars().str.to_uppercase().str.replace_all(".", "", literal=True)


def matches(code: pl.Expr, patterns: list[str]) -> pl.Expr:
    """Whether a normal code is among `patterns`; a pattern ending in * matches every code with that prefix."""
    plain = [pattern.strip().upper().replace(".", "") for pattern in patterns]
    found = code.is_in([p for p in plain if not p.endswith("*")])
    for pattern in plain:
        if pattern.endswith("*"):
            found = found | code.str.starts_with(pattern[:-1])
    return found


def statements(labels: config.Labels) -> pl.DataFrame:
    """recording_id; codes (list of normal codes), fold and time where the cohort names them."""
    path, key = labels.statements, labels.recording_column
    named = {labels.fold_column: "labels.fold_column", labels.time_column: "labels.time_column"}
    wanted = {key: "labels.recording_column", labels.codes_column: "labels.codes_column"} | named
    wanted = {name: setting for name, setting in wanted.items() if name}
    texts = [name for name in (key, labels.codes_column, labels.time_column) if name]
    given = user_tables.read(path, texts, wanted, ids=(key,)).need(wanted).once(key, "recording")
    table = given.frame
    columns = {"recording_id": pl.col(key)}
    if labels.codes_column:
        columns["codes"] = _codes(table, labels, path)
    if labels.fold_column:
        columns["fold"] = given.numbers(labels.fold_column).cast(pl.Int32)
    if labels.time_column:
        columns["time"] = pl.col(labels.time_column).cast(pl.String)
    return table.select(**columns)


def _codes(table: pl.DataFrame, labels: config.Labels, path: Path) -> pl.Series:
    """Lists of normalised codes, null where the cell is empty."""
    column = table[labels.codes_column]
    if isinstance(column.dtype, pl.List):
        column = column.cast(pl.List(pl.String))
    elif column.str.starts_with("{").any():
        lists = [None if text is None else _keys(text, path) for text in column]
        column = pl.Series(labels.codes_column, lists, pl.List(pl.String))
    else:
        column = column.str.split(labels.separator)
    return column.list.eval(normal(pl.element()).filter(pl.element().str.strip_chars() != ""))


def _keys(text: str, path: Path) -> list[str]:
    """Keys of a dictionary as PTB-XL writes it, {'NORM': 100.0, 'SR': 0.0}: every key counts, whatever its value."""
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        found = None
    if not isinstance(found, dict):
        raise UserError(f"{path}: codes {text[:60]!r} are no dictionary; write codes separated by labels.separator")
    return [str(key) for key in found]


def diagnoses(path: Path) -> pl.DataFrame:
    """person_id, code (normal), date (null where unknown), one row per diagnosis."""
    given = user_tables.read(path, ("code", "date"), ("person_id", "code", "date"))
    table = given.need({"person_id": "labels.diagnoses", "code": "labels.diagnoses"}).frame
    dated = "date" in table.columns
    date = as_date(given, "date") if dated else pl.Series("date", [None] * table.height, pl.Date)
    return table.select("person_id", code=normal(pl.col("code"))).with_columns(date)


def followup(path: Path) -> pl.DataFrame:
    """person_id, end and death (null: none), one row per person."""
    given = user_tables.read(path, ("end", "death"), ("person_id", "end", "death"))
    given.need({"person_id": "labels.followup", "end": "labels.followup"}).once("person_id", "person")
    dates = [as_date(given, name) for name in ("end", "death") if name in given.frame.columns]
    found = given.frame.select("person_id").with_columns(dates)
    return found if "death" in found.columns else found.with_columns(death=pl.lit(None, pl.Date))


def as_date(table: user_tables.UserTable, name: str) -> pl.Series:
    """A column of ISO 8601 dates or times as dates; raises `UserError` where a value is none."""
    column = table.frame[name]
    if column.dtype in (pl.Date, pl.Datetime):
        return column.cast(pl.Date)
    text = column.cast(pl.String)
    found = text.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    wrong = found.is_null() & text.is_not_null()
    if wrong.any():
        raise UserError(
            f"{table.path}: {table.first(wrong)}: {name} {text.filter(wrong)[0]!r} is no date; write YYYY-MM-DD,"
            " or nothing where it is not known"
        )
    return found.alias(name)
