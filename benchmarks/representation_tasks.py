"""PTB-XL's labels and embeddings or networks -> scores of every recording, by task and share of the labels."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from benchmarks import representation_data as data
from benchmarks import representation_probes as probes
from benchmarks import representation_supervised as supervised
from benchmarks.representation_models import embeddings

from ecgwas.predict.labels.label_subsamples import labelled

SHARES = {100: 1.0, 10: 0.1, 1: 0.01}  # per cent of the labels


class Labels(NamedTuple):
    """PTB-XL: who is in which part, and the classes of each task."""

    split: probes.Split
    y: dict[str, np.ndarray]  # task: [n, class]
    kept: dict[int, list[np.ndarray]]  # label share: of each draw, the training rows that keep their labels

    def metric(self, task: str) -> str:
        """What the task is scored by."""
        return "r2" if task == "age" else "auroc"

    def with_labels(self, share: int, draw: int) -> probes.Split:
        """The split, with fewer labels to fit by."""
        return self.split._replace(train=self.kept[share][draw])


Scores = dict[tuple[str, int], list[list[np.ndarray]]]  # (task, share): of each seed, of each draw, [n, class]


def labels_of(cohort: Path, folder: Path, draws: dict[int, int]) -> Labels:
    """Labels in the order of the cohort's table, and the draws of those that are kept, the same for everybody."""
    table = pl.read_parquet(cohort / data.RECORDINGS, columns=["recording_id"])
    table = table.join(data.ptbxl_labels(folder), on="recording_id", how="left", maintain_order="left")
    fold = table["fold"].to_numpy()
    rows = [np.flatnonzero(np.isin(fold, f)) for f in (data.TRAIN_FOLDS, data.VALIDATION_FOLD, data.TEST_FOLDS)]
    y = {task: table.select(columns).to_numpy().astype(float) for task, columns in data.TASKS.items()}
    classes = np.column_stack([y["superdiagnostic"], y["rhythm"], y["sex"], 1 - y["sex"]])[rows[0]]
    kept = {
        share: [
            rows[0][labelled(classes, SHARES[share], np.random.default_rng([share, draw]))]
            for draw in range(draws[share])
        ]
        for share in SHARES
    }
    return Labels(probes.Split(*rows), y, kept)


def probed(checkpoints: list[Path], cohort: Path, labels: Labels, threads: int, tasks=tuple(data.TASKS), shares=None):
    """Scores of the probes of each checkpoint (seed) and draw of labels."""
    out: Scores = {(task, share): [] for task in tasks for share in shares or SHARES}
    for checkpoint in checkpoints:
        x = embeddings(checkpoint, cohort, threads)
        for (task, share), seeds in out.items():
            splits = [labels.with_labels(share, draw) for draw in range(len(labels.kept[share]))]
            seeds.append([probes.probe(x, labels.y[task], split, labels.metric(task)) for split in splits])
    return out


def learned(
    cohort: Path,
    encoder: Path,
    labels: Labels,
    draws: dict[int, int],
    updates: dict[str, dict[int, int]],
    trials: int,
    folder: Path,
    threads: int,
) -> dict[str, Scores]:
    """Scores of the supervised networks, each kind by itself, of the first `draws` of each share of the labels.

    updates: of each kind, by share. Trials and snapshots are chosen by fold 6, for each task by itself.
    """
    y, scored = np.column_stack(list(labels.y.values())), np.r_[labels.split.validation, labels.split.test]
    width = {task: values.shape[1] for task, values in labels.y.items()}
    ends = dict(zip(width, np.cumsum(list(width.values())), strict=True))
    jobs: dict[tuple[str, int, int], list[supervised.Job]] = {}
    for share, n in draws.items():
        for kind in updates:
            for draw in range(n):
                train = labels.kept[share][draw]
                jobs[kind, share, draw] = [
                    supervised.job(kind, cohort, encoder, y, train, scored, trial, updates[kind][share], folder)
                    for trial in range(trials)
                ]
    supervised.run_all([job for group in jobs.values() for job in group], threads)
    out: dict[str, Scores] = {}
    for (kind, share, _), group in jobs.items():
        found = [np.load(job.path) for job in group]
        for task, end in ends.items():
            part = [scores[..., end - width[task] : end] for scores in found]
            chosen = probes.best(part, labels.y[task], labels.split.validation, labels.metric(task))
            out.setdefault(kind, {}).setdefault((task, share), [[]])[0].append(chosen)
    return out


def better(kinds: dict[str, Scores], labels: Labels) -> Scores:
    """For each task and share, the kind of network that fold 6 prefers."""

    def value(kind: str, key: tuple[str, int]) -> float:
        rows, task = labels.split.validation, key[0]
        found = [probes.score(s[rows], labels.y[task][rows], labels.metric(task))[0] for s in kinds[kind][key][0]]
        return float(np.mean(found))

    keys = next(iter(kinds.values()))
    return {key: kinds[max(kinds, key=lambda kind: value(kind, key))][key] for key in keys}


def on_test(scores: Scores, key: tuple[str, int], labels: Labels, weight: np.ndarray) -> np.ndarray:
    """[seed, draw, 1 + b] scores on the test recordings, first as they are, then in each resample."""
    rows, task = labels.split.test, key[0]
    y, metric = labels.y[task][rows], labels.metric(task)
    return np.stack([probes.bootstrapped([s[rows] for s in seed], y, metric, weight) for seed in scores[key]])
