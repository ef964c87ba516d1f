"""Signal shards -> checkpoint of a self-supervised encoder: AdamW, warm-up and cosine, resumable to the same losses."""

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ecgwas import config
from ecgwas.checkpoints import checkpoint as files
from ecgwas.cli import run
from ecgwas.encoder.backbones import make_encoder
from ecgwas.encoder.device import set_threads
from ecgwas.encoder.statistics import statistics as signal_statistics
from ecgwas.encoder.tokens import make_grid
from ecgwas.errors import UserError
from ecgwas.files import remove_folder, write_parquet
from ecgwas.pretrain import losses, processes
from ecgwas.pretrain.processes import Processes
from ecgwas.pretrain.trainer import Trainer
from ecgwas.signals import data


def make_learner(
    settings: config.Transformer, ingest: config.Ingest, statistics: dict[str, Tensor], seed: int
) -> losses.Learner:
    """A learner with the initial weights of `seed`, or with the encoder of `settings.start`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = make_encoder(settings, make_grid(settings, ingest), statistics)
        if settings.start is not None:
            take_weights(encoder, settings.start)
        return losses.Learner(settings, encoder, copy.deepcopy(encoder))


def take_weights(encoder: torch.nn.Module, path: Path) -> None:
    """The weights of a trained model; raises `UserError` where its sizes are others."""
    try:
        encoder.load_state_dict(files.load(path)["weights"])
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise UserError(f"{path}: its weights do not fit this recipe ({reason}); take its sizes over") from None


def find_statistics(
    signals: data.Signals, settings: config.Transformer, ingest: config.Ingest, seed: int
) -> dict[str, Tensor]:
    """Statistics of the signals, or those of the model that training starts from."""
    if settings.start is not None:
        return files.load(settings.start)["statistics"]
    patch = make_grid(settings, ingest).beat_patch
    return {name: torch.from_numpy(x) for name, x in signal_statistics(signals, seed, patch).items()}


def check_batch(settings: config.Transformer, group: Processes) -> None:
    """The batch must divide evenly: means over processes are then means over recordings."""
    if settings.batch % (settings.accumulate * group.world):
        raise UserError(
            f"batch {settings.batch} is no multiple of accumulate {settings.accumulate} times {group.world} processes"
        )


def main(
    recordings: list[Path],
    strips: list[Path],
    beats: list[Path],
    settings: config.Transformer,
    ingest: config.Ingest,
    checkpoint: Path,
    history: Path,
    resume: Path,
    seed: int = 1,
    threads: int = 1,
    stop_after: int | None = None,
) -> None:
    """Train an encoder on the recordings of the cohorts; an interrupted run resumes from `resume`.

    Under torchrun each process takes its part of every batch; the result is that of one process.

    Args:
        recordings: recordings.parquet of each cohort.
        strips: All shards of rhythm strips, {cohort's folder}/signals/shard-*.strip.npy.
        beats: All shards of median beats, {cohort's folder}/signals/shard-*.beat.npy.
        settings: The recipe, a file of config/models.
        ingest: How the signals were made.
        checkpoint: Written: weights, settings and statistics of standardisation.
        history: Written: losses of every step.
        resume: Folder for the state of an unfinished run.
        seed: Seed of initial weights, order, masks, augmentation.
        threads: CPU threads of each process; another number changes the last bits of the result.
        stop_after: Stop after this many steps without a result (to test resuming).
    """
    device, group = set_threads(1), processes.join()  # within an operation; `threads` share the batch
    check_batch(settings, group)
    signals = data.open_signals(recordings, strips, beats)
    signals.check_channels(ingest.channels)
    statistics = find_statistics(signals, settings, ingest, seed)
    learner = make_learner(settings, ingest, statistics, seed).to(device)
    size = sum(w.numel() for w in learner.encoder.parameters())
    print(f"{len(signals)} recordings, {size:,} weights, {device}, {group.world} x {threads} threads", flush=True)
    trainer = Trainer(learner, signals, settings, seed, threads, group)
    trainer.run(resume, stop_after)
    if group.rank == 0:
        files.save(finished(trainer, ingest, statistics), checkpoint)
        write_parquet(trainer.table(), history)
        remove_folder(resume)
    processes.leave(group)


def finished(trainer: Trainer, ingest: config.Ingest, statistics: dict[str, Tensor]) -> dict[str, Any]:
    """The contents of a checkpoint: the averaged encoder, its decoder, settings and statistics."""
    settings, learner = trainer.settings, trainer.learner
    values = {"kind": settings.kind, "settings": settings.model_dump(mode="json"), "seed": trainer.seed}
    values |= {"ingest": ingest.model_dump(mode="json"), "recordings": len(trainer.signals)}
    values |= {"leads": list(learner.encoder.grid.channels), "statistics": statistics}
    values["weights"] = {name: w.cpu() for name, w in learner.average.state_dict().items()}
    if learner.readout is not None:
        values["readout"] = {name: w.cpu() for name, w in learner.readout.state_dict().items()}
    return values


if __name__ == "__main__":
    run(main)
