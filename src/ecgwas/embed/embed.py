"""Checkpoint and signal shards -> one embedding per recording, and its spread over windows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from ecgwas import config
from ecgwas.checkpoints import checkpoint as files
from ecgwas.cli import run
from ecgwas.encoder.backbones import make_encoder
from ecgwas.encoder.beat_features import features
from ecgwas.encoder.device import set_threads
from ecgwas.encoder.tokens import make_grid, on_device
from ecgwas.encoder.transformer import whole
from ecgwas.encoder.windows import Encode, Summary, summarise
from ecgwas.errors import UserError
from ecgwas.signals import data
from ecgwas.tables import EMBEDDING_WINDOWS, EMBEDDINGS


def transformer(checkpoint: dict[str, Any], layers: Sequence[int] = ()) -> Encode:
    """The encoder of a transformer's checkpoint: every recorded token is visible, in float32.

    layers: blocks, the first is 1, of which the mean over tokens is taken, instead of the trained embedding.
    """
    settings, ingest = config.Transformer(**checkpoint["settings"]), config.Ingest(**checkpoint["ingest"])
    if layers and max(layers) > settings.depth:
        raise UserError(f"embed.layers: {list(layers)} of a model with {settings.depth} blocks; name blocks it has")
    model = make_encoder(settings, make_grid(settings, ingest), checkpoint["statistics"])
    model.load_state_dict(checkpoint["weights"])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = model.eval().to(device)

    @torch.no_grad()
    def encode(batch: data.Batch) -> np.ndarray:
        tokens = model.tokenizer(on_device(batch, device))
        width = len(layers) * settings.width or settings.embedding
        z = torch.full((len(batch), width), torch.nan, device=device)
        for rows, index in whole(model.there(tokens)):
            chosen = tokens[rows]
            if layers:
                found = model.layers(chosen, index)
                z[rows] = torch.cat([found[k - 1].mean(1) for k in layers], 1)
            else:
                z[rows] = model.embed(model(chosen, index), index, chosen.lead)
        return z.cpu().numpy()

    return encode


def principal_components(checkpoint: dict[str, Any]) -> Encode:
    """The projection of a PCA's checkpoint; NaN for recordings without a median beat."""
    statistics = {name: x.numpy() for name, x in checkpoint["statistics"].items()}
    mean, directions = (checkpoint["weights"][name].numpy() for name in ("mean", "directions"))

    def encode(batch: data.Batch) -> np.ndarray:
        z = (features(batch, statistics) - mean) @ directions.T
        return np.where(data.has_beat(batch)[:, None], z, np.nan).astype(np.float32)

    return encode


def encoder_of(checkpoint: dict[str, Any], layers: Sequence[int] = ()) -> Encode:
    """The encoder of a checkpoint of any kind; layers: of a transformer, as in `transformer`."""
    if checkpoint["kind"] == "pca":
        return principal_components(checkpoint)
    return transformer(checkpoint, layers)


def embed(encode: Encode, signals: data.Signals, batch: int) -> np.ndarray:
    """Embeddings [recording, width] of all recordings in the order of their table; long ones: the mean of windows."""
    return summarise(encode, signals, batch).mean


def to_table(signals: data.Signals, z: np.ndarray) -> pl.DataFrame:
    """recording_id, person_id, e0000, e0001, …; recordings that could not be embedded have no row."""
    table = signals.table.select("recording_id", "person_id")
    table = table.with_columns(pl.Series(f"e{i:04d}", z[:, i], dtype=pl.Float32) for i in range(z.shape[1]))
    return table.filter(pl.Series(~np.isnan(z).any(1)))


def to_windows_table(signals: data.Signals, summary: Summary) -> pl.DataFrame:
    """tables.EMBEDDING_WINDOWS, and s0001, s0002, …: the rows of `to_table`."""
    table = signals.table.select("recording_id", "person_id", windows=pl.Series(summary.count))
    sds = (pl.Series(f"s{i:04d}", summary.sd[:, i]).fill_nan(None) for i in range(summary.sd.shape[1]))
    return EMBEDDING_WINDOWS.typed(table.with_columns(sds).filter(pl.col("windows") > 0))


def main(
    checkpoint: Path,
    recordings: Path,
    strips: list[Path],
    beats: list[Path],
    embeddings: Path,
    settings: config.Embed | None = None,
    threads: int = 1,
    windows: Path | None = None,
) -> None:
    """Embed the recordings of a cohort.

    Args:
        checkpoint: A trained model: transformer or principal components.
        recordings: The cohort's recordings.parquet.
        strips: Its shards of rhythm strips.
        beats: Its shards of median beats, and of those and the RR of windows where recordings are longer.
        embeddings: Written: one row per recording. Principal components exclude recordings without a median beat.
        settings: Batch size, and which layers.
        threads: CPU threads.
        windows: Written: number of windows of each recording and the SD over windows.
    """
    set_threads(threads)
    signals = data.open_signals([recordings], strips, beats)
    trained = files.load(checkpoint)
    data.check_signals(signals, trained, checkpoint)
    settings = settings or config.Embed()
    summary = summarise(encoder_of(trained, settings.layers), signals, settings.batch)
    table = to_table(signals, summary.mean)
    print(
        f"{table.height} recordings embedded, {len(signals) - table.height} without a median beat left out", flush=True
    )
    EMBEDDINGS.write(table, embeddings)
    if windows:
        EMBEDDING_WINDOWS.write(to_windows_table(signals, summary), windows)


if __name__ == "__main__":
    run(main)
