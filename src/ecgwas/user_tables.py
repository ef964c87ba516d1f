"""The one reader of every table that a user gives: people, recordings, diagnoses, id lists, panels, genes, traits.

CSV (by comma or semicolon), TSV, `.txt` (by tabs, else commas or blanks) and Parquet, each also gzipped; UTF-8, or
UTF-16 and UTF-32 with a byte-order mark; CRLF, CR or LF; cells in quotation marks; blanks around names and cells,
blank lines, empty rows and empty trailing columns do not count. In every column a cell of `MISSING`, in any case, is
missing. Columns that `text` names, ids above all, are strings whatever they look like (leading zeros stay; 1.0, as
pandas and Parquet make of integers with gaps, is 1). Every other column is Int64 where all its values are integers,
Boolean where they are true or false, Float64 where they are finite numbers, else String; decimal commas are an error.
What cannot be read is a `UserError` that names file, line and remedy; nothing becomes missing in silence.
"""

import io
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import user_lists, user_text
from ecgwas.errors import UserError

IDS = ("recording_id", "person_id", "sample_id")
MISSING = (
    "", ".", "na", "n/a", "#n/a", "#na", "#n/a n/a", "<na>", "nan", "-nan", "+nan", "null", "-1.#ind", "1.#ind",
    "-1.#qnan", "1.#qnan",
)  # fmt: skip
THOUSANDS = r"[0-9]{1,3}([. '\u2019\u00a0\u202f][0-9]{3})+"
COMMA = rf"^[+-]?(([0-9]*|{THOUSANDS}),[0-9]+|[0-9]{{1,3}}(,[0-9]{{3}})+(\.[0-9]*)?)([eE][+-]?[0-9]+)?$"
LIST = r"^[0-9]+(,[0-9]+){2,}$"
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
NUMBERED = re.compile(r"^(unnamed: ?[0-9]+(_level_[0-9]+)?|__index_level_[0-9]+__)?$", re.IGNORECASE)
ID_HEADERS = (
    "person_id", "sample_id", "eid", "id", "ids", "iid", "fid", "#iid", "#fid", "participant.eid", "f.eid",
    "participant_id", "subject_id", "patient_id", "individual_id",
)  # fmt: skip


@dataclass(frozen=True)
class UserTable:
    """A table as a user gave it: its columns with their types, and where each row stands in the file."""

    path: Path
    frame: pl.DataFrame
    lines: np.ndarray  # [row] number of the line, of a Parquet file that of the row, from 1
    unnamed: tuple[str, ...] = ()  # columns without a name, which `frame` lacks: "column 1"

    def place(self, row: int) -> str:
        """'line 7', or 'row 7' of a Parquet file."""
        return f"{'row' if user_text.suffix(self.path) == '.parquet' else 'line'} {self.lines[row]}"

    def first(self, chosen: pl.Series) -> str:
        """The place of the first row that is chosen (bool [row])."""
        return self.place(int(chosen.fill_null(False).arg_max() or 0))

    def need(self, columns: Iterable[str] | Mapping[str, str]) -> "UserTable":
        """This table; raises `UserError` where a column is not there; a mapping gives the key that names each."""
        missing = [name for name in columns if name not in self.frame.columns]
        if missing:
            keys = [f"{name} ({columns[name]})" for name in missing] if isinstance(columns, Mapping) else missing
            raise UserError(f"{self.path}: no column {', '.join(keys)}; it has {', '.join(self.frame.columns)}")
        return self

    def complete(self, column: str) -> "UserTable":
        """This table; raises `UserError` where the column has an empty cell."""
        blank = self.frame[column].is_null()
        if blank.any():
            raise UserError(
                f"{self.path}: {self.first(blank)}: no {column} ({blank.sum()} such rows); fill it in or drop the rows"
            )
        return self

    def once(self, column: str, what: str) -> "UserTable":
        """This table; raises `UserError` where an id of the column appears in two rows.

        Lines and no id: a user's own table may hold people who withdrew consent, and messages are kept in logs.
        """
        twice = self.frame[column].is_duplicated() & self.frame[column].is_not_null()
        if twice.any():
            value = self.frame[column].filter(twice)[0]
            rows = np.flatnonzero((self.frame[column] == value).fill_null(False).to_numpy())
            raise UserError(
                f"{self.path}: a {what} appears more than once ({self.place(int(rows[0]))} and"
                f" {self.place(int(rows[1]))} have the same {column}); keep one row per {what}"
            )
        return self

    def numbers(self, column: str) -> pl.Series:
        """A column as Float64, null where missing; raises `UserError` with the first value that is no number."""
        series = self.frame[column]
        found = as_numbers(series)
        odd = series.is_not_null() & found.is_null()
        if odd.any():
            raise UserError(
                f"{self.path}: {self.first(odd)}: {column} is {str(series.filter(odd)[0])!r}, which is no number"
                f" ({odd.sum()} such cells); correct it, or leave the cell empty where it is not known"
            )
        return found


def as_numbers(series: pl.Series) -> pl.Series:
    """Float64, null where the value is missing or no finite number."""
    if not (series.dtype.is_numeric() or series.dtype in (pl.String, pl.Boolean)):
        return pl.Series(series.name, [None] * len(series), pl.Float64)
    found = series.cast(pl.Float64, strict=False)
    return found.set(found.is_infinite() | found.is_nan(), None)


def read(
    path: Path | str,
    text: Collection[str] = (),
    columns: Collection[str] | None = None,
    ids: Collection[str] = IDS,
) -> UserTable:
    """A table of a user; its `ids` and the columns `text` as strings. `columns`: of the others nothing is read.

    Raises `UserError` for a file that is not there or no table, text that is not UTF-8, a row of another length than
    the header's, two columns of one name, a column of decimal commas, an id that is no whole number or name.
    """
    path, data = Path(path), None
    if path.suffix.lower() != ".parquet":
        data = user_text.contents(path)
    if data is None or data.startswith(user_text.PARQUET):
        return _parquet(path, data, (text, ids), columns)
    cells = user_text.read(path, data)
    named = [j for j, name in enumerate(cells.names) if name and (columns is None or name in columns)]
    names = [cells.names[j] for j in named]
    _no_twins(names, path)
    table = UserTable(
        path,
        pl.DataFrame([_missing(cells.columns[j]).alias(cells.names[j]) for j in named]),
        cells.lines,
        tuple(f"column {j + 1}" for j, name in enumerate(cells.names) if not name),
    )
    made = [_column(table, name, text, ids) for name in names]
    return UserTable(path, pl.DataFrame(made), cells.lines, table.unnamed)


def _no_twins(names: list[str], path: Path) -> None:
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise UserError(f"{path}: two columns are called {twice[0]!r}; give every column its own name")


def _missing(column: pl.Series) -> pl.Series:
    """Null for every spelling of a missing value."""
    short = column.str.len_bytes() <= 10
    return column.set(short & column.str.to_lowercase().is_in(MISSING), None)


def _typed(table: UserTable, name: str) -> pl.Series:
    """Int64, Float64 or String, by what all values of a column of text are."""
    column = table.frame[name]
    given = column.drop_nulls()
    if not len(given):
        return column.cast(pl.Float64)
    if not given.str.contains(NUMBER).all():
        if given.str.to_lowercase().is_in(["true", "false"]).all():
            return (column.str.to_lowercase() == "true").alias(name)
        _no_commas(table, column)
        return column
    whole = column.cast(pl.Int64, strict=False)
    if whole.null_count() == column.null_count():
        return whole
    number = column.cast(pl.Float64, strict=False)
    return column if number.is_infinite().any() else number


def _no_commas(table: UserTable, column: pl.Series) -> None:
    """Raises where most values are numbers, some with commas: one odd cell makes no text of them.

    Lists of codes (2,4,5) are text, and with them such of two.
    """
    comma, given = column.str.contains(COMMA), column.drop_nulls()
    if not comma.any() or (given.str.contains(LIST) & ~given.str.contains(COMMA)).any():
        return
    if (given.str.contains(COMMA) | given.str.contains(NUMBER)).mean() > 0.5:
        raise UserError(
            f"{table.path}: {table.first(comma)}: {column.name} is {column.filter(comma)[0]!r}, a number with a decimal"
            f" comma ({comma.sum()} such cells); write decimal points, and nothing between thousands"
        )


def _column(table: UserTable, name: str, text: Collection[str], ids: Collection[str]) -> pl.Series:
    """A column of text with its type."""
    if name in ids:
        return _id(table, name)
    return table.frame[name] if name in text else _typed(table, name)


def _id(table: UserTable, name: str) -> pl.Series:
    """A column of ids: text; numbers that a program wrote as 1.0 are 1, as 1e+05 an error."""
    column = table.frame[name]
    rounded = column.str.contains(user_lists.ROUNDED)
    if rounded.any():
        raise UserError(
            f"{table.path}: {table.first(rounded)}: {name} is {column.filter(rounded)[0]!r}, a rounded number;"
            " write ids as text, whole (in R: format(id, scientific = FALSE))"
        )
    if (header := column == name).any():
        raise UserError(f"{table.path}: {table.first(header)} repeats the header; take the row out")
    if (broken := column.str.contains('["\n]')).any():
        raise UserError(
            f"{table.path}: {table.first(broken)}: {name} has a quotation mark or a line end in it; write ids without"
        )
    given = column.drop_nulls()
    if len(given) and given.str.contains(r"^[0-9]+(\.0+)?$").all():
        return column.str.replace(r"\.0+$", "")
    return column


def _parquet(
    path: Path, data: bytes | None, text: tuple[Collection[str], Collection[str]], columns: Collection[str] | None
) -> UserTable:
    """A Parquet file; its own types, brought to the few that tables of text have."""
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        frame = pl.read_parquet(path if data is None else io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UserError(f"{path}: is no readable Parquet file ({str(error).splitlines()[0]})") from None
    unnamed = tuple(f"column {j + 1}" for j, name in enumerate(frame.columns) if not name.strip())
    names = [name for name in frame.columns if name.strip() and (columns is None or name.strip() in columns)]
    _no_twins([name.strip() for name in names], path)
    raw = UserTable(
        path, frame.select(pl.col(name).alias(name.strip()) for name in names), np.arange(1, frame.height + 1)
    )
    made = [_native(raw, name, *text) for name in raw.frame.columns]
    return UserTable(path, pl.DataFrame(made), raw.lines, unnamed)


def _native(table: UserTable, name: str, text: Collection[str], ids: Collection[str]) -> pl.Series:
    """A column of a Parquet file as Int64, Float64, String, a date or a list."""
    column = table.frame[name]
    kind, is_id = column.dtype, name in ids or name in text
    if kind.is_nested() or kind.is_temporal():
        return column
    if kind.is_float() or kind.is_decimal():
        column = column.cast(pl.Float64).fill_nan(None)
        if not is_id:
            return column
        odd = (column != column.floor()) | (column.abs() >= 2**53)
        if odd.any():
            raise UserError(
                f"{table.path}: {table.first(odd)}: {name} is {column.filter(odd)[0]}, no whole number;"
                " write ids as text"
            )
        return column.cast(pl.Int64).cast(pl.String)
    if kind == pl.Boolean and not is_id:
        return column
    if kind.is_integer() or kind == pl.Boolean:
        return column.cast(pl.String) if is_id else column.cast(pl.Int64, strict=kind != pl.UInt64)
    if kind == pl.Null:
        return column.cast(pl.String if is_id else pl.Float64)
    texts = _missing(column.cast(pl.String).str.strip_chars())
    table = UserTable(table.path, texts.to_frame(), table.lines)
    return _column(table, name, text, ids)


def row_number(name: str, column: pl.Series) -> bool:
    """Whether a column numbers the rows, as pandas and R write one: or 0 or 1 to n under a usual name."""
    if NUMBERED.match(name):
        return True
    if name.lower() not in (
        "index",
        "rownames",
        "row_names",
        "row",
        "level_0",
        "x",
        "...1",
        "v1",
        "rownum",
        "row_number",
    ):
        return False
    whole = column.dtype.is_integer() and not column.null_count()
    return whole and any((column == pl.Series(range(start, start + len(column)))).all() for start in (0, 1))


def read_ids(path: Path | str) -> list[tuple[int, str]]:
    """Line number and id of every entry of a list of ids: one a line, comments from # on, a header or none.

    A CSV, TSV, table of blanks or Parquet file with columns called person_id, sample_id, eid or IID, of which all ids
    are taken; or one id in a row (trailing separators do not count). Of FID and IID, PLINK's, IID is the id. Raises
    `UserError` where a line holds more than one id and no header says which (`user_lists.entries`).
    """
    path = Path(path)
    data = user_text.contents(path)
    if not data.startswith(user_text.PARQUET):
        return user_lists.entries(user_text.decoded(data, path), path, ID_HEADERS, MISSING)
    frame = _ids_of_parquet(path, data)
    rows = [(i + 1, name) for column in frame.get_columns() for i, name in enumerate(column) if name is not None]
    return sorted((row, user_lists.plain(name, f"{path}: row {row}")) for row, name in dict.fromkeys(rows))


def _ids_of_parquet(path: Path, data: bytes) -> pl.DataFrame:
    """The columns of ids of a Parquet file, as text: those that are called so, else its only one."""
    try:
        names = list(pl.read_parquet_schema(io.BytesIO(data)))
    except (pl.exceptions.PolarsError, OSError):
        names = []  # `read` says what is wrong
    names = [name.strip() for name in names if not NUMBERED.match(name.strip())]
    chosen = user_lists.columns([name.lower() for name in names], ID_HEADERS)
    if len(names) > 1 and not chosen:
        raise UserError(f"{path}: no column of ids among {', '.join(names)}; call it person_id or sample_id")
    kept = [names[j] for j in chosen] or names
    frame = read(path, text=kept, columns=kept).frame
    for column in frame.get_columns():
        if column.dtype != pl.String:
            raise UserError(f"{path}: column {column.name} is of type {column.dtype}; write ids as text")
    return frame
