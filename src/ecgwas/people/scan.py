"""Files of results -> whether one holds an id of a list: every kind of file is decoded, and only whole ids count."""

import functools
import gzip
import html
import io
import pickletools
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from ecgwas import tables

BLOCK = 2**24  # bytes of a text that are looked at together
SIGNALS = ("strip", "beat", "rr")  # arrays of numbers, which hold no id
COMPRESSED = b"\x1f\x8b"
PAGES = (".html", ".svg", ".xml")
WORD = re.compile(r"[^\W_]+")  # letters and digits of any script; an underscore ends an id as a hyphen does
ESCAPED = re.compile(rb"(?:\\u[0-9a-fA-F]{4})+")
CONTIG = r"(?<![^\W_])(chr)?([0-9]{1,2}|X|Y|XY|M|MT)"
PLACE = re.compile(rf"{CONTIG}:([0-9]+-)?$", re.IGNORECASE)  # before digits: they are a position of the genome
BETWEEN = re.compile(rf"{CONTIG}_$", re.IGNORECASE)  # and likewise where an allele follows: 1_1000015_A_G
ALLELE = re.compile(r"_[ACGTN<*]")
DECIMALS = re.compile(r"(^|[^\w./-])[+-]?[0-9]+\.$")
GOES_ON = re.compile(r"[._/-]\w")  # after digits that are no decimals: 1.1000015.xml
POSITIONS = ("pos", "position", "bp", "base_pair_location", "genpos", "start", "end", "beg", "n", "n_eff", "neff")
TABLES = (".tsv", ".txt", ".csv", ".regenie", ".sumstats", ".gz")
PEOPLE = Path(tables.PEOPLE.path).name  # the one table of ours with columns of a user's, where an id may be a number


@dataclass(frozen=True)
class Listed:
    """The ids that may stand nowhere."""

    ids: frozenset[str]

    @functools.cached_property
    def tokens(self) -> dict[str, list[str]]:
        """Ids by their first word, so that one pass over the words of a text finds candidates."""
        found: dict[str, list[str]] = {}
        for name in sorted(self.ids):
            found.setdefault((WORD.findall(name) or [""])[0], []).append(name)
        return found

    def in_bytes(self, data: bytes) -> bool:
        """Whether an id stands in `data`, UTF-8, as a whole token."""
        return self.in_text(data.decode("utf-8", "replace"))

    def in_text(self, text: str) -> bool:
        """Whether an id stands in `text` as a whole token; digits of a genome position or a decimal number are none."""
        candidates = {*WORD.findall(text), ""} & self.tokens.keys()
        return any(stands(name, text) for word in candidates for name in self.tokens[word])

    def in_fields(self, data: bytes) -> bool:
        """Whether an id is a string of binary `data` behind its length, whatever bytes follow it."""
        names = (name.encode() for name in self.ids)
        return any(bytes([len(name)]) + name in data for name in names if len(name) < 128)

    def in_column(self, column: pl.Series, numbers: bool = False) -> bool:
        """Whether a cell is an id, or holds one as a whole token; whole numbers are compared where `numbers`."""
        while column.dtype in (pl.List, pl.Array):
            column = column.explode()
        if column.dtype == pl.Struct:
            return any(self.in_column(field, numbers) for field in column.struct.unnest().get_columns())
        if column.dtype == pl.Binary:
            return any(self.in_bytes(value) for value in column.drop_nulls().unique())
        if not (column.dtype in (pl.String, pl.Categorical, pl.Enum) or (numbers and column.dtype.is_integer())):
            return False
        text = column.drop_nulls().unique().cast(pl.String)
        return text.is_in(list(self.ids)).any() or self.in_text("\n".join(text))


def stands(name: str, text: str) -> bool:
    """Whether `name` is in `text` between characters that are no letters or digits."""
    for match in re.finditer(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", text):
        if not (
            name.isdigit() and is_number(text[max(0, match.start() - 40) : match.start()], text[match.end() :][:2])
        ):
            return True
    return False


def is_number(before: str, after: str) -> bool:
    """Whether digits between these are a position of the genome, or decimals."""
    if PLACE.search(before) or (BETWEEN.search(before) and ALLELE.match(after)):
        return True
    return bool(DECIMALS.search(before)) and not GOES_ON.match(after)


def holds(path: Path, listed: Listed) -> bool:
    """Whether a file of the results holds an id of the list; raises what its library raises where it cannot be read."""
    if path.suffix == ".parquet":
        return in_parquet(path, listed)
    if path.suffix == ".npy" and path.name.split(".")[-2].startswith(SIGNALS):
        return False
    if path.suffix == ".npy":
        return listed.in_bytes(as_text(path.read_bytes()))
    if path.suffix == ".idx" or ".idx" in path.parent.suffix:  # of a Hail table: keys of variants, never of samples
        return False
    if zipfile.is_zipfile(path):
        return in_archive(path, listed)
    if path.name.startswith("part-") and any(folder.suffix in (".mt", ".ht") for folder in path.parents):
        blocks = hail_blocks(path.read_bytes())
        named = "entries" not in path.parts  # which are calls: no strings
        return any(listed.in_bytes(block) or (named and listed.in_fields(block)) for block in blocks)
    if path.suffix in TABLES and (columns := text_columns(path)) is not None:
        return any(listed.in_column(column) for column in columns)
    return any(listed.in_bytes(plain(block, path.suffix in PAGES)) for block in texts(path))


def plain(data: bytes, page: bool) -> bytes:
    """`data` with characters for escapes of JSON and, in a page, of HTML: M\\u00fcller, M&uuml;ller are Müller."""
    if b"\\" in data:
        data = ESCAPED.sub(lambda found: as_characters(found[0]), data)
        data = data.replace(b'\\"', b'"').replace(b"\\/", b"/").replace(b"\\\\", b"\\")
    return html.unescape(data.decode("utf-8", "replace")).encode() if page and b"&" in data else data


def as_characters(escapes: bytes) -> bytes:
    """Escapes of JSON as UTF-8; two may be one character."""
    units = bytes.fromhex(escapes.decode().replace("\\u", ""))
    return units.decode("utf-16-be", "replace").encode()


def in_parquet(path: Path, listed: Listed) -> bool:
    """Whether a Parquet file holds one, column by column; integers are ids in the table of people alone."""
    scan = pl.scan_parquet(path)
    names = scan.collect_schema().names()
    numbers = path.name == PEOPLE
    columns = (scan.select(pl.col(name)).collect().to_series() for name in names)
    return listed.in_bytes("\n".join(names).encode()) or any(listed.in_column(column, numbers) for column in columns)


def in_archive(path: Path, listed: Listed) -> bool:
    """Whether an .npz, a trained model (.pt) or another ZIP archive holds one; arrays of text, pickles are decoded."""
    with zipfile.ZipFile(path) as archive:
        parts = ((name, archive.read(name)) for name in archive.namelist())
        return any(listed.in_bytes(of_member(name, data)) for name, data in parts)


def of_member(name: str, data: bytes) -> bytes:
    """What of a member of an archive can hold an id."""
    if name.endswith(".npy"):
        return as_text(data)
    return in_lines(data) if name.endswith(".pkl") else data


def in_lines(pickled: bytes) -> bytes:
    """The strings of a pickle, which is not run, one a line."""
    texts = (value for _, value, _ in pickletools.genops(pickled) if isinstance(value, str | bytes))
    return b"\n".join(value.encode(errors="replace") if isinstance(value, str) else value for value in texts)


def as_text(data: bytes) -> bytes:
    """The array of a .npy file as lines of text; one of numbers that can be no ids as nothing."""
    array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    if array.dtype.kind not in "US":
        return b""
    return "\n".join(array.astype(str).ravel().tolist()).encode()


def opened(path: Path) -> io.BufferedIOBase:
    """A file, decompressed where it is gzipped or block-gzipped."""
    with path.open("rb") as stream:
        compressed = stream.read(2) == COMPRESSED
    return gzip.open(path) if compressed else path.open("rb")


def text_columns(path: Path) -> list[pl.Series] | None:
    """The columns of a table of text that are not positions or counts; None where the file is no table of positions."""
    with opened(path) as stream:
        head = stream.readline(2**16)
        mark = next((mark for mark in (b"\t", b" ", b",") if mark in head), None)
        names = head.decode(errors="replace").strip().lstrip("#").split(mark.decode()) if mark else []
        skipped = [j for j, name in enumerate(names) if name.lower() in POSITIONS]
        if not skipped:
            return None
        rest = stream.read()
    kept = [j for j in range(len(names)) if j not in skipped]
    if not rest.strip():
        return []
    table = pl.read_csv(rest, separator=mark.decode(), has_header=False, infer_schema=False, quote_char=None)
    return [table.to_series(j) for j in kept]


def texts(path: Path) -> Iterator[bytes]:
    """A file in blocks that overlap by a little, so that no id is cut."""
    rest = b""
    with opened(path) as stream:
        while block := stream.read(BLOCK):
            yield rest + block
            rest = block[-1024:]


def hail_blocks(data: bytes) -> Iterator[bytes]:
    """The blocks of a part of a Hail table: length (LEB128), decompressed length (int32), Zstandard data."""
    at = 0
    while at < len(data):
        length, shift = 0, 0
        while True:
            byte, at = data[at], at + 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        block, at = data[at : at + length], at + length
        if len(block) != length or length < 4:
            raise ValueError("not the block of a Hail table")
        yield pa.decompress(block[4:], decompressed_size=int.from_bytes(block[:4], "little"), codec="zstd").to_pybytes()
