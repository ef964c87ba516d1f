"""Results of a study, lists of withdrawn people -> proof that no file holds an id of a list, or the file that does.

What is under `simulated/` is input of a study, and of Snakemake's own folder all but logs is records of jobs and
environments: they are not looked at.
"""

import struct
import sys
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

import polars as pl
import pyarrow as pa

from ecgwas import config
from ecgwas import study as studies
from ecgwas.cli import run
from ecgwas.errors import UserError
from ecgwas.people.consent import Withdrawn, read_withdrawn
from ecgwas.people.scan import Listed, holds
from ecgwas.study import Checked
from ecgwas.tables import BUNDLE, CHECKPOINT, PREDICTOR, RECORDINGS, RELEASED_MODEL

INPUTS, OWN = "simulated", ".snakemake"
LOGS = ("log", "slurm_logs")  # of Snakemake's own folder; they hold logs of failed jobs
PER_MODEL = ("embeddings", "phenotypes", "gwas", "finemap", "interpret")  # folders of a cohort, by model
UNREADABLE = (OSError, EOFError, ValueError, IndexError, struct.error, zlib.error, zipfile.BadZipFile)
STALE = "no longer of the study: delete it"


def looked_at(relative: Path) -> bool:
    """Whether a file of the results is looked at: all but inputs and what Snakemake keeps besides logs."""
    parts = relative.parts
    if parts[0] == INPUTS:
        return False
    return OWN not in parts or parts[parts.index(OWN) + 1] in LOGS


def offending(root: Path, listed: Listed) -> list[Path]:
    """Files under the results (`looked_at`) that hold an id or cannot be decoded."""
    found = []
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if not path.is_file() or path.is_symlink() or not looked_at(relative):
            continue
        try:
            bad = listed.in_bytes(str(relative).encode("utf-8", "replace")) or holds(path, listed)
        except (*UNREADABLE, pl.exceptions.PolarsError, pa.ArrowException) as error:
            print(f"{path}: cannot be decoded ({type(error).__name__}), so that nothing is known of it", flush=True)
            bad = True
        if bad:
            found.append(path)
    return found


def unproven_signals(root: Path, cohorts: Collection[str], ingest: config.Ingest) -> dict[Path, str]:
    """Signal files that no table of recordings describes, so that they may be of anybody; and what to do."""
    kinds = [*(f"strip{bucket}" for bucket in ingest.buckets), *ingest.beat_files]
    names = {f"shard-{shard:03d}.{kind}.npy" for shard in range(ingest.shards) for kind in kinds}
    found = {}
    for path in sorted(root.glob("cohorts/*/ecg/signals/*")):
        cohort = path.relative_to(root).parts[1]
        if cohort not in cohorts or path.name not in names:
            found[path] = STALE
        elif not RECORDINGS.at(root, cohort=cohort).is_file():
            found[path] = "of a run that has not ended: run the study again"
    return found


def advice(relative: Path, checked: Checked) -> str:
    """What to do about a file that holds an id."""
    parts = relative.parts
    if "/ecg/parts/" in str(relative):
        return "a temporary file that --notemp kept: delete it"
    if parts[0] == OWN:
        return "a log of Snakemake: delete it"
    gone = (parts[0] == "cohorts" and parts[1] not in checked.cohorts) or (
        parts[0] in ("models", "predict") and parts[1] not in checked.models
    )
    if parts[0] == "cohorts" and len(parts) > 3 and (parts[2] in PER_MODEL or (parts[2] == "predict" and parts[4:])):
        gone = gone or parts[3].split(".")[0] not in checked.models
    return STALE if gone else "run the study again; if it is named then too, it is no longer of the study: delete it"


def saw(root: Path, listed: Listed, cohorts: Collection[str], time: float) -> bool:
    """Whether what was trained on the cohorts at a time saw a person of the list.

    Their recordings still hold one, or were collected anew since.
    """
    paths = [path for cohort in cohorts if (path := RECORDINGS.at(root, cohort=cohort)).is_file()]
    held = any(listed.in_column(RECORDINGS.read(path, ["person_id"])["person_id"]) for path in paths)
    return held or time < max((path.stat().st_mtime for path in paths), default=0.0)


def models_that_saw(root: Path, listed: Listed, cohorts: Collection[str], fitted: Collection[str] = ()) -> list[Path]:
    """Released models and bundles that were trained before a person of the list was taken out.

    `cohorts`: those that encoders are trained on; `fitted`: those that the predictors of bundles are.
    """
    found = []
    for folder in sorted(path.parent for path in RELEASED_MODEL.all_at(root)):
        if saw(root, listed, cohorts, trained(CHECKPOINT.at(root, model=folder.parent.name), folder)):
            found.append(folder)
    for folder in filter(Path.is_dir, BUNDLE.all_at(root)):
        model, method = folder.parent.name, folder.name.removeprefix("bundle-")
        encoder, predictor = CHECKPOINT.at(root, model=model), PREDICTOR.at(root, model=model, fitted=method)
        if saw(root, listed, cohorts, trained(encoder, folder)) or saw(
            root, listed, fitted, trained(predictor, folder)
        ):
            found.append(folder)
    return found


def trained(checkpoint: Path, folder: Path) -> float:
    """When the model of a release was trained: the time of its checkpoint, else that of the oldest file released."""
    if checkpoint.is_file():
        return checkpoint.stat().st_mtime
    return min((path.stat().st_mtime for path in folder.rglob("*") if path.is_file()), default=0.0)


def main(study: Path, results: Path | None = None, root: Path = Path(".")) -> None:
    """Prove that no file of a study's results holds an id of the lists of withdrawn people; status 1 where one does.

    Args:
        study: The study's file, such as config/demo.yaml.
        results: Its results; results/{study} by default.
        root: The project's folder.
    """
    import yaml

    checked = studies.check(yaml.safe_load(study.read_text()), root.resolve())
    folder = results or root / "results" / checked.settings.study
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; run the study first, or name its results with --results")
    gone = [of_cohort(cohort, folder) for cohort in checked.cohorts.values() if cohort.withdrawn]
    listed = Listed(frozenset().union(*(one.ids for one in gone)))
    if not listed.ids:
        print("no cohort of the study has a list of withdrawn people with an id on it")
        return
    if found := report(folder, listed, checked):
        sys.exit(f"error: {found} files and models under {folder}; do what their lines say, then this again")
    entries = sum(len(one.entries) for one in gone)
    print(f"{folder}: no file holds any of the {entries} ids of the lists of withdrawn people")


def report(folder: Path, listed: Listed, checked: Checked) -> int:
    """Name every file and model that keeps the proof from holding, with what to do; how many these are."""
    files = offending(folder, listed)
    for path in files:
        todo = advice(path.relative_to(folder), checked)
        print(f"{path}: holds an id of a list of withdrawn people; {todo}")
    signals = unproven_signals(folder, checked.cohorts, checked.settings.ingest)
    for path, todo in signals.items():
        print(f"{path}: signals that no table of recordings describes; {todo}")
    models = models_that_saw(folder, listed, checked.pretrained, [checked.predict_train])
    for path in models:
        todo = "run the study again" if path.relative_to(folder).parts[1] in checked.models else STALE
        print(f"{path}: a model that was trained on recordings of a person who has withdrawn since; {todo}")
    return len(files) + len(signals) + len(models)


def of_cohort(cohort: config.Cohort, results: Path) -> Withdrawn:
    """Who withdrew of a cohort; the bridge of a simulated one is under its results."""
    return read_withdrawn(cohort.withdrawn, cohort.id_bridge and results / cohort.id_bridge)


if __name__ == "__main__":
    run(main)
