"""Learner and signals -> a trained learner, step by step; a resumed run has the same losses."""

import dataclasses
import hashlib
import json
import math
import resource
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from ecgwas import config, tables
from ecgwas.checkpoints import checkpoint as files
from ecgwas.encoder.augmentation import Augmenter
from ecgwas.encoder.compilation import allow_recompiles, compile_blocks
from ecgwas.errors import UserError
from ecgwas.pretrain import flops, losses, schedule
from ecgwas.pretrain.processes import Processes
from ecgwas.signals import data
from ecgwas.signals.order import Order

RANK_EVERY = 20


class Trainer:
    """A learner, its optimiser, and the current step."""

    def __init__(
        self,
        learner: losses.Learner,
        signals: data.Signals,
        settings: config.Transformer,
        seed: int,
        threads: int,
        group: Processes,
    ) -> None:
        self.learner, self.signals, self.settings, self.seed, self.group = learner, signals, settings, seed, group
        self.device = learner.encoder.norm.weight.device
        self.threads = 1 if self.device.type == "cuda" else threads
        self.pool, self.loader = ThreadPoolExecutor(self.threads), ThreadPoolExecutor(1)
        self.order = Order(signals.table, settings.batch, seed, settings.cohorts, settings.same_person > 0)
        self.augment = Augmenter(settings.augment, learner.encoder.grid, seed, self.device)
        self.optimiser = torch.optim.AdamW(
            parameter_groups(learner, settings), lr=settings.learning_rate, betas=(0.9, 0.95), fused=True
        )  # fmt: skip
        self.step, self.history, self.flops = 0, [], 0.0

    def parts_of(self, step: int) -> list[tuple[np.ndarray, data.Batch]]:
        """This process's micro-batches of a step, with the positions of their recordings in the whole batch."""
        rows = self.order.rows(step)
        slots = [
            piece[self.group.mine(len(piece))] for piece in np.split(np.arange(len(rows)), self.settings.accumulate)
        ]
        return [
            (piece, data.read_windows(self.signals, rows[piece], [self.seed, data.WINDOWS, step])) for piece in slots
        ]

    def one_step(self, parts: list[tuple[np.ndarray, data.Batch]]) -> tuple[dict[str, float], Tensor]:
        """One optimiser step; the parts of the loss and the embeddings of all processes."""
        rate = schedule.learning_rate(self.step, self.settings)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        step, parts_of_loss, z = losses.Step(self.augment, self.seed, self.step), [], []
        for slots, batch in parts:
            found = losses.backward(
                self.learner, batch, step, slots, self.pool, self.threads, self.group, 1 / len(parts)
            )
            parts_of_loss.append(found[0])
            z.append(found[1])
        self.flops += sum(step.flops)
        self.group.sum_gradients(self.learner)
        losses_of = {name: sum(part[name] for part in parts_of_loss) / len(parts) for name in parts_of_loss[0]}
        if not math.isfinite(losses_of["loss"]):
            remedy = f"lower learning_rate ({self.settings.learning_rate}) or lengthen warmup"
            raise UserError(f"step {self.step}: the loss is {losses_of['loss']}; {remedy}")
        torch.nn.utils.clip_grad_norm_(self.learner.trained(), self.settings.clip)
        self.optimiser.step()
        self.learner.follow(schedule.momentum(self.step, self.settings))
        return losses_of | {"learning_rate": rate}, self.group.gathered(torch.cat(z))

    def run(self, resume: Path, stop_after: int | None) -> None:
        """Train to the last step, resuming from the state in `resume` where it is of this run."""
        settings, key = self.settings, fingerprint(self)
        self.load(resume / "state.pt", key)
        self.compile()
        peak = self.over_processes(flops.peak(self.device, self.pool, self.threads))
        first, last_measured, began, self.flops = self.step, self.step, time.monotonic(), 0.0
        upcoming = self.loader.submit(self.parts_of, self.step) if self.step < settings.steps else None
        while self.step < settings.steps:
            if stop_after is not None and self.step - first >= stop_after:
                raise InterruptedError(f"stopped after {stop_after} steps, as asked")
            parts = upcoming.result()
            upcoming = self._ahead()
            row, z = self.one_step(parts)
            done = self.step + 1
            if self.step % RANK_EVERY == 0 or done == settings.steps:
                seconds, work = time.monotonic() - began, self.over_processes(self.flops)
                row |= self.measured(z, (done - last_measured) * settings.batch / seconds, work / seconds, peak)
                last_measured, began, self.flops = done, time.monotonic(), 0.0
            self.history.append({"step": self.step} | row)
            self.step = done
            if done % settings.checkpoint_every == 0 or done == settings.steps:
                self.save(resume / "state.pt", key)

    def compile(self) -> None:
        """Compile the encoder's blocks where configured; each thread allows as many variants of them."""
        if compile_blocks(self.learner, self.settings.compile, self.device):
            self.pool = ThreadPoolExecutor(self.threads, initializer=allow_recompiles)

    def _ahead(self) -> "Future[list[tuple[np.ndarray, data.Batch]]] | None":
        """Read the recordings of the next step during this one."""
        return self.loader.submit(self.parts_of, self.step + 1) if self.step + 1 < self.settings.steps else None

    def over_processes(self, x: float) -> float:
        """Sum of a number over all processes."""
        return float(self.group.summed(torch.tensor(x, dtype=torch.float64, device=self.device)))

    def measured(self, z: Tensor, speed: float, work: float, peak: float) -> dict[str, float | None]:
        """Rank, speed (recordings, operations a second) and memory; stops a run whose embeddings have collapsed."""
        rank, cuda = schedule.effective_rank(z), self.device.type == "cuda"
        used = torch.cuda.max_memory_allocated() / 1e6 if cuda else peak_memory_mb()
        if self.group.rank == 0:
            print(f"step {self.step}: effective rank {rank:.1f}, {speed:.0f} recordings/s, {used:.0f} MB", flush=True)
        if rank < self.settings.rank_floor and self.step > self.settings.warmup * self.settings.steps:
            raise UserError(
                f"step {self.step}: the embeddings have collapsed, effective rank {rank:.2f} below rank_floor"
                f" {self.settings.rank_floor}; raise covariance or readout, or lower learning_rate"
            )
        used_of = {} if math.isnan(work) else {"gflops_per_s": work / 1e9, "flops_share": work / peak}
        return {"effective_rank": rank, "recordings_per_s": speed, "peak_memory_mb": used} | used_of

    def save(self, path: Path, key: str) -> None:
        """Weights, optimiser, position and history; random numbers are a function of the step."""
        if self.group.rank == 0:
            state = {"key": key, "step": self.step, "learner": self.learner.state_dict(), "history": self.history}
            files.save(state | {"optimiser": self.optimiser.state_dict()}, path)

    def load(self, path: Path, key: str) -> None:
        """Resume from a state saved with the same key, where there is one."""
        if not path.is_file():
            return
        try:
            state = files.load(path)
        except UserError:
            state = {}
        if state.get("key") != key:
            print(f"{path}: of other data or settings; starting from step 0", flush=True)
            return
        self.learner.load_state_dict(state["learner"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.history = state["step"], state["history"]
        print(f"resuming at step {self.step}", flush=True)

    def table(self) -> pl.DataFrame:
        """The history, one row per step."""
        parts = sorted({name for row in self.history for name in row if name.startswith("loss_")})
        fixed = tables.HISTORY.schema
        columns = {name: fixed[name] for name in ("step", "loss")} | dict.fromkeys(parts, pl.Float64()) | dict(fixed)
        return pl.DataFrame([{name: row.get(name) for name in columns} for row in self.history], schema=columns)


def fingerprint(trainer: Trainer) -> str:
    """Hash of what determines a run: settings, seed, recordings, initial weights, torch, threads and processes."""
    settings, world = trainer.settings.model_dump(mode="json", exclude={"checkpoint_every"}), trainer.group.world
    what = [settings, trainer.seed, torch.__version__, trainer.threads, world, str(trainer.device)]
    digest = hashlib.sha256(json.dumps([*what, dataclasses.asdict(trainer.learner.encoder.grid)]).encode())
    digest.update(trainer.signals.table.select("cohort", "recording_id", "person_id", "rr_ms").write_csv().encode())
    for name, value in [*trainer.learner.named_buffers(), *trainer.learner.encoder.named_parameters()]:
        digest.update(name.encode() + value.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


def parameter_groups(learner: losses.Learner, settings: config.Transformer) -> list[dict[str, Any]]:
    """Weight decay for matrices of linear maps; none for biases, norms and positions."""
    trained = {id(w) for w in learner.trained()}
    matrices = [m.weight for m in learner.modules() if isinstance(m, torch.nn.Linear) and id(m.weight) in trained]
    chosen = {id(w) for w in matrices}
    others = [w for w in learner.trained() if id(w) not in chosen]
    return [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]


def peak_memory_mb() -> float:
    """Peak memory of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
