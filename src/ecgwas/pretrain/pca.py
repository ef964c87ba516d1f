"""Median beats and RR intervals -> checkpoint of their principal components: the linear baseline."""

from pathlib import Path

import numpy as np
import torch

from ecgwas import config
from ecgwas.checkpoints import checkpoint as files
from ecgwas.cli import run
from ecgwas.config import LEADS
from ecgwas.encoder.beat_features import features
from ecgwas.encoder.statistics import statistics as signal_statistics
from ecgwas.errors import UserError
from ecgwas.signals import data

BLOCK = 512  # recordings read at once


def fit(signals: data.Signals, statistics: dict[str, np.ndarray], components: int) -> dict[str, np.ndarray]:
    """Mean [F], directions [components, F] and variances of the features of recordings that have a median beat."""
    n, total, square = 0, 0.0, 0.0
    for start in range(0, len(signals), BLOCK):
        batch = signals.read(np.arange(start, min(start + BLOCK, len(signals))))
        x = features(batch, statistics)[data.has_beat(batch)]
        n, total, square = n + len(x), total + x.sum(0), square + x.T @ x
    if n <= components:
        raise UserError(f"{n} recordings with a median beat for {components} components; set a smaller `components`")
    mean = total / n
    variances, directions = np.linalg.eigh(square / n - np.outer(mean, mean))
    directions = directions[:, ::-1][:, :components].T
    sign = np.sign(np.take_along_axis(directions, np.abs(directions).argmax(1)[:, None], 1))
    print(
        f"{n} recordings; {components} components hold {variances[-components:].sum() / variances.sum():.1%}",
        flush=True,
    )
    return {"mean": mean, "directions": directions * sign, "variances": variances[::-1][:components].copy()}


def main(
    recordings: list[Path],
    strips: list[Path],
    beats: list[Path],
    settings: config.Pca,
    ingest: config.Ingest,
    checkpoint: Path,
    seed: int = 1,
    threads: int = 1,
) -> None:
    """Fit principal components of median beats and RR of all cohorts given.

    Args:
        recordings: recordings.parquet of each cohort.
        strips: All shards of rhythm strips.
        beats: All shards of median beats.
        settings: The recipe, a file of config/models.
        ingest: How the signals were made.
        checkpoint: Written: components and all that is needed to use them.
        seed: Seed of the recordings that centres and scales come from.
        threads: CPU threads.
    """
    torch.set_num_threads(threads)
    signals = data.open_signals(recordings, strips, beats)
    signals.check_channels(LEADS)  # the components are of median beats
    statistics = signal_statistics(signals, seed)
    weights = fit(signals, statistics, settings.components)
    values = {"kind": settings.kind, "settings": settings.model_dump(), "ingest": ingest.model_dump(), "seed": seed}
    values |= {"recordings": len(signals)}
    tensors = [{name: torch.from_numpy(x.copy()) for name, x in d.items()} for d in (statistics, weights)]
    files.save(values | {"leads": list(data.MODEL_LEADS), "statistics": tensors[0], "weights": tensors[1]}, checkpoint)


if __name__ == "__main__":
    run(main)
