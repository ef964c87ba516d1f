"""CSV of one recording -> columns of numbers: a column a lead, separated by commas, semicolons or tabs."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from ecgwas.ecg.leads import lead_row
from ecgwas.signals.recording import Unreadable

LOOKED_AT = 2**16  # bytes at the start, from which the separator is told
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_COMMA = re.compile(r"\"?[+-]?\d+,\d+([eE][+-]?\d+)?\"?")
REMEDY = "write numbers with a decimal point"


def read(path: Path) -> tuple[pa.Table, bool]:
    """Table of a CSV, and whether its columns have names; raises `Unreadable` that names the line at fault."""
    lines = beginning(path)
    head = next((line for line in lines if line.strip()), "")
    separator = max(",;\t", key=head.count)
    check_commas(lines, head, separator)
    names = [cell.strip().strip('"') for cell in head.split(separator)]
    named = not all(_NUMBER.fullmatch(name) for name in names)
    options = pa.csv.ReadOptions(use_threads=False, autogenerate_column_names=not named)
    try:
        table = pa.csv.read_csv(path, read_options=options, parse_options=pa.csv.ParseOptions(delimiter=separator))
        columns = table.column_names  # decoded here
    except (pa.ArrowInvalid, UnicodeDecodeError):
        raise Unreadable("unreadable", ragged(path, separator)) from None
    for name in columns:
        if pa.types.is_string(table[name].type) and (lead_row(name) is not None or not named):
            raise Unreadable("unreadable", not_a_number(table, name))
    return table, named


def beginning(path: Path) -> list[str]:
    """Whole lines at the start of a file, without a byte-order mark."""
    with path.open("rb") as file:
        data = file.read(LOOKED_AT)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data:
        raise Unreadable("unreadable", "the file is not UTF-8 text; save it as CSV in UTF-8")
    lines = data.decode("utf-8-sig", "replace").splitlines()
    return lines if len(data) < LOOKED_AT else lines[:-1]


def check_commas(lines: list[str], head: str, separator: str) -> None:
    """Raise `Unreadable` for numbers with decimal commas, by the first line that has them; `head` names the columns."""
    for number, line in enumerate(lines, 1):
        cells = re.findall(r'"[^"]*"', line) if separator == "," else line.split(separator)
        if any(_COMMA.fullmatch(cell.strip()) for cell in cells):
            raise Unreadable("unreadable", f"line {number} has decimal commas; {REMEDY}")
        if separator == "," and line.count(",") == 2 * head.count(",") + 1 and line is not head:
            seen = f"line {number} has {line.count(',') + 1} cells, the first {head.count(',') + 1}"
            raise Unreadable("unreadable", f"{seen}: as decimal commas leave behind; {REMEDY}")


def ragged(path: Path, separator: str) -> str:
    """What is wrong with a table that cannot be parsed: the first line not in UTF-8 or with too many or few cells."""
    with path.open(encoding="utf-8", errors="replace") as file:
        width = None
        for number, line in enumerate(file, 1):
            if "\ufffd" in line:
                return f"line {number} is not UTF-8 text; save the file as CSV in UTF-8"
            cells = len(re.findall(rf'(?:"[^"]*"|[^{separator}"])*{separator}', line)) + 1
            width = cells if width is None else width
            if line.strip() and cells != width:
                return f"line {number} has {cells} cells, the first line {width}"
    return "not a table of numbers"


def not_a_number(table: pa.Table, name: str) -> str:
    """Which line of the column of a lead is no number."""
    for row, cell in enumerate(table[name].to_pylist()):
        if cell is None or not _NUMBER.fullmatch(cell):
            return f"column {name[:16]!r}, line {row + 2}: not a number"
    return f"column {name[:16]!r} is not of numbers"
