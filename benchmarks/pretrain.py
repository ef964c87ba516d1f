"""Recordings a second of a training step, against Hugging Face transformers' ViTMAE of the same size, in one run.

python benchmarks/pretrain.py [--threads 2] [--seconds 6] [--model nano] [--compile always]

The peer is ViTMAEForPreTraining (encoder-decoder, forward, backward, AdamW) of as many tokens a recording, patches of
100 samples, width, depth, heads and decoder; the 2-D grid of its position table is replaced by one row. It needs
`pip install transformers` (or `--target FOLDER`, and PYTHONPATH=FOLDER), which is no dependency of ecgwas; without it
the ratios are null. Signals are simulated noise with the shapes of real ones: the step does the same work. Ours are
timed whole (reading, augmentation, masks, step, read-out); ours encode a quarter of the tokens beside the peer's
dropping of 75 %, and 95 % of them beside the peer without dropping, which encodes and decodes all.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import torch
import yaml

from ecgwas.cli import run
from ecgwas.config import LEADS, Ingest, Transformer
from ecgwas.encoder.device import set_threads
from ecgwas.pretrain import flops, processes, train
from ecgwas.pretrain.trainer import Trainer
from ecgwas.signals import data
from ecgwas.signals.data import MODEL_LEADS

RECORDINGS = 512


def simulated(folder: Path, ingest: Ingest) -> data.Signals:
    """Recordings of eight leads: smooth noise, int16, all there."""
    rng = np.random.default_rng([1])
    (folder / "signals").mkdir(parents=True)
    strip = np.full((RECORDINGS, 12, round(ingest.seconds * ingest.model_rate_hz)), data.MISSING, np.int16)
    beat_samples = round((ingest.beat_before_s + ingest.beat_after_s) * ingest.beat_rate_hz)
    beat = np.full((RECORDINGS, 12, beat_samples), data.MISSING, np.int16)
    for array in (strip, beat):
        walk = rng.standard_normal((RECORDINGS, len(MODEL_LEADS), array.shape[2])).cumsum(2)
        array[:, [LEADS.index(lead) for lead in MODEL_LEADS]] = 100 * (walk - walk.mean(2, keepdims=True))
    np.save(folder / "signals" / "shard-000.strip.npy", strip)
    np.save(folder / "signals" / "shard-000.beat.npy", beat)
    names = [f"r{k:04d}" for k in range(RECORDINGS)]
    columns = {"recording_id": names, "person_id": names, "rr_ms": rng.uniform(600, 1200, RECORDINGS)}
    columns |= {
        "unit": ["mV"] * RECORDINGS,
        "shard": 0,
        "row": range(RECORDINGS),
        "bucket": 0,
        "strip_row": range(RECORDINGS),
    }
    pl.DataFrame(columns).write_parquet(folder / "recordings.parquet")
    return data.open_signals(
        [folder / "recordings.parquet"], *(sorted(folder.glob(f"signals/*.{k}.npy")) for k in ("strip", "beat"))
    )


def trainer(signals: data.Signals, settings: Transformer, threads: int, group: processes.Processes) -> Trainer:
    """A trainer of ours at its first step."""
    device, ingest = set_threads(1), Ingest()
    learner = train.make_learner(settings, ingest, train.find_statistics(signals, settings, ingest, 1), 1).to(device)
    made = Trainer(learner, signals, settings, 1, threads, group)
    made.compile()
    return made


def our_step(ours: Trainer) -> Callable[[], None]:
    """One whole step of ours: reading and all."""

    def step() -> None:
        ours.one_step(ours.parts_of(ours.step))
        ours.step += 1

    return step


def peer_step(settings: Transformer, tokens: int, dropped: float, device: torch.device) -> Callable[[], None] | None:
    """One step of ViTMAE on a batch of `tokens` patches of 100 samples; None where transformers is absent."""
    try:
        from transformers import ViTMAEConfig, ViTMAEForPreTraining
    except ImportError as error:
        print(f"peer skipped ({error}); install with: pip install transformers", flush=True)
        return None
    sizes = {"hidden_size": settings.width, "num_hidden_layers": settings.depth, "num_attention_heads": settings.heads}
    own = {f"decoder_{name}": value for name, value in sizes.items()}
    own |= {"decoder_num_hidden_layers": settings.decoder_depth, "decoder_intermediate_size": 4 * settings.width}
    own |= {"intermediate_size": 4 * settings.width, "num_channels": 1, "patch_size": 10, "mask_ratio": dropped}
    model = ViTMAEForPreTraining(ViTMAEConfig(**sizes, **own, image_size=10 * int(tokens**0.5))).to(device)
    for part, name in ((model.vit.embeddings, "position_embeddings"), (model.decoder, "decoder_pos_embed")):
        table = torch.nn.Parameter(torch.zeros(1, tokens + 1, settings.width, device=device), requires_grad=False)
        setattr(part, name, table)
        part.interpolate_pos_encoding = lambda *_, table=table: table
    if settings.compile == "always" or (settings.compile == "auto" and device.type == "cuda"):
        for layer in [*model.vit.layers, *model.decoder.decoder_layers]:  # as ours: block by block
            layer.compile(dynamic=False)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    x = torch.randn(settings.batch, 1, 10, 10 * tokens, device=device)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            model(x, interpolate_pos_encoding=True).loss.backward()
        optimiser.step()

    return step


def timed(
    steps: dict[str, Callable[[], None] | None], seconds: float, device: torch.device, threads: int
) -> dict[str, float]:
    """Median seconds of a step of each, taken in turns, so that what else the machine does falls on all alike."""
    steps = {name: step for name, step in steps.items() if step is not None}
    found, end = {name: [] for name in steps}, None
    while end is None or time.monotonic() < end or len(next(iter(found.values()))) < 3:
        for name, step in steps.items():
            torch.set_num_threads(threads if name.startswith("peer") else 1)
            began = time.monotonic()
            step()
            if device.type == "cuda":
                torch.cuda.synchronize()
            found[name].append(time.monotonic() - began)
        if end is None:  # the first turn warms up
            found, end = {name: [] for name in steps}, time.monotonic() + seconds * len(steps)
    return {name: float(np.median(times)) for name, times in found.items()}


def all_of_ours(signals: data.Signals, settings: Transformer, threads: int) -> dict[str, Trainer]:
    """Both objectives, seeing a quarter of the tokens and nearly all; `mae` predicts all that it does not see."""
    plain = {"drop_view": 0.0, "augment": {"lead_drop": 0.0, "unknown_lead": 0.0}, "same_person": 0.0}
    found = {}
    for objective in ("mae", "jepa"):
        for label, mask, targets in (("", 0.75, 10_000), ("_without_dropping", 0.05, 64)):
            changes = plain | {"objective": objective, "mask": mask, "targets": targets}
            recipe = Transformer(**settings.model_dump() | changes)
            found[objective + label] = trainer(signals, recipe, threads, processes.Processes())
    return found


def against_the_peer(signals: data.Signals, settings: Transformer, threads: int, seconds: float) -> dict[str, Any]:
    """Recordings a second of both, with dropping and without, and shares of the device's rate."""
    device, ours = set_threads(1), all_of_ours(signals, settings, threads)
    grid = ours["mae"].learner.encoder.grid
    tokens = len(MODEL_LEADS) * (grid.strip_patches + grid.beat_patches + 1) + 1
    steps = {name: our_step(t) for name, t in ours.items()}
    steps |= {"peer": peer_step(settings, tokens, 0.75, device)}
    steps |= {"peer_without_dropping": peer_step(settings, tokens, 0.0, device)}
    peak = flops.peak(device, ours["mae"].pool, threads)
    seconds_of = timed(steps, seconds, device, threads)
    rates = {name: settings.batch / t for name, t in seconds_of.items()}
    work = {name: t.flops / t.step for name, t in ours.items()}
    shares = {name: work[name] / seconds_of[name] / peak for name in ours}
    for name, rate in rates.items():
        told = f"{work[name] / 1e9:8.2f} GFLOP/step {shares[name]:6.1%} of peak" if name in ours else ""
        print(f"{name:24s} {rate:8.1f} recordings/s {told}", flush=True)
    return found_of(rates, shares) | {"tokens": tokens, "peak_gflops": peak / 1e9}


def found_of(rates: dict[str, float], shares: dict[str, float]) -> dict[str, float | None]:
    """The figures of the last line."""
    ratio = {
        f"ratio_{name}": rates[name] / rates[peer] if peer in rates else None
        for name in shares for peer in ["peer_without_dropping" if "without" in name else "peer"]
    }  # fmt: skip
    return {
        "recordings_per_s": rates["mae"],
        "recordings_per_s_jepa": rates["jepa"],
        "peer_recordings_per_s": rates.get("peer"),
        "ratio_to_plain_mae": ratio["ratio_mae"],
        "ratio_jepa": ratio["ratio_jepa"],
        "ratio_without_dropping": ratio["ratio_mae_without_dropping"],
        "mfu": shares["mae"],
        "mfu_jepa": shares["jepa"],
    }


def scaling(signals: data.Signals, settings: Transformer, threads: int, seconds: float) -> dict[str, float]:
    """Recordings a second of the recipe itself by batch."""
    device, found = set_threads(1), {}
    for batch in (16, 64, 256):
        ours = trainer(signals, settings.model_copy(update={"batch": batch}), threads, processes.Processes())
        found[str(batch)] = batch / timed({"ours": our_step(ours)}, seconds / 2, device, threads)["ours"]
        print(f"batch {batch}: {found[str(batch)]:.1f} recordings/s", flush=True)
    return found


def several(folder: Path, settings: Transformer, world: int, seconds: float) -> float:
    """Recordings a second of `world` processes of one thread each under torchrun."""
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={world}", "--standalone", __file__]
    command += ["--worker", str(folder), "--recipe", settings.model_dump_json(), "--seconds", str(seconds)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    return float(done.stdout.strip().splitlines()[-1])


def work(folder: Path, recipe: str, seconds: float) -> None:
    """One of several processes; the first prints recordings a second over all."""
    set_threads(1)
    group = processes.join()
    kinds = (sorted(folder.glob(f"signals/*.{kind}.npy")) for kind in ("strip", "beat"))
    signals, settings = data.open_signals([folder / "recordings.parquet"], *kinds), Transformer(**json.loads(recipe))
    step = our_step(trainer(signals, settings, 1, group))
    step()
    steps, began = max(4, round(seconds * 4)), time.monotonic()
    for _ in range(steps):
        step()
    rate = steps * settings.batch / (time.monotonic() - began)
    if group.rank == 0:
        print(rate, flush=True)
    processes.leave(group)


def main(
    model: str = "nano",
    threads: int = 2,
    seconds: float = 6.0,
    compile: Literal["auto", "always", "never"] = "auto",
    worker: Path | None = None,
    recipe: str = "",
) -> None:
    """Measure, and print one line of JSON at the end.

    Args:
        model: Recipe of config/models.
        threads: Threads of ours and of the peer.
        seconds: Time for each thing measured.
        compile: Ours and the peer compiled; auto is on a GPU only.
        worker: Internal: folder of the signals, in a process that torchrun started.
        recipe: Internal: its settings.
    """
    if worker is not None:
        return work(worker, recipe, seconds)
    path = Path(__file__).resolve().parents[1] / "config" / "models" / f"{model}.yaml"
    settings = Transformer(**yaml.safe_load(path.read_text()) | {"compile": compile})
    device = set_threads(1)
    where = (
        torch.cuda.get_device_name() if device.type == "cuda" else f"{platform.machine()}, {threads} threads, float32"
    )
    print(f"{model} on {where}, torch {torch.__version__}, batch {settings.batch}, compile {compile}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        signals = simulated(Path(folder), Ingest())
        found = against_the_peer(signals, settings, threads, seconds) | {
            "by_batch": scaling(signals, settings, threads, seconds)
        }
        rates = [[several(Path(folder), settings, world, seconds) for world in (1, 2)] for _ in range(3)]
    one, two = (float(np.median(rate)) for rate in zip(*rates, strict=True))
    print(f"one process {one:.1f}, two {two:.1f} recordings/s, one thread each, medians of three turns", flush=True)
    found |= {"two_process_speedup": two / one, "model": model, "device": where, "compile": compile}
    found["gpu_bf16_share"] = found["mfu"] if device.type == "cuda" else None
    if device.type != "cuda":
        print("share of a GPU's bf16 peak: skipped, no GPU on this machine")
    print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in found.items()}))


if __name__ == "__main__":
    run(main)
