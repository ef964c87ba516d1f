"""Labelled recordings and a network -> its weights: learning rates tried, the best pass over the recordings kept."""

import copy
import math
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ecgwas import config
from ecgwas.errors import UserError
from ecgwas.predict.examples import Examples
from ecgwas.predict.metrics import macro_auroc
from ecgwas.predict.networks import Network
from ecgwas.pretrain import checkpoint as files
from ecgwas.pretrain import data
from ecgwas.pretrain.augment import Augmenter
from ecgwas.pretrain.tokens import Grid, on_device

WARMUP = 0.1  # share of the steps with rising learning rate
CLIP = 1.0  # norm that gradients are clipped to
EVALUATED = 256  # recordings scored at once
SHIFT_S = 1.0  # the convolutional network's strips are rolled by up to this, since its kernels know no start


@dataclass(frozen=True)
class Material:
    """What networks learn from."""

    examples: Examples
    signals: data.Signals
    rows: np.ndarray  # row of each example in `signals`
    grid: Grid
    augment: config.Augment
    threads: int = 1

    def batch(self, chosen: np.ndarray) -> data.Batch:
        """The signals of these examples; of long recordings the first window."""
        return self.signals.read(self.rows[chosen])


@dataclass
class Trial:
    """What one learning rate came to."""

    rate: float
    score: float  # macro-AUROC of those who choose; -log loss where it is not to be had
    loss: float
    epoch: int  # the pass that was kept; 0: the start
    weights: dict[str, Tensor]


def groups(network: nn.Module, rate: float, decay: float, weight_decay: float) -> list[dict[str, Any]]:
    """Parameters by learning rate: the head's is `rate`, each block's that of the next times `decay`.

    What lies below the first block counts as one more (Howard & Ruder 2018, ACL, discriminative fine-tuning; the decay
    as in Clark et al. 2020, ICLR). Vectors are not decayed in weight.
    """
    depth = len(getattr(getattr(network, "encoder", None), "blocks", []))
    found: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            found.setdefault((distance(name, depth), parameter.ndim > 1), []).append(parameter)
    return [
        {"params": parameters, "rate": rate * decay**far, "weight_decay": weight_decay if matrix else 0.0}
        for (far, matrix), parameters in sorted(found.items(), key=lambda item: item[0])
    ]


def distance(name: str, depth: int) -> int:
    """Blocks between a parameter of a network and its head: 0 of the heads, `depth` + 1 below the first block."""
    block = re.match(r"encoder\.blocks\.(\d+)\.", name)
    if block:
        return depth - int(block[1])
    return 0 if not name.startswith("encoder.") or name.startswith(("encoder.head.", "encoder.norm.")) else depth + 1


def schedule(step: int, steps: int) -> float:
    """Share of the learning rate: a straight rise, then half a cosine down to 0."""
    rise = max(1, round(WARMUP * steps))
    return (step + 1) / rise if step < rise else 0.5 * (1 + math.cos(math.pi * (step - rise) / max(steps - rise, 1)))


def masked_loss(logits: Tensor, y: Tensor) -> Tensor:
    """Summed cross-entropy of logits [B, O] and labels, NaN where there is none or nothing to see."""
    known = ~(y.isnan() | logits.isnan())
    each = nn.functional.binary_cross_entropy_with_logits(logits.nan_to_num(), y.nan_to_num(), reduction="none")
    return (each * known).sum()


def scores(network: nn.Module, material: Material, chosen: np.ndarray) -> np.ndarray:
    """Logits [n, O] of some examples, no changes made to their signals."""
    network.eval()
    device = next(network.parameters()).device
    with torch.no_grad():
        parts = [
            network.logits(on_device(material.batch(part), device)).cpu().numpy()
            for part in np.array_split(chosen, max(1, math.ceil(len(chosen) / EVALUATED)))
        ]
    return np.concatenate(parts)


def judged(logits: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Macro-AUROC over the outcomes with both classes, and mean log loss; -loss for both where there are none."""
    known = np.isfinite(y) & np.isfinite(logits)
    eta, target = np.where(known, logits, 0.0), np.where(known, y, 0.0)
    loss = float(((np.logaddexp(0, eta) - target * eta) * known).sum() / max(known.sum(), 1))
    values = [
        macro_auroc(y[k][:, None], logits[k][:, None]) for y, logits, k in zip(y.T, logits.T, known.T, strict=True)
    ]
    return (float(np.nanmean(values)) if np.isfinite(values).any() else -loss), loss


class Gradients:
    """The gradient of a batch by threads that take a share each; summed in the order of the shares: always the same."""

    def __init__(self, network: nn.Module, threads: int) -> None:
        # Batch normalisation needs the whole batch, so that a convolutional network is one share.
        self.network, self.shares = network, threads if isinstance(network, Network) else 1
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.pool = ThreadPoolExecutor(self.shares)

    def __call__(self, signals: Any, seen: Tensor, y: Tensor) -> float:
        """Put the gradient of the mean loss over known labels where the optimiser looks; returns the loss."""
        count = max(int((~y.isnan()).sum()), 1)
        rows = [part for part in torch.arange(len(y), device=y.device).tensor_split(self.shares) if len(part)]

        def share(part: Tensor) -> tuple[float, list[Tensor | None]]:
            loss = masked_loss(self.network.logits(signals[part], seen[part]), y[part]) / count
            return loss.item(), list(torch.autograd.grad(loss, self.parameters, allow_unused=True))

        found = list(self.pool.map(share, rows))
        for k, parameter in enumerate(self.parameters):
            parts = [grads[k] for _, grads in found if grads[k] is not None]
            parameter.grad = sum(parts[1:], parts[0]) if parts else None
        return sum(loss for loss, _ in found)


def train_once(
    network: nn.Module,
    material: Material,
    settings: config.Predict,
    rate: float,
    decay: float,
    seed: int,
    fitted: bool,
) -> Trial:
    """One learning rate to its end: the weights after the pass that those who choose score best, the start included."""
    y, train = material.examples.y, np.flatnonzero(material.examples.of("train") & _labelled(material.examples.y))
    choose = np.flatnonzero(material.examples.of("choose") & _labelled(y))
    device = next(network.parameters()).device
    parts = groups(network, rate, decay, settings.weight_decay)
    optimiser = torch.optim.AdamW([{**g, "lr": 0.0} for g in parts], betas=(0.9, 0.99))
    gradients, augment = Gradients(network, material.threads), Augmenter(material.augment, material.grid, seed, device)
    batches = max(1, round(len(train) / settings.batch))
    steps, step = batches * settings.epochs, 0
    best = keep(network, material, choose, rate, 0)
    if not fitted:
        best = replace(best, score=-math.inf)  # chance may favour weights that have learnt nothing
    for epoch in range(1, settings.epochs + 1):
        network.train()
        order = np.random.default_rng([seed, data.ORDER, epoch]).permutation(train)
        for rows in np.array_split(order, batches):
            signals, seen = changed(material, rows, augment, step, [seed, data.AUGMENT, step], network, device)
            for group in optimiser.param_groups:
                group["lr"] = group["rate"] * schedule(step, steps)
            target = torch.from_numpy(y[rows]).float().to(device)
            if not math.isfinite(gradients(signals, seen, target)):
                return best  # this rate is too high: what was best so far stands
            nn.utils.clip_grad_norm_(gradients.parameters, CLIP)
            optimiser.step()
            step += 1
        now = keep(network, material, choose, rate, epoch)
        best = max(best, now, key=lambda trial: (trial.score, -trial.loss))
        if epoch - best.epoch >= settings.patience:
            break
    return best


def changed(material: Material, rows: np.ndarray, augment: Augmenter, step: int, seed: list[int], network, device):
    """The signals of a batch as augmentation changes them, and the leads that may be seen."""
    signals = on_device(material.batch(rows), device)
    _, signals, seen = augment(signals, step, np.arange(len(rows)))
    if not isinstance(network, Network):
        reach = round(SHIFT_S * material.grid.strip_rate_hz)
        shift = int(np.random.default_rng(seed).integers(-reach, reach + 1))
        signals = replace(signals, strip=signals.strip.roll(shift, 2))
    return signals, seen


def keep(network: nn.Module, material: Material, choose: np.ndarray, rate: float, epoch: int) -> Trial:
    """How the network does now, and a copy of its weights."""
    score, loss = judged(scores(network, material, choose), material.examples.y[choose])
    weights = {name: w.detach().cpu().clone() for name, w in network.state_dict().items()}
    return Trial(rate, score, loss, epoch, weights)


def _labelled(y: np.ndarray) -> np.ndarray:
    return np.isfinite(y).any(1)


def train(
    start: Callable[[], nn.Module],
    material: Material,
    settings: config.Predict,
    decay: float,
    seed: int,
    resume: Path,
    fitted: bool = False,
) -> tuple[nn.Module, list[dict[str, float]]]:
    """Train from the same start with every learning rate: the network with the best trial's weights, and all trials.

    fitted: the start is a solution by itself and may be kept. A trial that is done is kept in `resume`, from which a
    killed run goes on.
    """
    if not (material.examples.of("choose") & _labelled(material.examples.y)).any():
        raise UserError("no labelled recording is among those who choose; give predict.splits a choose share or folds")
    network = start()
    key = repr([settings.model_dump_json(), seed, decay, fitted, material.rows.tolist(), material.examples.y.tolist()])
    trials = []
    for k, rate in enumerate(settings.learning_rates):
        path = resume / f"trial-{k}.pt"
        trial = saved(path, key)
        if trial is None:
            trial = train_once(copy.deepcopy(network), material, settings, rate, decay, seed, fitted)
            files.save({"key": key, **vars(trial)}, path)
        print(f"learning rate {rate:g}: {trial.score:.4f} of those who choose, after pass {trial.epoch}", flush=True)
        trials.append(trial)
    best = max(trials, key=lambda trial: (trial.score, -trial.loss))
    network.load_state_dict(best.weights)
    told = [{"learning_rate": t.rate, "score": t.score, "loss": t.loss, "epoch": t.epoch} for t in trials]
    return network, told


def saved(path: Path, key: str) -> Trial | None:
    """A trial that an earlier run of the same training finished."""
    if not path.exists():
        return None
    try:
        found = files.load(path)
    except UserError:
        return None  # torn when the run was killed
    if found.get("key") != key:
        return None
    return Trial(**{name: value for name, value in found.items() if name != "key"})
