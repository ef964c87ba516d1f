"""File of a user -> text -> cells of text with their line numbers: encodings, line ends, separators, quotes, lengths.

Nothing here knows what a column means; `ecgwas.user_tables` gives cells their types.
"""

import csv
import gzip
import io
import itertools
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas.errors import UserError

MARKS = {
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe\x00\x00": "utf-32-le",
    b"\x00\x00\xfe\xff": "utf-32-be",
    b"\xff\xfe": "utf-16-le",
    b"\xfe\xff": "utf-16-be",
}
COMPRESSED, PARQUET = b"\x1f\x8b", b"PAR1"
OTHER_FILES = {
    b"PK": "an Excel workbook or ZIP archive",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"BZh": "compressed by bzip2",
    b"\xfd7zXZ": "compressed by xz",
    b"\x28\xb5\x2f\xfd": "compressed by Zstandard",
}
SEPARATORS = {"\t": "tab", ",": "comma", ";": "semicolon"}
BY_TAB = (".tsv", ".txt", ".tab", ".panel")
LONGEST = 2**24  # characters of a cell; a longer one is a quotation mark that nobody closed
ROWS = 50_000  # rows that are turned into columns at a time
QUOTED = re.compile(r'\s*(?:"((?:[^"\\]|\\.|"")*)"|([^\s"]\S*))(?=\s|$)')  # a cell of a table of blanks


@dataclass(frozen=True)
class Cells:
    """The cells of a table as text, stripped of blanks; `lines` [row] is where each row starts in the file."""

    names: list[str]
    columns: list[pl.Series]
    lines: np.ndarray


def suffix(path: Path) -> str:
    """The last suffix of the file's name in lower case, that of the compression aside."""
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def contents(path: Path) -> bytes:
    """The bytes of a file, decompressed where it is gzipped whatever its name."""
    if not path.exists():
        raise UserError(f"{path}: no such file")
    if path.is_dir():
        raise UserError(f"{path}: is a folder, not a table")
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(COMPRESSED) else data
    except (OSError, EOFError, zlib.error) as error:
        said = getattr(error, "strerror", None) or "the compressed file is damaged or cut short"
        raise UserError(f"{path}: cannot be read ({said})") from None


def decoded(data: bytes, path: Path) -> str:
    """UTF-8, or UTF-16 and UTF-32 with a byte-order mark, as text whose lines end in a line feed.

    Raises `UserError` that names the line of the first byte that is neither.
    """
    for start, kind in OTHER_FILES.items():
        if data.startswith(start):
            raise UserError(f"{path}: is {kind}; save it as CSV (UTF-8)")
    mark, encoding = next(((mark, name) for mark, name in MARKS.items() if data.startswith(mark)), (b"", "utf-8"))
    data = data[len(mark) :]
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = normal(data[: error.start].decode(encoding, "replace")).count("\n") + 1
        raise UserError(
            f"{path}: line {line}: byte 0x{data[error.start]:02x} is not {encoding.upper()}; save the file as UTF-8"
        ) from None
    text = normal(text).lstrip("\ufeff").rstrip("\x1a")
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise UserError(f"{path}: line {line}: a NUL byte, so that this is no text; save the table as CSV (UTF-8)")
    return text


def normal(text: str) -> str:
    """`text` with CRLF and lone CR as line feeds."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def separator(header: str, path: Path) -> str | None:
    """What separates the cells: the commonest of tab, comma, semicolon in the header, else None (blanks).

    Where two are as common, that of the file's suffix.
    """
    bare = re.sub(r'"[^"]*"', "x", header)
    own = "\t" if suffix(path) in BY_TAB else ","
    found = sorted(SEPARATORS, key=lambda mark: (-bare.count(mark), mark != own))[0]
    if bare.count(found):
        return found
    return None if len(bare.split()) > 1 else own


def read(path: Path, data: bytes) -> Cells:
    """The table in `data`; raises `UserError` that names the line of a row that is too long or too short."""
    text = decoded(data, path)
    body, first = text.lstrip("\n "), 1
    first += text[: len(text) - len(body)].count("\n")
    if not body.strip():
        raise UserError(f"{path}: the file is empty; give a table with a header")
    if declared := re.match(r'"?sep=(.)"?\n', body):  # the line by which Excel is told the separator
        body, mark, first = body[declared.end() :], declared[1], first + 1
    else:
        mark = separator(body.split("\n", 1)[0], path)
    even = mark is not None and '"' not in body and body.split("\n", 1)[0].count(mark)
    cells = evenly(body, mark, first) if even else None
    return trimmed(cells or unevenly(body, mark, first, path), path)


def evenly(body: str, mark: str, first: int) -> Cells | None:
    """The cells of a text without quotes whose lines all have as many; None where they have not."""
    data = body.rstrip("\n ").encode()
    letters = np.frombuffer(data, np.uint8)
    ends = np.append(np.flatnonzero(letters == ord("\n")), len(letters))
    marks = np.flatnonzero(letters == ord(mark))
    counts = np.diff(np.searchsorted(marks, ends), prepend=0)
    if len(ends) < 2 or (counts != counts[0]).any():
        return None
    table = pl.read_csv(
        data,
        separator=mark,
        has_header=False,
        infer_schema=False,
        quote_char=None,
    )
    if table.height != len(ends):
        return None
    names = [(name or "").strip() for name in table.row(0)]
    columns = [column.fill_null("").str.strip_chars() for column in table.slice(1).get_columns()]
    return Cells(names, columns, np.arange(first + 1, first + table.height))


def records(body: str, mark: str | None, first: int, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row that is not blank."""
    if mark is None:
        for number, line in enumerate(body.split("\n"), first):
            if line.strip():
                yield number, between_blanks(line.rstrip(), number, path)
        return
    csv.field_size_limit(LONGEST)
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=mark, strict=True, skipinitialspace=True)
    marks = [line.count('"') for line in body.split("\n")]
    at = 0
    try:
        for row in reader:
            begun, at = at, reader.line_num
            if sum(marks[begun:at]) % 2:
                at = begun
                raise csv.Error
            if any(cell.strip() for cell in row):
                yield first + begun, [cell.strip() for cell in row]
    except csv.Error:
        raise UserError(
            f"{path}: line {first + at}: a quotation mark without its second, or not followed by a"
            f' {SEPARATORS.get(mark, mark)}; quote whole cells, and write "" for a quotation mark in one'
        ) from None


def between_blanks(line: str, number: int, path: Path) -> list[str]:
    """The cells of a line that blanks separate; in quotation marks, as R's write.table writes text, they may hold some.

    A quotation mark in one is doubled, or behind a backslash.
    """
    if '"' not in line:
        return line.split()
    cells, at = [], 0
    while at < len(line):
        found = QUOTED.match(line, at)
        if not found:
            raise UserError(
                f"{path}: line {number}: a quotation mark without its second, or not followed by a blank; quote whole"
                ' cells, and write "" for a quotation mark in one'
            )
        quoted, plain = found.groups()
        cells.append(plain if quoted is None else re.sub(r'""|\\"', '"', quoted).strip())
        at = found.end()
    return cells


def unevenly(body: str, mark: str | None, first: int, path: Path) -> Cells:
    """The cells of any text; blank lines are skipped, empty cells beyond the header's are cut off.

    Where R wrote names of rows, for which its header has no cell, they are a column without a name.
    """
    rows = records(body, mark, first, path)
    header = next(rows)[1]
    while len(header) > 1 and not header[-1]:
        header.pop()
    begun = next(rows, None)
    numbered = body.startswith('"') and begun is not None and len(begun[1]) == len(header) + 1 and begun[1][-1] != ""
    names = ["", *header] if numbered else header
    width, lines, parts, block = len(names), [], [], []
    for line, cells in itertools.chain([begun] if begun else [], rows):
        while len(cells) > width and not cells[-1]:
            cells.pop()
        if len(cells) != width:
            raise UserError(ragged(path, *(begun if numbered else (line, cells)), header, mark))
        lines.append(line)
        block.append(cells)
        if len(block) == ROWS:
            parts.append(as_columns(block, width))
            block = []
    parts.append(as_columns(block, width))
    columns = [pl.concat([part[j] for part in parts]) for j in range(width)]
    if numbered and not row_names(columns[0], mark):
        raise UserError(ragged(path, *begun, header, mark))
    return Cells(names, columns, np.array(lines, np.int64))


def row_names(first: pl.Series, mark: str | None) -> bool:
    """Whether cells before those that a header in quotation marks names are names of rows: whole numbers, each once.

    Between commas only 1 to n are, since the surplus cell may be the decimals of a number there.
    """
    if mark == ",":
        return first.to_list() == [str(row) for row in range(1, len(first) + 1)]
    return bool(first.str.contains("^[0-9]+$").all()) and not first.is_duplicated().any()


def as_columns(rows: list[list[str]], width: int) -> list[pl.Series]:
    """Columns of rows of `width` cells."""
    return [pl.Series(str(j), [row[j] for row in rows], pl.String) for j in range(width)]


def ragged(path: Path, line: int, cells: list[str], names: list[str], mark: str | None) -> str:
    """What to say of a row whose cells are not as many as the header's."""
    between = SEPARATORS.get(mark or "", "blank")
    hint = " (a decimal comma, perhaps: write points)" if mark == "," and len(cells) > len(names) else ""
    if mark != "," and len(cells) == len(names) + 1:
        hint = " (names of rows, perhaps: in R write.table(row.names = FALSE))"
    return (
        f"{path}: line {line} has {len(cells)} cells, the header {len(names)}, separated by {between}s{hint};"
        " give every row as many cells as the header, in quotation marks where a cell holds the separator"
    )


def trimmed(cells: Cells, path: Path) -> Cells:
    """Without rows of empty cells and without empty columns that have no name; raises where no row is left."""
    empty = [(column == "").to_numpy() for column in cells.columns]
    kept = [j for j, name in enumerate(cells.names) if name or not empty[j].all()]
    if not kept:
        raise UserError(f"{path}: the header names no column")
    rows = ~np.logical_and.reduce(empty) if len(cells.lines) else np.zeros(0, bool)
    if not rows.any():
        raise UserError(f"{path}: a header ({', '.join(cells.names[:6])}) and no row; give the table its rows")
    names = [cells.names[j] for j in kept]
    if rows.all():
        return Cells(names, [cells.columns[j] for j in kept], cells.lines)
    chosen = pl.Series(rows)
    return Cells(names, [cells.columns[j].filter(chosen) for j in kept], cells.lines[rows])
