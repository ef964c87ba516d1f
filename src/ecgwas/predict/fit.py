"""One method, labels and signals or tables -> a predictor of the prevalent outcomes."""

import shutil
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ecgwas import config
from ecgwas.cli import run
from ecgwas.errors import UserError
from ecgwas.predict import examples as known
from ecgwas.predict import linear, networks, training
from ecgwas.predict.examples import Examples
from ecgwas.pretrain import checkpoint as files
from ecgwas.pretrain import data
from ecgwas.pretrain.tokens import make_grid
from ecgwas.pretrain.train import set_threads

FROZEN = ("probe", "random")  # a regression on embeddings, no network is trained
TABLES = ("intervals", "demographics")
SHIFTED = config.Augment(lead_drop=0.0, unknown_lead=0.0)  # leads are dropped in pretraining only


class Job:
    """What every method is given."""

    def __init__(
        self, method: str, encoder: dict[str, Any], found: Examples, signals: data.Signals, threads: int
    ) -> None:
        self.method, self.encoder, self.examples, self.signals, self.threads = method, encoder, found, signals, threads
        self.rows = found.rows_in(signals.table)
        self.ingest = config.Ingest(**encoder["ingest"])
        self.grid = make_grid(config.Transformer(**encoder["settings"]), self.ingest)

    def only(self, k: int) -> "Job":
        """The same with one outcome."""
        one = replace(self.examples, y=self.examples.y[:, [k]], outcomes=[self.examples.outcomes[k]])
        return Job(self.method, self.encoder, one, self.signals, self.threads)


def regression(job: Job, network: networks.Network, batch: int) -> tuple[networks.Network, list[dict[str, Any]]]:
    """The network with its linear head fitted to frozen embeddings, means over the windows of long recordings."""
    from ecgwas.embed.embed import embed, encoder_of

    weights = {name: w.cpu() for name, w in network.encoder.state_dict().items()}
    mine = replace(job.signals, table=job.signals.table[job.rows])
    z = embed(encoder_of(job.encoder | {"weights": weights}), mine, batch).astype(float)
    found, fits = linear.fit(z, job.examples.y, job.examples.of("train"), job.examples.of("choose"))
    network.head.set(found)
    told = [{"scale": f.scale, "penalty": f.penalty, "loss": f.loss} if f else {"scale": "none"} for f in fits]
    return network, told


def network_of(job: Job, settings: config.Predict, seed: int, resume: Path) -> dict[str, Any]:
    """Fit one network to all outcomes of the job: its part of the predictor's file."""
    outputs = len(job.examples.outcomes)

    def start() -> networks.Network:
        network = networks.make(job.method, job.encoder, outputs, seed)
        if job.method == "finetuned":  # from the probe's solution, so that no pass need undo a random head
            network = regression(job, network, settings.batch)[0]
        if job.method == "attention":
            network.encoder.requires_grad_(False)
        return network

    if job.method in FROZEN:
        network, trials = regression(job, start(), settings.batch)
    else:
        material = training.Material(job.examples, job.signals, job.rows, job.grid, SHIFTED, job.threads)
        decay = settings.layer_decay if job.method == "finetuned" else 1.0
        fitted = job.method == "finetuned"
        network, trials = training.train(start, material, settings, decay, seed, resume, fitted)
    weights = {name: w.detach().cpu() for name, w in network.state_dict().items()}
    return {"outcomes": job.examples.outcomes, "weights": weights, "trials": trials}


def parts_of(job: Job, settings: config.Predict, seed: int, resume: Path) -> list[dict[str, Any]]:
    """One network for all outcomes, or one for each."""
    if settings.together or job.method in FROZEN:
        return [network_of(job, settings, seed, resume)]
    names = job.examples.outcomes
    return [network_of(job.only(k), settings, seed, resume / name) for k, name in enumerate(names)]


def enough(found: Examples, least: int) -> Examples:
    """The outcomes with enough people in both classes to learn from; raises `UserError` where none is left."""
    train = found.of("train")
    cases, labelled = np.nansum(found.y[train], 0), np.isfinite(found.y[train]).sum(0)
    kept = [k for k in range(len(found.outcomes)) if min(cases[k], labelled[k] - cases[k]) >= least]
    for k in set(range(len(found.outcomes))) - set(kept):
        print(f"{found.outcomes[k]}: {cases[k]:.0f} cases of {labelled[k]}, too few to learn from", flush=True)
    if not kept:
        raise UserError(f"no outcome has {least} cases and {least} controls to learn from; lower predict.min_cases")
    return replace(found, y=found.y[:, kept], outcomes=[found.outcomes[k] for k in kept])


def main(
    method: str,
    checkpoint: Path,
    recordings: Path,
    strips: list[Path],
    beats: list[Path],
    labels: Path,
    settings: config.Predict,
    predictor: Path,
    resume: Path,
    intervals: Path | None = None,
    seed: int = 1,
    threads: int = 1,
    label_share: float = 1.0,
    label_draw: int = 0,
) -> None:
    """Fit a predictor to the training split of a cohort; those who choose decide its settings, no other is looked at.

    Args:
        method: One of predict.methods.
        checkpoint: The pretrained encoder; of supervised, random and xresnet1d only its sizes and statistics are used.
        recordings: The cohort's recordings.parquet.
        strips: Its shards of rhythm strips.
        beats: Its shards of median beats, and of windows of longer recordings.
        labels: Its labels.parquet.
        settings: The predict block, as JSON.
        predictor: Written: the predictor.
        resume: Folder for what a killed run goes on from.
        intervals: Its intervals.parquet, for method intervals.
        seed: Seed of new weights, order and augmentation.
        threads: CPU threads; another number changes the last bits of the result.
        label_share: Share of the training people whose labels are used.
        label_draw: Number of the draw of these people.
    """
    found = known.with_labels(known.read(labels, settings), label_share, label_draw, seed)
    found = enough(found, 1 if label_share < 1 else settings.min_cases)
    about = {
        "kind": "predictor",
        "method": method,
        "outcomes": found.outcomes,
        "settings": settings.model_dump(mode="json"),
    }
    about |= {"label_share": label_share, "label_draw": label_draw, "seed": seed}
    about["people"] = found.table.filter(found.of("train"))["person_id"].n_unique()
    if method in TABLES:
        fitted = import_module("ecgwas.predict.classical").fit(method, found, intervals)
        files.save(about | fitted, predictor)
        return
    set_threads(threads if method == "xresnet1d" else 1)
    signals, encoder = data.open_signals([recordings], strips, beats), files.load(checkpoint)
    signals.check_channels(encoder["leads"])
    job = Job(method, encoder, found, signals, threads)
    parts = parts_of(job, settings, seed, resume)
    bare = {name: value for name, value in encoder.items() if name not in ("weights", "readout")}
    files.save(about | {"checkpoint": bare, "parts": parts}, predictor)
    shutil.rmtree(resume, ignore_errors=True)


if __name__ == "__main__":
    run(main)
