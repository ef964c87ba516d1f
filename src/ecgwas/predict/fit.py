"""Labels and a cohort -> one fitted predictor of a method."""

import importlib
from pathlib import Path
from types import ModuleType

from ecgwas import config
from ecgwas.cli import run
from ecgwas.errors import UserError
from ecgwas.files import remove_folder
from ecgwas.predict.inputs import CohortFiles, FitInputs, read_examples

# Each module has fit(FitInputs) -> dict of the predictor, and
# score(dict, CohortFiles, recording ids, threads, batch) -> Logits.
MODULES = {
    "finetuned": "tuning",
    "attention": "tuning",
    "supervised": "tuning",
    "xresnet1d": "tuning",
    "probe": "tuning",
    "random": "tuning",
    "combined": "combined",
    "intervals": "classical",
    "demographics": "classical",
}


def module_of(method: str) -> ModuleType:
    """The module that fits and scores a method, imported when it is needed: some need torch."""
    if method not in MODULES:
        raise UserError(f"method {method} is none of {', '.join(MODULES)}")
    return importlib.import_module(f"ecgwas.predict.methods.{MODULES[method]}")


def main(
    method: str,
    labels: Path,
    recordings: Path,
    settings: config.Predict,
    predictor: Path,
    checkpoint: Path | None = None,
    strips: list[Path] | None = None,
    beats: list[Path] | None = None,
    embeddings: Path | None = None,
    intervals: Path | None = None,
    people: Path | None = None,
    resume: Path | None = None,
    seed: int = 1,
    threads: int = 1,
    label_share: float = 1.0,
    label_draw: int = 0,
) -> None:
    """Fit one method to the prevalent outcomes of the training cohort; test recordings are not read.

    Args:
        method: One of predict.methods.
        labels: The cohort's labels.parquet.
        recordings: Its recordings.parquet.
        settings: The `predict` block.
        predictor: Written: the fitted predictor.
        checkpoint: The model: its encoder, and how signals are made. Not for intervals and demographics.
        strips: The cohort's shards of rhythm strips; for networks.
        beats: Its shards of median beats, and of windows where recordings are longer; for networks.
        embeddings: Its embeddings by this checkpoint, where they exist; for probe, combined and finetuned.
        intervals: Its intervals.parquet; for intervals and combined.
        people: Its people table; for intervals and demographics.
        resume: Folder for the state of an unfinished run, removed in the end; without it a killed run starts anew.
        seed: Seed of initial weights, order and augmentation.
        threads: CPU threads.
        label_share: Share of the training people whose labels are used.
        label_draw: Number of the label subsample.
    """
    from ecgwas.checkpoints import checkpoint as files

    cohort = CohortFiles(recordings, strips or (), beats or (), intervals, people)
    examples, unfitted = read_examples(labels, settings, label_share, label_draw)
    given = FitInputs(method, settings, cohort, examples, unfitted, checkpoint, embeddings, seed, threads, resume)
    found = module_of(method).fit(given)
    values = {"kind": "predictor", "method": method, "outcomes": list(examples.outcomes), "unfitted": unfitted}
    values |= {"settings": settings.model_dump(mode="json"), "seed": seed}
    values |= {"label_share": label_share, "label_draw": label_draw, "train": len(examples.rows("train"))}
    files.save(values | found, predictor)
    if resume:
        remove_folder(resume)


if __name__ == "__main__":
    run(main)
