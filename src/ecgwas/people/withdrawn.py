"""Results of a study, lists of withdrawn people -> proof that no file holds an id of a list, or the file that does.

What is under `simulated/` is input of a study and not looked at.
"""

import struct
import sys
import zipfile
import zlib
from pathlib import Path

import polars as pl
import pyarrow as pa

from ecgwas import config
from ecgwas.cli import run
from ecgwas.errors import UserError
from ecgwas.people.consent import Withdrawn, read_withdrawn
from ecgwas.people.scan import Listed, holds

INPUTS = "simulated"
UNREADABLE = (OSError, EOFError, ValueError, IndexError, struct.error, zlib.error, zipfile.BadZipFile)


def offending(root: Path, listed: Listed) -> list[Path]:
    """Files under the results, but for `simulated/`, that hold an id or cannot be decoded."""
    found = []
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if not path.is_file() or path.is_symlink() or relative.parts[0] == INPUTS or ".snakemake" in relative.parts:
            continue
        try:
            bad = listed.in_bytes(str(relative).encode()) or holds(path, listed)
        except (*UNREADABLE, pl.exceptions.PolarsError, pa.ArrowException) as error:
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
        kept = "; a temporary file that --notemp kept: delete it" if "/ecg/parts/" in str(path) else ""
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
