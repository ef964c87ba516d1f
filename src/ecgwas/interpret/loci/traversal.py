"""Axes of an embedding -> decoded median beats along each axis, and the accuracy of the decoder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from ecgwas import config, tables, user_tables
from ecgwas.checkpoints import checkpoint as files
from ecgwas.cli import run
from ecgwas.config import LEADS
from ecgwas.encoder.backbones import make_encoder
from ecgwas.encoder.decoder import Decoder
from ecgwas.encoder.tokens import make_grid
from ecgwas.errors import UserError
from ecgwas.people.values import read_values
from ecgwas.signals import people_beats
from ecgwas.signals.data import MODEL_LEADS

STEPS = (-2.0, -1.0, 0.0, 1.0, 2.0)  # SD
LIMB = {"III": (-1.0, 1.0), "aVR": (-0.5, -0.5), "aVL": (1.0, -0.5), "aVF": (-0.5, 1.0)}  # of I and II

Decode = Callable[[np.ndarray], dict[str, np.ndarray]]  # embeddings [n, E] -> lead: beats [n, T], mV


def with_limb_leads(beats: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The decoded leads and those that are sums of I and II, in the order of LEADS."""
    if {"I", "II"} <= set(beats):
        beats = {name: a * beats["I"] + b * beats["II"] for name, (a, b) in LIMB.items() if name not in beats} | beats
    return {name: beats[name] for name in LEADS if name in beats}


def of_transformer(checkpoint: dict[str, Any]) -> Decode:
    """The decoder of a transformer, trained with it to reconstruct the median beat from the embedding."""
    settings, ingest = config.Transformer(**checkpoint["settings"]), config.Ingest(**checkpoint["ingest"])
    grid = make_grid(settings, ingest)
    decoder = Decoder(settings, make_encoder(settings, grid, checkpoint["statistics"]).tokenizer)
    decoder.load_state_dict(checkpoint["readout"])
    names = [grid.channels[k] for k in decoder.leads]
    mean, scale = (checkpoint["statistics"][name][decoder.leads].numpy() for name in ("beat_mean", "beat_scale"))

    @torch.no_grad()
    def decode(z: np.ndarray) -> dict[str, np.ndarray]:
        found = decoder.eval().decode(torch.from_numpy(np.asarray(z, np.float32)))[0]
        beats = found.unflatten(1, (len(names), -1)).numpy() * scale + mean
        return with_limb_leads({name: beats[:, k] for k, name in enumerate(names)})

    return decode


def of_components(checkpoint: dict[str, Any]) -> Decode:
    """Principal components: the mean and the directions themselves."""
    mean, directions = (checkpoint["weights"][name].numpy() for name in ("mean", "directions"))
    columns = [LEADS.index(name) for name in MODEL_LEADS]
    centre, scale = (checkpoint["statistics"][name][columns].numpy() for name in ("beat_mean", "beat_scale"))

    def decode(z: np.ndarray) -> dict[str, np.ndarray]:
        features = mean + np.asarray(z, float) @ directions
        beats = features[:, :-1].reshape(len(features), *centre.shape) * scale + centre  # the last is log RR
        return with_limb_leads({name: beats[:, k] for k, name in enumerate(MODEL_LEADS)})

    return decode


def decoder_of(checkpoint: dict[str, Any]) -> tuple[Decode | None, str | None]:
    """The decoder of a checkpoint, or the reason why there is none."""
    if checkpoint["kind"] == "pca":
        return of_components(checkpoint), None
    if checkpoint.get("settings", {}).get("steps") == 0:
        return None, "the encoder has its random weights, and so has its readout"
    if not checkpoint.get("readout"):
        return None, "the checkpoint has no readout of the median beat"
    return of_transformer(checkpoint), None


def directions(z: np.ndarray, traits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean embedding [E] of people z [n, E], and its change per SD of each trait [T, E].

    The regression of the embedding on one trait. Of whitened axes w, uncorrelated and of unit variance, it is
    covariance(embedding) @ w: the embedding expected of a person one SD out on this axis and average on all others.
    """
    middle = z.mean(0)
    scores = (traits - traits.mean(0)) / traits.std(0)
    return middle, scores.T @ (z - middle) / len(z)


def r2(decoded: np.ndarray, measured: np.ndarray) -> tuple[float, int]:
    """R2 of decoded against measured beats [n, T], about the mean beat; and the number of measured beats."""
    seen = np.isfinite(measured).all(1) & np.isfinite(decoded).all(1)
    if seen.sum() < 3:
        return float("nan"), int(seen.sum())
    measured, decoded = measured[seen].astype(float), decoded[seen]
    spread = ((measured - measured.mean(0)) ** 2).sum()
    return float(1 - ((measured - decoded) ** 2).sum() / spread), int(seen.sum())


def accuracy(decode: Decode, embeddings: pl.DataFrame, shards: people_beats.Shards) -> dict[str, tuple[float, int]]:
    """R2 of each lead over the recordings that have both an embedding and a median beat."""
    names = [name for name in embeddings.columns if name not in user_tables.IDS]
    joined = shards.table.select("recording_id").join(embeddings, on="recording_id", how="left", maintain_order="left")
    z = joined.select(names).cast(pl.Float64).fill_null(np.nan).to_numpy()
    known = np.isfinite(z).all(1)
    decoded = decode(z[known])
    return {name: r2(beats, people_beats.of_lead(shards, LEADS.index(name))[known]) for name, beats in decoded.items()}


def traverse(decode: Decode, middle: np.ndarray, moves: np.ndarray, names: list[str], time: np.ndarray) -> pl.DataFrame:
    """trait, sd, lead, time_ms, mv of every axis, step, lead and sample."""
    rows = []
    for name, move in zip(names, moves, strict=True):
        decoded = decode(middle + np.outer(STEPS, move))
        for lead, beats in decoded.items():
            for sd, beat in zip(STEPS, beats, strict=True):
                table = pl.DataFrame({"time_ms": time, "mv": beat.astype(float)})
                rows.append(table.with_columns(trait=pl.lit(name), sd=pl.lit(sd), lead=pl.lit(lead)))
    return pl.concat(rows)


def read_people(embeddings: pl.DataFrame, traits: pl.DataFrame) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Mean embeddings [n, E] and traits [n, T] of the people analysed, and the traits' names."""
    columns = [name for name in embeddings.columns if name not in user_tables.IDS]
    names = [name for name in traits.columns if name not in user_tables.IDS]
    means = embeddings.group_by("person_id", maintain_order=True).agg(pl.col(columns).cast(pl.Float64).mean())
    joined = traits.join(means, on="person_id", how="inner", maintain_order="left").drop_nulls([*names, *columns])
    if joined.height < 3:
        raise UserError(f"{joined.height} people have both traits and an embedding; give the files of one model")
    return joined.select(columns).to_numpy(), joined.select(names).cast(pl.Float64).to_numpy(), names


def main(
    checkpoint: Path, embeddings: Path, traits: Path, recordings: Path, beats: list[Path], traversal: Path
) -> None:
    """Decode the median beat along each axis of a model's embedding, from -2 to 2 SD.

    Args:
        checkpoint: The trained model.
        embeddings: Its embeddings of the cohort.
        traits: traits.parquet of the model: its axes in the people analysed.
        recordings: The cohort's recordings.parquet.
        beats: Its shards of median beats.
        traversal: Written: median beats along each axis, and the R2 of the decoder.
    """
    trained, axes = files.load(checkpoint), tables.TRAITS.read(traits)
    decode, reason = decoder_of(trained)
    if decode is None:
        names = [name for name in axes.columns if name not in user_tables.IDS]
        table = tables.TRAVERSAL.empty().select("trait", "reason")
        blank = pl.concat([table, pl.DataFrame({"trait": names, "reason": [reason] * len(names)})])
        missing = [pl.lit(None).alias(n) for n in tables.TRAVERSAL.columns if n not in ("trait", "reason")]
        tables.TRAVERSAL.write(blank.with_columns(missing), traversal)
        print(reason, flush=True)
        return
    known = read_values(embeddings)
    middle, moves = directions(*(people := read_people(known, axes))[:2])
    shards = people_beats.open_shards(recordings, beats)
    time = people_beats.times_ms(config.Ingest(**trained["ingest"]), shards.samples)
    scores = accuracy(decode, known, shards)
    found = traverse(decode, middle, moves, people[2], time)
    beside = pl.DataFrame([(k, v, n) for k, (v, n) in scores.items()], schema=["lead", "r2", "n"], orient="row")
    found = found.join(beside, on="lead", maintain_order="left").with_columns(
        pl.col("r2").fill_nan(None), reason=pl.lit(None, pl.String)
    )
    tables.TRAVERSAL.write(found, traversal)
    by_lead = ", ".join(f"{lead} {value:.2f}" for lead, (value, _) in scores.items())
    print(f"{len(people[2])} axes; R2 of decoded beats: {by_lead}", flush=True)


if __name__ == "__main__":
    run(main)
