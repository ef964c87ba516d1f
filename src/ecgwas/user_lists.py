"""Text of a list of ids -> line and id of every entry; how ids are written, and which forms are refused.

A list is one id a line, or a table whose header calls columns of ids; cells end at a comma, semicolon or tab, or at
blanks where the header is of such (`FID IID`, R's `"person_id" "date"`). FID is no id of a person beside IID.
"""

import csv
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from ecgwas.errors import UserError

ROUNDED = r"^[0-9]+(\.[0-9]+)?[eE]\+[0-9]+$"  # a whole number as R and Excel shorten it
FAMILY = ("fid", "#fid")
REMEDY = "write one id a line, or a header that calls columns person_id or sample_id"


@dataclass(frozen=True)
class Line:
    """A line of a list that is not blank, without its comment."""

    number: int
    text: str

    def cells(self, path: Path, blanks: bool) -> list[str]:
        """Its cells, bare; empty ones at the end are cut off."""
        if self.text.count('"') % 2:
            raise UserError(f"{path}: line {self.number}: a quotation mark that is not closed; write one id a line")
        if blanks:
            row = next(csv.reader([self.text.replace("\t", " ")], delimiter=" ", skipinitialspace=True))
            row = [cell for cell in row if cell]
        else:
            row = re.split("[,;\t]", self.text)
        found = [cell.strip().strip("\"'").strip() for cell in row]
        while len(found) > 1 and not found[-1]:
            found.pop()
        return found

    @property
    def words(self) -> list[str]:
        """Its words where they stand between blanks alone, without quotation marks."""
        return [] if re.search("[,;\t\"']", self.text) else self.text.split()


def lines(text: str) -> Iterator[Line]:
    """The lines that hold anything; `sep=;` by which Excel is told the separator does not."""
    for number, line in enumerate(text.split("\n"), 1):
        bare = re.sub(r"(^|\s)#(?!iid|fid).*", "", line, flags=re.IGNORECASE).strip()
        if bare.strip(",;\t \"'") and not (number == 1 and re.fullmatch(r'"?sep=."?', bare)):
            yield Line(number, bare)


def entries(text: str, path: Path, headers: Collection[str], missing: Collection[str]) -> list[tuple[int, str]]:
    """Line number and id of every entry. `headers`: names of columns of ids; `missing`: cells that are no id.

    Raises `UserError` with the line of more than one id where no header says which, of more cells than the header or
    no id, of blanks in most lines without a header, and of an id that is a rounded number.
    """
    found = list(lines(text))
    if not found:
        return []
    blanks, names = header(found[0], path, headers)
    if names:
        kept = columns(names, headers)
        rows = [(line, by_header(line, path, blanks, len(names), kept)) for line in found[1:]]
        none = next((line for line, cells in rows if all(cell.lower() in missing for cell in cells)), None)
        if none:
            raise UserError(f"{path}: line {none.number} has no id; {REMEDY}, or take the line out")
    else:
        families_named(found, path)
        rows = [(line, alone(line, path, missing)) for line in found]
    ids = [(line.number, cell) for line, cells in rows for cell in dict.fromkeys(cells) if cell.lower() not in missing]
    return [(number, plain(name, f"{path}: line {number}")) for number, name in ids]


def header(first: Line, path: Path, headers: Collection[str]) -> tuple[bool, list[str]]:
    """Whether cells end at blanks, and the names of the columns where the first line has any."""
    for blanks in (False, True):
        names = [re.sub(r"\s+", "_", name.lower()) for name in first.cells(path, blanks)]
        if any(name in headers for name in names):
            return blanks and len(names) > 1, names
    return False, []


def columns(names: list[str], headers: Collection[str]) -> list[int]:
    """The columns of ids; the family is none where another column is."""
    chosen = [j for j, name in enumerate(names) if name in headers]
    return [j for j in chosen if names[j] not in FAMILY] or chosen


def by_header(line: Line, path: Path, blanks: bool, width: int, kept: list[int]) -> list[str]:
    """The ids of a line below a header of `width` cells."""
    cells = line.cells(path, blanks)
    if len(cells) > width or (blanks and len(cells) < width):
        raise UserError(
            f"{path}: line {line.number} has {len(cells)} cells, the header {width}; give every line as many"
            " (in R: write.table(row.names = FALSE)), and write points for decimal commas"
        )
    return [cells[j] for j in kept if j < len(cells)]


def alone(line: Line, path: Path, missing: Collection[str]) -> list[str]:
    """The one id of a line where no header is; of a family and a person that of the person, where this is plain."""
    pair = line.words or line.cells(path, blanks=False)
    if len(pair) == 2 and (pair[0] == pair[1] or pair[0] == "0"):
        return pair[1:]
    given = dict.fromkeys(cell for cell in line.cells(path, blanks=False) if cell.lower() not in missing)
    if len(given) > 1:
        raise UserError(f"{path}: line {line.number} has {len(given)} cells; {REMEDY}")
    return list(given)


def families_named(found: list[Line], path: Path) -> None:
    """Stop where most lines are words between blanks: family and person, or a name; nothing says which."""
    unclear = [line for line in found if len(set(line.words)) > 1 and line.words[0] != "0"]
    if 2 * len(unclear) > len(found):
        raise UserError(
            f"{path}: line {unclear[0].number} has {len(unclear[0].words)} words and no header says which is the id;"
            " write FID IID above them, or put ids with blanks in quotation marks"
        )


def plain(name: str, where: str) -> str:
    """An id as tables have it: 1001.0 is 1001; raises `UserError` for a rounded number."""
    if re.search(ROUNDED, name):
        raise UserError(
            f"{where}: {name!r} is a rounded number; write ids as text, whole (in R: format(id, scientific = FALSE))"
        )
    return name.split(".")[0] if re.fullmatch(r"[0-9]+\.0+", name) else name
