"""Results of a study, lists of withdrawn people -> proof that no file holds an id of a list, or the file that does.

Parquet, NumPy, JSON, text and HTML, gzipped or block-gzipped ones (Hail's exports too) and PLINK, PGEN and Hail
tables are decoded; an id counts where it stands as a whole token, between characters that are no letter, digit or
underscore, or is a whole cell of a table. What is under `simulated/` is input of a study and not looked at.
"""

import gzip
import io
import re
import sys
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import config
from ecgwas.cli import run
from ecgwas.errors import UserError
from ecgwas.people.consent import Withdrawn, read_withdrawn

BLOCK = 2**24  # bytes of a text that are looked at together
INPUTS = "simulated"
SIGNALS = ("strip", "beat", "rr")  # arrays of numbers, which hold no id
COMPRESSED = b"\x1f\x8b"
WORD = re.compile(rb"[A-Za-z0-9_]+")


@dataclass(frozen=True)
class Listed:
    """The ids that may stand nowhere: as text, and as bytes of whole tokens (each with the words it is made of)."""

    ids: frozenset[str]

    def tokens(self) -> dict[bytes, list[bytes]]:
        """Ids by their first word, so that one pass over the words of a text finds candidates."""
        found: dict[bytes, list[bytes]] = {}
        for name in sorted(self.ids):
            words = WORD.findall(name.encode())
            if words:
                found.setdefault(words[0], []).append(name.encode())
        return found

    def in_bytes(self, data: bytes) -> str | None:
        """The first id that stands in `data` as a whole token."""
        tokens = self.tokens()
        for word in set(WORD.findall(data)) & tokens.keys():
            for name in tokens[word]:
                if re.search(rb"(?<![A-Za-z0-9_])" + re.escape(name) + rb"(?![A-Za-z0-9_])", data):
                    return name.decode()
        return None

    def in_column(self, column: pl.Series) -> bool:
        """Whether a cell is an id, or holds one as a whole token; whole numbers are compared as text."""
        if column.dtype in (pl.List, pl.Array):
            column = column.explode()
        if column.dtype == pl.Struct:
            return any(self.in_column(field) for field in column.struct.unnest().get_columns())
        if not (column.dtype.is_integer() or column.dtype in (pl.String, pl.Categorical, pl.Enum, pl.Binary)):
            return False
        values = column.drop_nulls().unique()
        if column.dtype == pl.Binary:
            return any(self.in_bytes(value) is not None for value in values)
        text = values.cast(pl.String)
        if text.is_in(list(self.ids)).any():
            return True
        return column.dtype == pl.String and self.in_bytes("\n".join(text).encode()) is not None


def texts(stream: io.BufferedIOBase) -> Iterator[bytes]:
    """A file in blocks that overlap by a little, so that no id is cut; gzipped ones are decompressed."""
    rest = b""
    while block := stream.read(BLOCK):
        yield rest + block
        rest = block[-1024:]


def holds(path: Path, listed: Listed) -> bool:
    """Whether a file of the results holds an id of the list."""
    if path.suffix == ".parquet":
        scan = pl.scan_parquet(path)
        names = scan.collect_schema().names()
        if listed.in_bytes("\n".join(names).encode()) is not None:
            return True
        return any(listed.in_column(scan.select(pl.col(name)).collect().to_series()) for name in names)
    if path.suffix == ".npz" or zipfile.is_zipfile(path):
        return in_archive(path, listed)
    if path.suffix == ".npy" and path.name.split(".")[-2].startswith(SIGNALS):
        return False
    with path.open("rb") as raw:
        compressed = raw.read(2) == COMPRESSED
        raw.seek(0)
        if compressed:
            with gzip.open(raw) as stream:
                return any(listed.in_bytes(block) is not None for block in texts(stream))
        return any(listed.in_bytes(block) is not None for block in texts(raw))


def in_archive(path: Path, listed: Listed) -> bool:
    """Whether an .npz, a trained model (.pt) or another ZIP archive holds one; arrays of text are decoded."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            data = archive.read(name)
            if listed.in_bytes(as_text(data) if name.endswith(".npy") else data) is not None:
                return True
    return False


def as_text(data: bytes) -> bytes:
    """The array of a .npy file as lines of text; one of floats, which holds no id, as nothing."""
    array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    if array.dtype.kind not in "USiu" or (array.dtype.kind in "iu" and array.ndim != 1):
        return b""
    return "\n".join(array.astype(str).ravel().tolist()).encode()


def offending(root: Path, listed: Listed) -> list[Path]:
    """Files under the results, but for `simulated/`, that hold an id or cannot be decoded."""
    found = []
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if not path.is_file() or path.is_symlink() or relative.parts[0] == INPUTS or ".snakemake" in relative.parts:
            continue
        try:
            bad = listed.in_bytes(str(relative).encode()) is not None or holds(path, listed)
        except (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, pl.exceptions.PolarsError) as error:
            print(f"{path}: cannot be decoded ({type(error).__name__}), so that nothing is known of it", flush=True)
            bad = True
        if bad:
            found.append(path)
    return found


def models_that_saw(root: Path, listed: Listed, cohorts: list[str]) -> list[Path]:
    """Released and handed-on models that were trained before a person of the list was taken out.

    The recordings of their cohorts still hold one, or were collected anew after the model was trained.
    """
    tables = [root / "cohorts" / cohort / "ecg" / "recordings.parquet" for cohort in cohorts]
    tables = [path for path in tables if path.is_file()]
    held = any(listed.in_column(pl.read_parquet(path, columns=["person_id"])["person_id"]) for path in tables)
    collected = max((path.stat().st_mtime for path in tables), default=0.0)
    released = [*root.glob("models/*/release/*.safetensors"), *root.glob("predict/*/bundle-*/*")]
    models = {path.parent: path.stat().st_mtime for path in sorted(released) if path.is_file()}
    return [folder for folder, time in models.items() if held or trained(root, folder, time) < collected]


def trained(root: Path, folder: Path, time: float) -> float:
    """When the model of a release was trained: the time of its checkpoint, else that of the release."""
    checkpoint = root / "models" / folder.parent.name / "checkpoint.pt"
    return checkpoint.stat().st_mtime if checkpoint.is_file() else time


def main(study: Path, results: Path | None = None, root: Path = Path(".")) -> None:
    """Prove that no file of a study's results holds an id of the lists of withdrawn people; status 1 where one does.

    Args:
        study: The study's file, such as config/demo.yaml.
        results: Its results; results/{study} by default.
        root: The project's folder.
    """
    import yaml

    from ecgwas import study as studies

    values = yaml.safe_load(study.read_text())
    checked = studies.check(values, root.resolve())
    folder = results or root / "results" / checked.settings.study
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; run the study first, or name its results with --results")
    gone = {name: of_cohort(cohort) for name, cohort in checked.cohorts.items() if cohort.withdrawn}
    listed = Listed(frozenset().union(*(one.ids for one in gone.values())))
    if not listed.ids:
        print("no cohort of the study has a list of withdrawn people with an id on it")
        return
    files, models = offending(folder, listed), models_that_saw(folder, listed, checked.pretrained)
    for path in files:
        kept = "; a temporary file that --notemp kept: delete it" if "/parts/" in str(path) else ""
        print(f"{path}: holds an id of a list of withdrawn people{kept}")
    for path in models:
        print(
            f"{path}: a model that was trained on recordings of a person who has withdrawn since; run the study again"
        )
    if files or models:
        sys.exit(f"error: {len(files)} files and {len(models)} models under {folder}; run the study again, then this")
    entries = sum(len(one.entries) for one in gone.values())
    print(f"{folder}: no file holds any of the {entries} ids of the lists of withdrawn people")


def of_cohort(cohort: config.Cohort) -> Withdrawn:
    """Who withdrew of a cohort."""
    return read_withdrawn(cohort.withdrawn, cohort.id_bridge)


if __name__ == "__main__":
    run(main)
