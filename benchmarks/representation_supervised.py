"""Labelled recordings -> scores of networks trained from scratch: the pipeline's encoder, and an xresnet1d.

One network learns all tasks of a label share together. Both kinds get the same trials of learning rate and weight
decay, and their snapshots during training are kept: those of the best validation score are used, task by task.
"""

import dataclasses
import hashlib
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch
from benchmarks.representation_data import RECORDINGS, files_of
from benchmarks.representation_models import code
from torch import Tensor, nn

from ecgwas import config
from ecgwas.checkpoints import checkpoint as files
from ecgwas.encoder.backbones import make_encoder
from ecgwas.encoder.tokens import make_grid, on_device
from ecgwas.encoder.transformer import whole
from ecgwas.files import atomic
from ecgwas.predict.methods.xresnet import WIDTH, XResNet1d
from ecgwas.signals import data

TRIALS = ((1e-3, 0.01), (3e-3, 0.01), (1e-3, 0.1))  # learning rate, weight decay
BATCH = 32
SNAPSHOTS = 5  # of a run, at equal distances, the last at its end
SHIFT = 100  # samples of a strip: training recordings are rolled in time by up to this, at random


class Job(NamedTuple):
    """One training run; its results are kept in `path`."""

    kind: str  # encoder or xresnet1d
    cohort: Path
    encoder: Path  # checkpoint that tells recipe and statistics of the encoder; its weights are not used
    y: np.ndarray  # [n, class], the last is age in years
    train: np.ndarray  # rows with labels
    scored: np.ndarray  # rows that get scores; the others are NaN
    trial: int
    seed: int
    updates: int
    path: Path


def job(
    kind: str,
    cohort: Path,
    encoder: Path,
    y: np.ndarray,
    train: np.ndarray,
    scored: np.ndarray,
    trial: int,
    updates: int,
    folder: Path,
) -> Job:
    """A job with its place in `folder`, whose name tells all that it depends on."""
    recipe = [sorted(files.load(encoder)["settings"].items()), code("pretrain")] if kind == "encoder" else WIDTH
    what = [recipe, TRIALS[trial], updates, BATCH, SHIFT, SNAPSHOTS, train.tolist(), scored.tolist(), y.shape]
    digest = hashlib.sha256(repr(what).encode()).hexdigest()[:12]
    name = f"{kind}-{len(train)}-labels-trial{trial}-{digest}.npy"
    return Job(kind, cohort, encoder, y, train, scored, trial, 1, updates, folder / name)


# ------------------------------------------------------------------------------------------------------ networks


class EncoderNetwork(nn.Module):
    """The pipeline's encoder with new weights, by the recipe and statistics of a checkpoint, and a linear head."""

    def __init__(self, checkpoint: dict[str, Any], outputs: int) -> None:
        super().__init__()
        settings, ingest = config.Transformer(**checkpoint["settings"]), config.Ingest(**checkpoint["ingest"])
        self.encoder = make_encoder(settings, make_grid(settings, ingest), checkpoint["statistics"])
        self.head = nn.Linear(settings.embedding, outputs)

    def forward(self, batch: data.Batch) -> Tensor:
        """Recordings as they are stored -> [B, outputs]."""
        tokens = self.encoder.tokenizer(on_device(batch, torch.device("cpu")))
        z = self.encoder.embed_nothing(len(batch)).clone()
        for rows, index in whole(tokens.there):
            chosen = tokens[rows]
            z[rows] = self.encoder.embed(self.encoder(chosen, index), index, chosen.lead)
        return self.head(z)


class ConvolutionalNetwork(XResNet1d):
    """The xresnet1d over the strips of the eight independent leads, mV."""

    def __init__(self, outputs: int) -> None:
        super().__init__(len(data.COLUMNS), outputs)

    def forward(self, batch: data.Batch) -> Tensor:
        """Recordings as they are stored, 0 where missing -> [B, outputs]."""
        return super().forward(torch.from_numpy(np.nan_to_num(data.in_units(batch.strip[:, data.COLUMNS]))))


# ------------------------------------------------------------------------------------------------------ training


def loss(out: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of the classes, mean over them, and squared error of the last column, age, standardised."""
    classes = nn.functional.binary_cross_entropy_with_logits(out[:, :-1], y[:, :-1])
    return classes + 0.5 * nn.functional.mse_loss(out[:, -1], y[:, -1])


def run(job: Job) -> Path:
    """Train one network; writes its scores at each snapshot, float32 [snapshot, n, class]."""
    if job.path.exists():
        return job.path
    torch.set_num_threads(1)
    torch.manual_seed(job.seed)
    rng = np.random.default_rng([job.seed])
    batch = whole_cohort(job.cohort)
    age = job.y[job.train, -1]
    centre, scale = age.mean(), max(age.std(), 1.0)
    y = torch.from_numpy(np.column_stack([job.y[:, :-1], (job.y[:, -1] - centre) / scale]).astype(np.float32))
    network = network_of(job, y.shape[1])
    rate, decay = TRIALS[job.trial]
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=job.updates)
    ends = set(np.linspace(0, job.updates, SNAPSHOTS + 1).round().astype(int)[1:].tolist())
    order = np.concatenate([rng.permutation(job.train) for _ in range(job.updates * BATCH // len(job.train) + 1)])
    snapshots = []
    for update in range(job.updates):
        rows = order[update * BATCH : (update + 1) * BATCH]
        network.train()
        optimiser.zero_grad()
        loss(network(moved(batch.rows(rows), int(rng.integers(-SHIFT, SHIFT + 1)))), y[rows]).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if update + 1 in ends:
            snapshots.append(np.full(job.y.shape, np.nan, np.float32))
            snapshots[-1][job.scored] = predict(network, batch.rows(job.scored))
            snapshots[-1][:, -1] = snapshots[-1][:, -1] * scale + centre
    with atomic(job.path) as path, open(path, "wb") as file:
        np.save(file, np.stack(snapshots))
    return job.path


def network_of(job: Job, outputs: int) -> nn.Module:
    """The network of a job, with the initial weights of torch's seed."""
    if job.kind == "xresnet1d":
        return ConvolutionalNetwork(outputs)
    return EncoderNetwork(files.load(job.encoder), outputs)


def whole_cohort(cohort: Path) -> data.Batch:
    """All recordings of a cohort in the order of its table."""
    signals = data.open_signals(**files_of([cohort]))
    place = {name: row for row, name in enumerate(signals.table["recording_id"])}
    table = pl.read_parquet(cohort / RECORDINGS, columns=["recording_id"])
    return signals.read(np.array([place[name] for name in table["recording_id"]]))


def moved(batch: data.Batch, samples: int) -> data.Batch:
    """The same recordings, strips rolled in time."""
    return dataclasses.replace(batch, strip=np.roll(batch.strip, samples, axis=2))


@torch.no_grad()
def predict(network: nn.Module, batch: data.Batch) -> np.ndarray:
    """Outputs [n, class] of all recordings."""
    network.eval()
    rows = np.array_split(np.arange(len(batch)), max(1, len(batch) // 128))
    return torch.cat([network(batch.rows(part)) for part in rows]).numpy()


def run_all(jobs: list[Job], processes: int) -> None:
    """Run the jobs that have no result yet, one thread each."""
    left = [job for job in jobs if not job.path.exists()]
    if not left:
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for done, _ in enumerate(pool.map(run, left), 1):
            if done % 5 == 0 or done == len(left):
                print(f"supervised: {done} of {len(left)} runs", flush=True)
