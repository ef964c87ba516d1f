"""A network, examples and learning rates -> the network of the best validation score.

AdamW, linear warm-up and half a cosine, gradients clipped; each learning rate is a trial from the same initial weights,
each pass is scored on the validation recordings, and `patience` passes without a better score end a trial. Passes of
few recordings are laid end to end, so that few labels do not mean few steps. The state is kept after every pass.
"""

import hashlib
import json
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ecgwas import config
from ecgwas.checkpoints import checkpoint as files
from ecgwas.errors import UserError
from ecgwas.predict.methods.networks import Network
from ecgwas.predict.methods.validation_score import quality
from ecgwas.signals.order import shuffled

LEAST_STEPS = 10  # of a pass
WARMUP, LOWEST = 0.1, 0.02  # share of the steps with rising rate; last rate over the peak
CLIP = 1.0  # norm that gradients are clipped to
SCORED_AT_ONCE = 256  # recordings scored at once
TRIED = ("epochs", "patience", "learning_rates", "layer_decay", "batch", "weight_decay", "min_cases")

# (network, places of examples, slots in the batch, step; None: no augmentation) -> logits [b, O]
Forward = Callable[[Network, np.ndarray, np.ndarray, int | None], Tensor]


@dataclass(frozen=True)
class Task:
    """Forward passes, labels [n, O] (NaN unknown), places of the training and validation recordings."""

    forward: Forward
    y: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    settings: config.Predict
    seed: int
    threads: int  # shares of a batch, each with a thread of its own

    @property
    def batch(self) -> int:
        """Recordings a step."""
        return max(2, min(self.settings.batch, len(self.train)))

    @property
    def steps(self) -> int:
        """Steps of a pass."""
        return max(LEAST_STEPS, math.ceil(len(self.train) / self.batch))

    def rows(self, step: int) -> np.ndarray:
        """Places of the examples of a step, epochs laid end to end: int [batch]."""
        first = step * self.batch
        return self.train[shuffled(len(self.train), first, first + self.batch, [self.seed])]


def fit(make: Callable[[], Network], task: Task, resume: Path | None) -> tuple[Network, dict[str, Any]]:
    """The best network of all learning rates, and the trial selected; `make` always gives the same initial weights."""
    key, path = fingerprint(make(), task), resume and resume / "state.pt"
    state = load_state(path, key) or {"key": key, "trials": [], "weights": None, "running": None}
    with ThreadPoolExecutor(task.threads) as pool, torch.random.fork_rng(devices=[]):
        for rate in task.settings.learning_rates[len(state["trials"]) :]:
            trial = Trial(make(), task, rate, pool)
            if state["running"]:
                trial.load(state["running"])
            while not trial.ended:
                trial.one_pass()
                save_state(state | {"running": trial.state()}, path)
            if all(trial.best > done["score"] for done in state["trials"]):
                state["weights"] = trial.weights
            state["trials"].append(trial.summary())
            state["running"] = None
            save_state(state, path)
    network = make()
    network.load_state_dict(state["weights"])
    chosen = max(state["trials"], key=lambda trial: trial["score"])  # the first of equal ones, as above
    return network, chosen | {"trials": state["trials"]}


class Trial:
    """A network that is trained with one learning rate."""

    def __init__(self, network: Network, task: Task, rate: float, pool: ThreadPoolExecutor) -> None:
        self.network, self.task, self.rate, self.pool = network, task, rate, pool
        self.optimiser = torch.optim.AdamW(groups(network, task.settings), lr=rate, betas=(0.9, 0.95), fused=True)
        self.passes, self.best_pass, self.diverged = 0, 0, False
        self.best, self.weights = self.validation_score(), copied(network)

    @property
    def ended(self) -> bool:
        """No passes are left, or too many since the best, or the loss is not finite."""
        settings = self.task.settings
        return self.diverged or self.passes >= settings.epochs or self.passes - self.best_pass >= settings.patience

    def one_pass(self) -> None:
        """Train on as many recordings as the training split has, then score."""
        self.network.train()
        try:
            for step in range(self.passes * self.task.steps, (self.passes + 1) * self.task.steps):
                self.one_step(step)
        except FloatingPointError as error:  # too high a rate is no reason to give up the others
            print(error, flush=True)
            self.diverged = True
            return
        self.passes += 1
        score = self.validation_score()
        if score > self.best:
            self.best, self.best_pass, self.weights = score, self.passes, copied(self.network)
        print(f"rate {self.rate:g}, pass {self.passes}: {score:.4f}, best {self.best:.4f}", flush=True)

    def one_step(self, step: int) -> None:
        """Follow the gradient of one batch."""
        torch.manual_seed(1_000_003 * self.task.seed + step)  # of dropout: a function of the step, as all else
        level = schedule(step, self.task.steps * self.task.settings.epochs)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * group["level"] * level
        weights = self.network.trained()
        for weight, gradient in zip(weights, self.gradients(step, weights), strict=True):
            weight.grad = gradient
        nn.utils.clip_grad_norm_(weights, CLIP)
        self.optimiser.step()

    def gradients(self, step: int, weights: list[nn.Parameter]) -> list[Tensor | None]:
        """Of the mean cross-entropy over known labels; shares of the batch in threads, added in their order."""
        task, network = self.task, self.network
        rows = task.rows(step)
        known = max(1, int((~np.isnan(task.y[rows])).sum()))
        shares = [slots for slots in np.array_split(np.arange(len(rows)), task.threads) if len(slots)]

        def forward(slots: np.ndarray) -> Tensor:
            cuda = network.device.type == "cuda"
            with torch.autocast(network.device.type, torch.bfloat16, enabled=cuda):
                logits = task.forward(network, rows[slots], slots, step)
            return cross_entropy(logits.float(), torch.from_numpy(task.y[rows[slots]])) / known

        def backward(loss: Tensor) -> tuple[Tensor | None, ...]:
            return torch.autograd.grad(loss, weights, allow_unused=True)

        losses = list(self.pool.map(forward, shares))
        if not math.isfinite(sum(float(loss.detach()) for loss in losses)):
            raise FloatingPointError(f"rate {self.rate:g}, step {step}: the loss is not finite; the trial ends")
        found = [[x for x in parts if x is not None] for parts in zip(*self.pool.map(backward, losses), strict=True)]
        return [sum(parts[1:], parts[0]) if parts else None for parts in found]

    def validation_score(self) -> float:
        """The validation score; that of a network that has diverged is the worst."""
        rows = self.task.validation
        logits = predicted(self.network, self.task, rows, self.pool)
        return quality(logits, self.task.y[rows], self.task.settings) if np.isfinite(logits).all() else -math.inf

    def state(self) -> dict[str, Any]:
        """The state of training."""
        now = {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict(), "weights": self.weights}
        return now | {"passes": self.passes, "best_pass": self.best_pass, "best": self.best}

    def load(self, state: dict[str, Any]) -> None:
        """Restore a state."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.weights, self.passes, self.best_pass, self.best = (
            state[name] for name in ("weights", "passes", "best_pass", "best")
        )

    def summary(self) -> dict[str, float | int]:
        """Summary of a finished trial."""
        return {"learning_rate": self.rate, "score": self.best, "pass": self.best_pass, "passes": self.passes}


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Sum over known labels y [B, O]; NaN is ignored."""
    y = y.to(logits)
    known = ~y.isnan()
    return nn.functional.binary_cross_entropy_with_logits(logits[known], y[known], reduction="sum")


def predicted(network: Network, task: Task, rows: np.ndarray, pool: ThreadPoolExecutor) -> np.ndarray:
    """Logits [n, O] of the examples at these places, as they are."""
    network.eval()

    @torch.no_grad()
    def forward(part: np.ndarray) -> np.ndarray:
        return task.forward(network, part, np.arange(len(part)), None).double().cpu().numpy()

    parts = [rows[start : start + SCORED_AT_ONCE] for start in range(0, len(rows), SCORED_AT_ONCE)]
    return np.concatenate([np.empty((0, task.y.shape[1])), *pool.map(forward, parts)])


def schedule(step: int, steps: int) -> float:
    """Learning rate over its peak: linear warm-up, then half a cosine."""
    warmup = max(1, round(WARMUP * steps))
    if step < warmup:
        return (step + 1) / warmup
    return LOWEST + (1 - LOWEST) * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def level(name: str, depth: int, decay: float) -> float:
    """Learning rate of a weight of a fine-tuned network over the head's (Clark et al. 2020, ICLR, section 3.2).

    Counted from the head: 0 the head, 1 norm and embedding, 2 the last block, …, depth + 2 the tokeniser.
    """
    if not name.startswith("encoder."):
        return 1.0
    part, *rest = name.removeprefix("encoder.").split(".")
    if part in ("norm", "head"):
        return decay
    return decay ** (1 + depth - int(rest[0])) if part == "blocks" else decay ** (depth + 2)


def groups(network: Network, settings: config.Predict) -> list[dict[str, Any]]:
    """Weights by learning rate and weight decay: matrices of linear maps and convolutions decay, others do not."""
    maps = {id(m.weight) for m in network.modules() if isinstance(m, (nn.Linear, nn.Conv1d))}
    trained = {id(w) for w in network.trained()}
    depth = len(network.encoder.blocks) if hasattr(network, "encoder") else 0
    found: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, weight in network.named_parameters():
        if id(weight) in trained:
            at = level(name, depth, settings.layer_decay) if network.method == "finetuned" else 1.0
            found.setdefault((at, id(weight) in maps), []).append(weight)
    return [
        {"params": weights, "level": at, "weight_decay": settings.weight_decay if decays else 0.0}
        for (at, decays), weights in sorted(found.items(), key=lambda item: item[0])
    ]


def copied(network: nn.Module) -> dict[str, Tensor]:
    """A copy of its weights."""
    return {name: w.detach().cpu().clone() for name, w in network.state_dict().items()}


def fingerprint(network: Network, task: Task) -> str:
    """Hash of all that determines a run: settings, seed, labels, initial weights, torch version and threads."""
    settings = {name: getattr(task.settings, name) for name in TRIED}
    what = [network.method, network.outcomes, settings, task.seed, task.threads, torch.__version__, str(network.device)]
    digest = hashlib.sha256(json.dumps(what).encode())
    for values in (task.y, task.train, task.validation):
        digest.update(values.tobytes())
    for name, w in copied(network).items():
        digest.update(name.encode() + w.numpy().tobytes())
    return digest.hexdigest()


def save_state(state: dict[str, Any], path: Path | None) -> None:
    """Keep the state of a run, where it is wanted."""
    if path:
        files.save(state, path)


def load_state(path: Path | None, key: str) -> dict[str, Any] | None:
    """The saved state of the same run, or None."""
    if path is None or not path.is_file():
        return None
    try:
        state = files.load(path)
    except UserError:
        state = {}
    if state.get("key") == key:
        print(f"resuming after {len(state['trials'])} trials", flush=True)
        return state
    print(f"{path}: of other data or settings; starting anew", flush=True)
    return None
