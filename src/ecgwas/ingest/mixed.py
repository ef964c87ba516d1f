"""A folder of ECG files, of one format or of several -> what is computed of each, or why nothing can be."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ecgwas.config import EcgSource, Ingest
from ecgwas.ecg.quality import Excluded
from ecgwas.errors import UserError
from ecgwas.ingest.other import process_other
from ecgwas.ingest.process import Processed, process
from ecgwas.ingest.readers import Reader, open_source
from ecgwas.ingest.readers.folder import as_unreadable, check_size, scan
from ecgwas.signals.recording import Unreadable

HEAD_BYTES = 65536  # of a file, in which its format must show
FORMATS = ("auto", "wfdb", "muse", "philips", "cardiosoft", "aecg", "dicom", "scp", "edf")
SUFFIXES = {".hea": "wfdb", ".dcm": "dicom", ".dicom": "dicom", ".scp": "scp", ".scpecg": "scp", ".edf": "edf"}
XML = {b"<RestingECG": "muse", b"<restingecgdata": "philips", b"<CardiologyXML": "cardiosoft", b"<AnnotatedECG": "aecg"}


@dataclass(frozen=True)
class OfFile:
    """Numbers [K] of one file, or the reason why there are none."""

    file: str  # path below the folder
    values: np.ndarray | None
    reason: str | None

    @property
    def recording_id(self) -> str:
        """The file's path without its suffix."""
        return str(Path(self.file).with_suffix(""))


def check(folder: Path, asked: str) -> None:
    """Raises `UserError` where there is no such format or folder."""
    if asked not in FORMATS:
        raise UserError(f"--format {asked} is none of {', '.join(FORMATS)}")
    if not folder.is_dir():
        raise UserError(f"--ecgs {folder} is not a folder; give the folder of the ECG files")


def each(folder: Path, asked: str, settings: Ingest, compute: Callable[[Processed], np.ndarray]) -> Iterator[OfFile]:
    """What `compute` makes of every file's recording, in the order of their names.

    `asked` is the format of all files, or `auto`. A file that cannot be read, or whose recording is excluded, or of
    which `compute` raises `Unreadable`, has a reason and no numbers.
    """

    @cache
    def reader(name: str) -> Reader:
        return open_source(EcgSource(format=name, path=folder), settings.longest_s)

    for name in listed(folder):
        try:
            with as_unreadable(Path(name).name):
                check_size(folder / name)
                kind = detect(folder / name) if asked == "auto" else asked
                if kind is None:
                    raise Unreadable("unknown_format", "no ECG file format that is read here")
                key = name.removesuffix(".hea") if kind == "wfdb" else name
                values = compute(processed(reader(kind), key, settings))
        except Unreadable as fault:
            yield OfFile(name, None, f"{fault.reason}: {fault.detail}")
        else:
            yield OfFile(name, values, None)


def processed(reader: Reader, key: str, settings: Ingest) -> Processed:
    """One recording as the pipeline stores it; raises `Unreadable` where it would exclude it."""
    try:
        recording = reader.read(key)
        return process(recording, settings) if settings.heart else process_other(recording, settings)
    except Excluded as fault:
        raise Unreadable(fault.reason, fault.detail) from None


def detect(path: Path) -> str | None:
    """Format of a file by its suffix, of XML by its first elements; None where it is none that is known."""
    suffix = path.suffix.lower()
    if suffix != ".xml":
        return SUFFIXES.get(suffix)
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES).replace(b"\0", b"")  # UTF-16
    places = {head.find(mark): name for mark, name in XML.items() if mark in head}
    return places[min(places)] if places else None  # the outermost: elements of other names may begin alike


def listed(folder: Path) -> list[str]:
    """Paths below the folder, sorted; signal files of a WFDB header are its record's, so not by themselves."""
    names = scan(folder, ("",))
    records = {name.removesuffix(".hea") for name in names if name.endswith(".hea")}
    return [name for name in names if name.endswith(".hea") or name.rpartition(".")[0] not in records]
