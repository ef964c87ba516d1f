"""Folder of files, one recording each -> entries and recordings: listing, limits and faults for every file format."""

import contextlib
import functools
import os
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl

from ecgwas.config import EcgSource
from ecgwas.errors import UserError
from ecgwas.ingest.readers import checked, listed
from ecgwas.signals.recording import Recording, Unreadable

MAX_BYTES = 64 * 2**20  # of one file; a ten-second recording has under 1 MB in every format
RATE_HZ = (1.0, 100_000.0)  # beyond, the file's own rate is a lie
MAX_SAMPLES = 2**26  # leads times samples


class FolderReader:
    """Files with `suffixes` below one folder, listed by a table or by their names; `parse` reads one."""

    def __init__(
        self,
        source: EcgSource,
        suffixes: tuple[str, ...],
        parse: Callable[[Path, EcgSource], Recording],
    ):
        self.source, self.suffixes, self.parse = source, suffixes, parse
        if not source.path.is_dir():
            raise UserError(f"ecg.path {source.path} is not a folder; give the folder the files are in")

    @functools.cached_property
    def entries(self) -> pl.DataFrame:
        """A row a recording, from the table or the files."""
        source = self.source
        return listed(source, source.path_column) if source.recordings else found(source, self.suffixes)

    def read(self, key: str) -> Recording:
        """The recording in file `key` (path below the folder, with or without its suffix)."""
        with as_unreadable(Path(checked_key(key)).name):
            path = with_suffix(self.source.path / key, self.suffixes)
            check_size(path)
            recording = self.parse(path, self.source)
            check_shape(*recording.signal.shape, recording.rate_hz)
            return recording


def checked_key(key: str | None) -> str:
    """The path of an entry; a row of the table may have none."""
    if not key:
        raise Unreadable("unreadable", "the table of recordings names no file for it")
    return key


def with_suffix(path: Path, suffixes: tuple[str, ...]) -> Path:
    """`path`, or where there is no such file the one file whose name goes on with one of `suffixes`."""
    if path.exists():
        return path
    found = [name for suffix in suffixes for end in (suffix, suffix.upper()) if (name := Path(f"{path}{end}")).exists()]
    return found[0] if len(found) == 1 else path


def scan(folder: Path, suffixes: tuple[str, ...]) -> list[str]:
    """Paths below `folder`, sorted, of the files with one of `suffixes` in any case; not the hidden ones.

    A folder reached twice, by a link, is listed once. Raises `UserError` for a folder that cannot be listed and a
    name that is not UTF-8: either would leave recordings out unseen.
    """
    names, pending, seen = [], [(str(folder), "")], set()
    while pending:
        where, prefix = pending.pop()
        if (place := _place(where)) in seen:
            continue
        seen.add(place)
        try:
            with os.scandir(where) as items:
                for item in items:
                    if item.name.startswith("."):
                        continue
                    if _is_folder(item):
                        pending.append((item.path, f"{prefix}{item.name}/"))
                    elif item.name.lower().endswith(suffixes):
                        names.append(prefix + item.name)
        except OSError as error:
            raise UserError(f"{where} cannot be listed ({error.strerror}); make it readable or move it away") from None
    for name in names:
        if not name.isprintable() and any("\udc80" <= letter <= "\udcff" for letter in name):
            raise UserError(f"{folder}: the name of {name!a} is not UTF-8; rename the file")
    return sorted(names)


def _place(path: str) -> tuple[int, int]:
    """Device and number of a folder, which all its names share."""
    about = os.stat(path)
    return about.st_dev, about.st_ino


def _is_folder(item: os.DirEntry) -> bool:
    """Whether an entry is a folder or a link to one; a link that leads nowhere is none."""
    try:
        return item.is_dir()
    except OSError:
        return False


def found(source: EcgSource, suffixes: tuple[str, ...]) -> pl.DataFrame:
    """Entries from the files below the folder: the person is the file's name up to '_'."""
    keys = scan(source.path, suffixes)
    if not keys:
        raise UserError(f"ecg.path {source.path} has no file {' or '.join(suffixes)}; check the path and ecg.format")
    names = [key.rpartition(".")[0] for key in keys]
    people = [Path(name).name.split("_")[0] for name in names]
    return checked(pl.DataFrame({"recording_id": names, "person_id": people, "key": keys}), source.path)


def check_size(path: Path) -> None:
    """Raise `Unreadable` for a file that is empty or too large to be one recording."""
    size = path.stat().st_size
    if size == 0:
        raise Unreadable("unreadable", "the file is empty")
    if size > MAX_BYTES:
        raise Unreadable("too_large", f"{size} bytes > {MAX_BYTES}")


def check_shape(leads: int, samples: float, rate_hz: float) -> None:
    """Raise `Unreadable` where the file declares what no recording has, before memory is taken for it."""
    low, high = RATE_HZ
    if not low <= rate_hz <= high:
        raise Unreadable("unreadable", f"sampling rate {rate_hz:g} Hz")
    if leads < 1 or samples < 1:
        raise Unreadable("unreadable", f"{leads} leads of {samples:.0f} samples")
    if leads * samples > MAX_SAMPLES:
        raise Unreadable("too_large", f"{leads} leads of {samples:.0f} samples > {MAX_SAMPLES}")


def first(recording: Recording, seconds: float) -> Recording:
    """`recording` cut to its first `seconds`; its native length stays."""
    leads, samples = recording.signal.shape
    check_shape(leads, samples, recording.rate_hz)
    return replace(recording, signal=recording.signal[:, : round(seconds * recording.rate_hz)])


@contextlib.contextmanager
def as_unreadable(name: str) -> Iterator[None]:
    """Whatever a library raises on a damaged file becomes `Unreadable`: one bad file must not end the run.

    The detail says where in the code it failed, not the library's message, which may quote the file; for the same
    reason its warnings go nowhere.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Unreadable:
        raise
    except FileNotFoundError as error:
        raise Unreadable("unreadable", f"file {Path(error.filename or name).name} is missing") from error
    except MemoryError as error:
        raise Unreadable("too_large", "the file asks for more memory than there is") from error
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise Unreadable("unreadable", f"{type(error).__name__} in {Path(last.filename).stem}.{last.name}") from error
