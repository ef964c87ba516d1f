"""Signal shards -> checkpoint of a masked transformer: AdamW, warm-up and cosine, resumable to the same losses."""

import dataclasses
import hashlib
import json
import math
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import torch
from torch import Tensor

from ecgwas import config
from ecgwas.cli import run
from ecgwas.errors import UserError
from ecgwas.files import write_parquet
from ecgwas.pretrain import checkpoint as files
from ecgwas.pretrain import data, losses
from ecgwas.pretrain.model import Model, make_grid

HISTORY = {
    "step": (pl.Int32(), "Training step, from 0."),
    "loss": (pl.Float64(), "What is minimised: the weighted sum of the parts."),
    "loss_strip": (pl.Float64(), "Squared error of hidden strip tokens, in variances of their lead."),
    "loss_beat": (pl.Float64(), "Squared error of hidden beat tokens, in variances of their lead and sample."),
    "loss_embedding": (pl.Float64(), "Squared error of the median beat decoded from the embedding."),
    "loss_energy": (pl.Float64(), "Squared error of the log energies of its patches, decoded from the embedding."),
    "loss_rr": (pl.Float64(), "Squared error of log RR decoded from the embedding, in variances."),
    "loss_power": (pl.Float64(), "Mean square of the embedding: the price of its channel."),
    "learning_rate": (pl.Float64(), "Learning rate of the step."),
    "effective_rank": (
        pl.Float64(),
        "Effective rank of the batch's embeddings; null between the steps it is taken at.",
    ),
}
RANK_EVERY = 20


def learning_rate(step: int, settings: config.Transformer) -> float:
    """Linear warm-up, then half a cosine down to 2 % of the peak."""
    warmup = max(1, round(settings.warmup * settings.steps))
    if step < warmup:
        return settings.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, settings.steps - warmup)
    return settings.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))


def effective_rank(z: Tensor) -> float:
    """exp of the entropy of the normalised singular values of the centred z [B, E] (Roy & Vetterli 2007, eq. 3)."""
    s = torch.linalg.svdvals((z - z.mean(0)).detach().float().cpu())
    p = s / s.sum().clamp(min=1e-30)
    return float(torch.exp(-(p * p.clamp(min=1e-30).log()).sum()))


def train(
    model: Model,
    signals: data.Signals,
    settings: config.Transformer,
    seed: int,
    resume: Path,
    stop_after: int | None = None,
    threads: int = 1,
) -> pl.DataFrame:
    """Train `model` in place from the state in `resume`, if there is one; returns the history, one row a step.

    `stop_after` ends the process's work after that many steps of its own, as a kill would.
    """
    optimiser = torch.optim.AdamW(_parameter_groups(model, settings), lr=settings.learning_rate, betas=(0.9, 0.95))
    device = model.beat_mean.device
    threads = 1 if device.type == "cuda" else threads
    key = fingerprint(model, signals, settings, seed, threads)
    first, history = load_state(resume / "state.pt", key, model, optimiser)
    pool, began = ThreadPoolExecutor(threads), time.monotonic()
    for step in range(first, settings.steps):
        if stop_after is not None and step - first >= stop_after:
            raise InterruptedError(f"stopped after {stop_after} steps, as asked")
        batch = signals.read(data.rows_of_step(len(signals), settings.batch, step, seed))
        rate = learning_rate(step, settings)
        for group in optimiser.param_groups:
            group["lr"] = rate
        parts, z = losses.backward(model, losses.prepare(model, batch, settings, seed, step), threads, pool)
        loss = parts["loss"]
        if not math.isfinite(loss):
            remedy = f"lower learning_rate ({settings.learning_rate}) or lengthen warmup"
            raise UserError(f"step {step}: the loss is {loss}; {remedy}")
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        rank = effective_rank(z) if step % RANK_EVERY == 0 or step == settings.steps - 1 else None
        history.append([step, loss, *(parts[name] for name in losses.WEIGHTS), rate, rank])
        if rank is not None:
            speed = (step + 1 - first) * settings.batch / (time.monotonic() - began)
            print(f"step {step}: loss {loss:.4f}, effective rank {rank:.1f}, {speed:.0f} recordings/s", flush=True)
        if (step + 1) % settings.checkpoint_every == 0 or step == settings.steps - 1:
            state = {"key": key, "step": step + 1, "model": model.state_dict(), "optimiser": optimiser.state_dict()}
            files.save(state | {"history": history}, resume / "state.pt")
    return pl.DataFrame(history, schema={name: dtype for name, (dtype, _) in HISTORY.items()}, orient="row")


def load_state(path: Path, key: str, model: Model, optimiser: torch.optim.Optimizer) -> tuple[int, list[list]]:
    """Restore a state saved with the same key: (next step, history so far); (0, []) where there is none."""
    if not path.is_file():
        return 0, []
    try:
        state = files.load(path)
    except UserError:
        state = {}
    if state.get("key") != key:
        print(f"{path}: of other data or settings; starting anew", flush=True)
        return 0, []
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    print(f"resuming at step {state['step']}", flush=True)
    return state["step"], state["history"]


def fingerprint(model: Model, signals: data.Signals, settings: config.Transformer, seed: int, threads: int) -> str:
    """Hash of what decides a run: settings, seed, recordings, statistics of the signals, torch and its threads."""
    what = [settings.model_dump(exclude={"checkpoint_every"}), seed, torch.__version__, threads]
    digest = hashlib.sha256(json.dumps([*what, str(model.beat_mean.device), dataclasses.asdict(model.grid)]).encode())
    digest.update(signals.table.select("recording_id", "rr_ms").write_csv().encode())
    for name in ("strip_scale", "beat_mean", "beat_scale", "energy_mean"):
        digest.update(getattr(model, name).cpu().numpy().tobytes())
    return digest.hexdigest()


def _parameter_groups(model: Model, settings: config.Transformer) -> list[dict[str, Any]]:
    """Weight decay for matrices of linear maps; none for biases, norms, gains and positions."""
    matrices = [m.weight for m in model.modules() if isinstance(m, torch.nn.Linear)]
    chosen = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in chosen]
    return [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]


def make_model(settings: config.Transformer, ingest: config.Ingest, statistics: dict[str, Tensor], seed: int) -> Model:
    """A model with the initial weights of `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Model(settings, make_grid(settings, ingest), statistics)


def set_threads(threads: int) -> torch.device:
    """Fix what changes the last bits of a result; returns the device to work on."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # a check for reads of empty memory that costs 4 %
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


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
    """Train a transformer on the recordings of all cohorts given; a killed run goes on from `resume`.

    Args:
        recordings: recordings.parquet of each cohort.
        strips: All shards of rhythm strips, {cohort's folder}/signals/shard-*.strip.npy.
        beats: All shards of median beats, {cohort's folder}/signals/shard-*.beat.npy.
        settings: The recipe, a file of config/models.
        ingest: How the signals were made.
        checkpoint: Written: weights and all that is needed to use them.
        history: Written: losses of every step.
        resume: Folder for the state of an unfinished run.
        seed: Seed of initial weights, order, masks.
        threads: CPU threads; another number changes the last bits of the result.
        stop_after: Stop after this many steps without a result (to test resuming).
    """
    device = set_threads(1)  # within an operation; `threads` of them each take a share of the batch
    signals = data.open_signals(recordings, strips, beats)
    statistics = {
        name: torch.from_numpy(x)
        for name, x in data.statistics(signals, seed, make_grid(settings, ingest).beat_patch).items()
    }
    model = make_model(settings, ingest, statistics, seed).to(device)
    size = sum(p.numel() for p in model.parameters())
    print(f"{len(signals)} recordings, {size:,} weights, {device}, {threads} threads", flush=True)
    table = train(model, signals, settings, seed, resume, stop_after, threads)
    values = {"kind": settings.kind, "settings": settings.model_dump(), "ingest": ingest.model_dump(), "seed": seed}
    values |= {"recordings": len(signals)}
    weights = {name: w.cpu() for name, w in model.state_dict().items()}
    files.save(values | {"leads": list(data.MODEL_LEADS), "statistics": statistics, "weights": weights}, checkpoint)
    write_parquet(table, history)
    shutil.rmtree(resume, ignore_errors=True)


if __name__ == "__main__":
    run(main)
