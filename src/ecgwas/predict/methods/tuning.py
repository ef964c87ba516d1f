"""Network methods: labelled recordings -> a fitted network; a fitted network and recordings -> logits."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from ecgwas import config
from ecgwas.checkpoints import checkpoint as files
from ecgwas.encoder.augmentation import Augmenter
from ecgwas.encoder.device import set_threads
from ecgwas.encoder.tokens import make_grid, on_device
from ecgwas.encoder.windows import Encode, of_rows
from ecgwas.errors import UserError
from ecgwas.predict.inputs import CohortFiles, FitInputs, Logits
from ecgwas.predict.methods import networks, probe, training
from ecgwas.predict.methods.networks import EncoderNetwork, Network
from ecgwas.signals import data
from ecgwas.tables import EMBEDDINGS

PROBES = ("probe", "random")
BATCH = 128  # windows encoded at once
CHECKED = 8  # recordings whose given embeddings are compared with the encoder's
NOTHING, NO_SIGNALS = "nothing recorded", "no signals"


@dataclass(frozen=True)
class SignalExamples:
    """The examples of a fit, in the order of their labels, and where their signals are."""

    given: FitInputs
    checkpoint: dict[str, Any]
    signals: data.Signals
    rows: np.ndarray  # of the signals' table, int [n]
    device: torch.device

    @property
    def train(self) -> np.ndarray:
        return self.given.examples.rows("train")

    @property
    def validation(self) -> np.ndarray:
        return self.given.examples.rows("validation")


def fit(given: FitInputs) -> dict[str, Any]:
    """Fit a network method; the dictionary of the predictor."""
    setting = opened(given)
    outcomes = given.examples.outcomes
    together = given.settings.together or given.method in PROBES
    groups = [list(range(len(outcomes)))] if together else [[k] for k in range(len(outcomes))]
    found = [fit_outcomes(setting, columns) for columns in groups]
    network = found[0][0] if together else networks.Apart([member for member, _ in found])
    chosen = {"+".join(member.outcomes): told for member, told in found} if not together else found[0][1]
    return networks.to_dict(network) | {"chosen": chosen}


def opened(given: FitInputs) -> SignalExamples:
    """Open what a fit reads; raises `UserError` where something is missing."""
    given.cohort.need(given.method, "strips", "beats")
    if given.checkpoint is None:
        raise UserError(f"method {given.method} needs the model's checkpoint; give --checkpoint")
    device = set_threads(given.threads if given.method == "xresnet1d" else 1)
    checkpoint = files.load(given.checkpoint)
    signals = open_signals(given.cohort, checkpoint, given.checkpoint)
    rows = data.rows_of(signals, given.examples.table["recording_id"])
    if (rows < 0).any():
        missing = given.examples.table["recording_id"].to_numpy()[rows < 0]
        raise UserError(
            f"{given.cohort.recordings}: {len(missing)} labelled recordings are not in it, such as {missing[0]};"
            " make the labels again from these recordings"
        )
    return SignalExamples(given, checkpoint, signals, rows, device)


def open_signals(cohort: CohortFiles, checkpoint: dict[str, Any], path: Path) -> data.Signals:
    """The signals of a cohort, ingested as the model's were."""
    signals = data.open_signals([cohort.recordings], list(cohort.strips), list(cohort.beats))
    data.check_signals(signals, checkpoint, path)
    return signals


def fit_outcomes(setting: SignalExamples, columns: list[int]) -> tuple[Network, dict[str, Any]]:
    """One network for these outcomes, and the hyperparameters selected."""
    given = setting.given
    y = given.examples.y[:, columns]
    outcomes = [given.examples.outcomes[k] for k in columns]

    def make() -> Network:
        return networks.make_network(given.method, outcomes, setting.checkpoint, given.seed).to(setting.device)

    if given.method in PROBES:
        return probed(setting, make(), y)
    start = probed(setting, make(), y)[0] if given.method in ("finetuned", "attention") else make()
    initial = training.copied(start)

    def begin() -> Network:
        network = make()
        network.load_state_dict(initial)
        return network

    threads = 1 if given.method == "xresnet1d" else given.threads
    forward = on_tokens(setting, start) if given.method == "attention" else on_signals(setting)
    task = training.Task(forward, y, setting.train, setting.validation, given.settings, given.seed, threads)
    folder = (
        given.resume
        if len(outcomes) == len(given.examples.outcomes) or not given.resume
        else (given.resume / outcomes[0])
    )
    return training.fit(begin, task, folder)


# ------------------------------------------------------------------------------------------------ frozen encoders


def probed(setting: SignalExamples, network: EncoderNetwork, y: np.ndarray) -> tuple[EncoderNetwork, dict[str, Any]]:
    """The network with the probes of its frozen embeddings as head, standardisation folded in."""
    z, train, validation = embeddings(setting, network), setting.train, setting.validation
    fits = [probe.fit(z[train], labels[train], z[validation], labels[validation]) for labels in y.T]
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(np.stack([one.weight for one in fits])))
        network.head.bias.copy_(torch.tensor([one.bias for one in fits]))
    told = {
        name: {"scale": one.scale, "penalty": one.penalty, "loss": one.loss}
        for name, one in zip(network.outcomes, fits, strict=True)
    }
    return network, told


def embeddings(setting: SignalExamples, network: EncoderNetwork) -> np.ndarray:
    """Embeddings [n, E] of the examples, float32, NaN where missing; read from the table where it exists."""
    given, encode = setting.given, embedder(network)
    if given.embeddings is not None and given.method != "random":
        ids = given.examples.table.select("recording_id")
        table = ids.join(EMBEDDINGS.read(given.embeddings), on="recording_id", how="left", maintain_order="left")
        z = table.select("^e\\d+$").to_numpy()
        some = np.linspace(0, len(z) - 1, min(CHECKED, len(z))).astype(int)
        own = encoded(encode, setting.signals, setting.rows[some])
        if own.shape == z[some].shape and np.allclose(own, z[some], rtol=1e-3, atol=1e-3, equal_nan=True):
            return z
        print(f"{given.embeddings}: not this encoder's own embedding; encoding anew", flush=True)
    return encoded(encode, setting.signals, setting.rows)


def embedder(network: EncoderNetwork) -> Encode:
    """Batches -> embeddings, NaN where nothing is recorded."""

    @torch.no_grad()
    def encode(batch: data.Batch) -> np.ndarray:
        tokens = network.encoder.tokenizer(on_device(batch, network.device))
        there = network.encoder.there(tokens).any(1)[:, None]
        return torch.where(there, network.embedding(tokens), torch.nan).cpu().numpy()

    network.eval()
    return encode


def encoded(encode: Encode, signals: data.Signals, rows: np.ndarray, batch: int = BATCH) -> np.ndarray:
    """Mean over windows of what `encode` gives, [n, width], of the recordings at these rows of the table."""
    parts = [of_rows(encode, signals, rows[k : k + batch], batch).mean for k in range(0, len(rows), batch)]
    return np.concatenate(parts)


# ------------------------------------------------------------------------------------------------- forward passes


def on_signals(setting: SignalExamples) -> training.Forward:
    """Recordings are read and, in training, augmented as in pretraining; of long ones a window at random."""
    given, settings = setting.given, config.Transformer()
    if setting.checkpoint["kind"] == "transformer":
        settings = config.Transformer(**setting.checkpoint["settings"])
    grid = make_grid(settings, config.Ingest(**setting.checkpoint["ingest"]))
    augment = Augmenter(settings.augment, grid, given.seed, setting.device)

    def forward(network: Network, rows: np.ndarray, slots: np.ndarray, step: int | None) -> Tensor:
        key = [given.seed, data.WINDOWS, step or 0]
        signals = on_device(data.read_windows(setting.signals, setting.rows[rows], key), setting.device)
        if step is None:
            return network.logits(signals)
        with torch.no_grad():
            _, student, seen = augment(signals, step, slots)
        return network.logits(student, seen)

    return forward


def on_tokens(setting: SignalExamples, network: EncoderNetwork) -> training.Forward:
    """Embeddings [n, E] and tokens [n, N, D] of a frozen encoder, and which are present: computed once."""
    n, parts = len(setting.rows), []
    for start in range(0, n, BATCH):
        batch = data.read_windows(
            setting.signals, setting.rows[start : start + BATCH], [setting.given.seed, data.WINDOWS, 0]
        )
        parts.append([x.cpu() for x in tokens_of(network, batch)])
    kept = [torch.cat(x) for x in zip(*parts, strict=True)]

    def forward(network: Network, rows: np.ndarray, slots: np.ndarray, step: int | None) -> Tensor:
        return network.pooled(*(x[rows].to(network.device) for x in kept))

    return forward


@torch.no_grad()
def tokens_of(network: EncoderNetwork, batch: data.Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings and encoded tokens of recordings, as `EncoderNetwork.encoded`."""
    network.eval()
    return network.encoded(network.encoder.tokenizer(on_device(batch, network.device)))


# ---------------------------------------------------------------------------------------------------------- scores


def score(
    predictor: dict[str, Any], cohort: CohortFiles, ids: pl.Series, threads: int = 1, batch: int = BATCH
) -> Logits:
    """Logits of the recordings named; of long ones the mean over their windows."""
    device = set_threads(threads)
    cohort.need(predictor["method"], "strips", "beats")
    network = networks.from_dict(predictor).to(device)
    signals = open_signals(cohort, predictor["checkpoint"], cohort.recordings)
    rows = data.rows_of(signals, ids)
    logits = np.full((len(rows), len(network.outcomes)), np.nan)
    there = rows >= 0
    if there.any():
        logits[there] = encoded(scorer(network), signals, rows[there], batch)
    readable = np.isfinite(logits).all(1)
    reasons = [None if ok else (NOTHING if known else NO_SIGNALS) for ok, known in zip(readable, there, strict=True)]
    return Logits(logits, reasons)


def scorer(network: Network) -> Encode:
    """Batches -> logits, NaN where nothing is recorded."""

    @torch.no_grad()
    def encode(batch: data.Batch) -> np.ndarray:
        signals = on_device(batch, network.device)
        there = network.readable(signals)[:, None]
        return torch.where(there, network.logits(signals), torch.nan).cpu().numpy()

    network.eval()
    return encode
