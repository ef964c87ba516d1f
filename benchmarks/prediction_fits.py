"""Methods and draws of labels -> predictors and their scores, by the pipeline's steps, kept in the work folder."""

import contextlib
import hashlib
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from benchmarks.prediction_outcomes import settings_json
from benchmarks.representation_data import MEASURED, RECORDINGS, files_of
from benchmarks.representation_models import code

from ecgwas import config
from ecgwas.predict import fit, score


class Place(NamedTuple):
    """A cohort whose recordings are scored."""

    folder: Path
    labels: Path
    people: Path


class Job(NamedTuple):
    """One predictor and its scores in some cohorts."""

    method: str
    share: float
    draw: int
    checkpoint: Path
    train: Place
    scored: tuple[Place, ...]
    settings: config.Predict
    folder: Path
    seed: int

    @property
    def predictor(self) -> Path:
        """Where it is kept: the name tells all that it depends on."""
        labels = hashlib.sha256(self.train.labels.read_bytes()).hexdigest()[:12]
        what = [settings_json(self.settings), str(self.checkpoint), labels, self.seed, code("pretrain"), fitting()]
        digest = hashlib.sha256(repr(what).encode()).hexdigest()[:10]
        return self.folder / f"{self.method}-{round(1000 * self.share):04d}-{self.draw}-{digest}.pt"

    def scores(self, place: Place) -> Path:
        """Where the scores of a cohort are kept."""
        return self.predictor.with_suffix(f".{place.folder.name}.parquet")


def fitting() -> str:
    """Hash of the modules that fit a predictor."""
    methods = ("combined", "classical", "networks", "probe", "training", "tuning", "validation_score", "xresnet")
    names = ["fit", "inputs", "labels/label_subsamples", *(f"methods/{name}" for name in methods)]
    files = [Path(fit.__file__).parent / f"{name}.py" for name in names]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:8]


def inputs(place: Place) -> dict[str, object]:
    """What the steps read of a cohort."""
    files = files_of([place.folder])
    intervals = place.folder / MEASURED
    return {
        "recordings": place.folder / RECORDINGS,
        "strips": files["strips"],
        "beats": files["beats"],
        "labels": place.labels,
        "people": place.people,
        "intervals": intervals if intervals.exists() else None,
    }


def run(job: Job) -> Path:
    """Fit and score on one thread; what is there already is taken."""
    path = job.predictor
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_suffix(".log"), "a") as log, contextlib.redirect_stdout(log):
        if not path.exists():
            resume = path.with_suffix(".resume")
            given = inputs(job.train) | {"checkpoint": job.checkpoint, "label_share": job.share, "label_draw": job.draw}
            fit.main(job.method, settings=job.settings, predictor=path, resume=resume, seed=job.seed, **given)
        for place in job.scored:
            if not job.scores(place).exists():
                score.main(path, scores=job.scores(place), **inputs(place))
    return path


def run_all(jobs: list[Job], processes: int) -> None:
    """Run what has no scores yet, the long ones first."""
    left = [job for job in jobs if not all(job.scores(place).exists() for place in job.scored)]
    quick = ("probe", "combined", "random", "intervals", "demographics")
    left.sort(key=lambda job: (job.method in quick, -job.share))
    if not left:
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for done, path in enumerate(pool.map(run, left), 1):
            print(f"{done} of {len(left)}: {path.stem}", flush=True)
