"""EcgSource -> a fingerprint of its recordings' files: names, sizes and times of change, so that a replaced one shows.

It is computed before the graph of jobs is built, by the standard library and polars alone: no reader of a format is
imported, and no file is opened but WFDB headers whose signal files are called otherwise.
"""

import bisect
import functools
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ecgwas.config import EcgSource
from ecgwas.errors import UserError
from ecgwas.ingest.readers import listed

HEADER = ".hea"
RECORD_SUFFIXES = (HEADER, ".dat", ".mat")
MAX_HEADER_BYTES = 2**20


def fingerprint(source: EcgSource) -> str:
    """32 hex digits that change where a recording of `source` is added, taken away, renamed or replaced.

    With a table of recordings these are its rows and the files it names, and nothing else in the folder; without one
    every file below the folder. A file or folder in it that cannot be read is a line that says so; empty where there is
    nothing to list: the job that reads it says what is wrong.
    """
    try:
        lines = sorted(_lines(source))
    except (OSError, UserError):
        return ""
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:32] if lines else ""


def _lines(source: EcgSource) -> Iterator[str]:
    """A line for each file, and each row of the table."""
    folder = source.path
    if not folder.is_dir():
        yield _line(folder.name, folder.stat())
    if source.recordings is None:
        yield from _below(folder) if folder.is_dir() else ()
        return
    entries = listed(source, source.path_column if folder.is_dir() else None)
    yield from ("\t".join(map(str, row)) for row in entries.iter_rows())
    if folder.is_dir():
        yield from _named(folder, entries["key"].drop_nulls().unique().to_list(), source.format == "wfdb")


def _line(name: str, about: os.stat_result) -> str:
    return f"{name}\t{about.st_size}\t{about.st_mtime_ns}"


def _file(name: str, path: str) -> str:
    """The line of one file, also of a link to nothing: of the others' changes none may be hidden by it."""
    try:
        return _line(name, os.stat(path))
    except OSError:
        return f"{name}\tunreadable"


def _below(folder: Path) -> Iterator[str]:
    """A line for each file below `folder`; hidden ones left out, a folder reached twice, by a link, looked at once.

    Raises OSError where `folder` itself cannot be listed.
    """
    pending, seen = [(str(folder), "")], set()
    while pending:
        where, prefix = pending.pop()
        try:
            about, items = os.stat(where), _visible(where)
        except OSError:
            if not prefix:
                raise
            yield f"{prefix}\tunreadable"
            continue
        if (about.st_dev, about.st_ino) in seen:
            continue
        seen.add((about.st_dev, about.st_ino))
        for item in items:
            if _is_folder(item):
                pending.append((item.path, f"{prefix}{item.name}/"))
            else:
                yield _file(prefix + item.name, item.path)


def _visible(where: str) -> list[os.DirEntry[str]]:
    """What a folder holds, without hidden files."""
    with os.scandir(where) as items:
        return [item for item in items if not item.name.startswith(".")]


def _is_folder(item: os.DirEntry[str]) -> bool:
    """Whether it is a folder or a link to one; a link that goes round in a circle is none."""
    try:
        return item.is_dir()
    except OSError:
        return False


def _named(folder: Path, keys: Iterable[str], records: bool) -> Iterator[str]:
    """A line for each file that one of `keys` means: it is called so, or so and a suffix.

    A WFDB record has several: those called alike, and where that is the header alone, those that it names.
    """
    names = functools.cache(_names)
    for key in keys:
        below, name = os.path.split(key)
        where = os.path.join(folder, below)
        present = names(where)
        found = _called(name, present)
        if records and (not found or name.endswith(RECORD_SUFFIXES)):
            found |= _called(name.rpartition(".")[0], present)
        if records and found and all(other.endswith(HEADER) for other in found):
            found = {*found, *_named_by(where, found, present)}
        for other in sorted(found):
            yield _file(f"{below}/{other}", f"{where}/{other}")


def _names(where: str) -> list[str]:
    """Sorted names in a folder; none where it cannot be listed."""
    try:
        return sorted(os.listdir(where))
    except (OSError, ValueError):  # ValueError: a path of a Parquet table with a NUL in it
        return []


def _called(stem: str, names: list[str]) -> set[str]:
    """Those of the sorted `names` that are `stem`, or go on with a dot."""
    if not stem:
        return set()
    found, at = set(), bisect.bisect_left(names, stem)
    if at < len(names) and names[at] == stem:
        found.add(stem)
    at = bisect.bisect_left(names, stem + ".")
    while at < len(names) and names[at].startswith(stem + "."):
        found.add(names[at])
        at += 1
    return found


def _named_by(where: str, headers: Iterable[str], names: list[str]) -> set[str]:
    """Files that WFDB headers name: signal files, and the headers and signals of segments."""
    found: set[str] = set()
    for header in headers:
        try:
            with open(f"{where}/{header}", "rb") as file:
                lines = file.read(MAX_HEADER_BYTES).decode("utf-8", "replace").splitlines()[1:]
        except OSError:  # its own line says so
            continue
        for line in lines:
            if line.strip() and not line.startswith("#"):
                found |= _called(line.split()[0], names)
    return found
