"""Batch -> parts of the loss and gradients: shares of the recordings in separate threads and processes.

The operations of a small model are too short to be split among threads, which would wait for each other thousands of
times per step. So each thread takes a share of the recordings through the whole model, forward and backward, and
gradients are added in the order of the shares: two threads are nearly twice as fast as one, and the sums do not
depend on which finishes first. Terms that compare recordings (`objectives/pooled.py`) need all embeddings at once: they
are taken from copies, and their gradient goes back through each share (Gao et al. 2021, "gradient cache"); so
several threads, or processes, give the result of one.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from ecgwas import config
from ecgwas.encoder import decoder, masks
from ecgwas.encoder.augmentation import Augmenter
from ecgwas.encoder.sums import Sums, add
from ecgwas.encoder.tokens import on_device
from ecgwas.encoder.transformer import Encoder
from ecgwas.pretrain import flops
from ecgwas.pretrain.objectives import make_objective, pooled
from ecgwas.pretrain.objectives.base import View
from ecgwas.pretrain.processes import Processes
from ecgwas.signals import data


class Learner(nn.Module):
    """The encoder, its moving average (the teacher, and the final model), the objective and the decoder."""

    def __init__(self, settings: config.Transformer, encoder: Encoder, average: Encoder) -> None:
        super().__init__()
        self.encoder, self.average = encoder, average.requires_grad_(False)
        self.objective = make_objective(settings, encoder)
        self.readout = decoder.Decoder(settings, encoder.tokenizer) if settings.readout else None
        self.settings = settings
        self.weights = dict(self.objective.weights)
        if self.readout is not None:
            self.weights |= {name: settings.readout * w for name, w in decoder.WEIGHTS.items()}

    def trained(self) -> list[nn.Parameter]:
        """The weights that take gradients."""
        return [w for w in self.parameters() if w.requires_grad]

    @torch.no_grad()
    def follow(self, momentum: float) -> None:
        """Move the average a little towards the encoder."""
        old, new = list(self.average.parameters()), list(self.encoder.parameters())
        torch._foreach_lerp_(old, new, 1 - momentum)


@dataclass(frozen=True)
class Step:
    """The source of random numbers of a step, and its count of operations."""

    augment: Augmenter
    seed: int
    step: int
    flops: list[float] = field(default_factory=list)  # of each share so far


def share(learner: Learner, batch: data.Batch, slots: np.ndarray, step: Step) -> tuple[Sums, Tensor]:
    """Sums of the loss of some recordings, whose positions in the whole batch are `slots`, and values of each.

    These are its embedding and what the objective compares over the whole batch: [B, E + X].
    """
    encoder, settings = learner.encoder, learner.settings
    device = encoder.norm.weight.device
    with torch.no_grad():
        teacher, student, seen = step.augment(on_device(batch, device), step.step, slots)
        clean, dirty = encoder.tokenizer(teacher), encoder.tokenizer(student, seen)
        key = [step.seed, step.step]
        groups = []
        if learner.objective.draws_groups:
            there, visible = clean.there.cpu().numpy(), dirty.there.cpu().numpy()
            grid = encoder.grid.view(), encoder.grid.place()
            groups = masks.draw(there, visible, grid, settings.mask, settings.drop_view, settings.targets, key, slots)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        view = View(dirty, clean, groups, key, list(slots))
        step.flops.append(flops.of_step(learner, view))
        sums, z, numbers = learner.objective(encoder, learner.average, view)
        if learner.readout is not None:
            targets = learner.readout.targets(encoder.tokenizer, teacher, clean)
            add(sums, learner.readout(z, noise(step, slots, z), targets))
    return sums, torch.cat([z, numbers], 1)


def noise(step: Step, slots: np.ndarray, z: Tensor) -> Tensor:
    """Standard normal numbers like z [B, E], seeded by recording."""
    rows = [
        np.random.default_rng([step.seed, data.NOISE, step.step, int(k)]).standard_normal(z.shape[1]) for k in slots
    ]
    return torch.from_numpy(np.stack(rows).astype(np.float32)).to(z.device)


def backward(
    learner: Learner, batch: data.Batch, step: Step, slots: np.ndarray, pool: ThreadPoolExecutor, shares: int,
    processes: Processes, part: float = 1.0,
) -> tuple[dict[str, float], Tensor]:  # fmt: skip
    """Add `part` times the gradients of the loss to the weights; the parts of the loss, and embeddings [B, E].

    The batch is this process's; the loss is that of the recordings of all processes.
    """
    pieces = [rows for rows in np.array_split(np.arange(len(batch)), shares) if len(rows)]
    forward = list(pool.map(lambda rows: share(learner, batch.rows(rows), slots[rows], step), pieces))
    parts, scales = combined(learner, [sums for sums, _ in forward], processes)
    z = [z for _, z in forward]
    person = torch.from_numpy(batch.person.copy())
    values, pull = whole_batch(learner, torch.cat(z), person, processes)
    parts |= values
    parts["loss"] = sum(parts[name] * weight for name, weight in weights_of(learner, values).items())
    weights, pulls = learner.trained(), (part * pull).split([len(x) for x in z])

    def gradient(sums: Sums, z: Tensor, pull: Tensor) -> tuple[Tensor | None, ...]:
        # No new operation is recorded here: the order in which gradients are added would depend on which thread did it.
        outputs = {name: total for name, (total, _) in sums.items() if total.requires_grad}
        pulled = [*((part * scales[name]).to(total.dtype) for name, total in outputs.items()), pull]
        return torch.autograd.grad([*outputs.values(), z], weights, pulled, allow_unused=True)

    for weight, *found in zip(weights, *pool.map(gradient, [s for s, _ in forward], z, pulls), strict=True):
        given = [x for x in [weight.grad, *found] if x is not None]
        weight.grad = sum(given[1:], given[0]) if given else None
    return parts, torch.cat([x.detach() for x in z])[:, : learner.settings.embedding]


def combined(learner: Learner, forward: list[Sums], processes: Processes) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Values of the additive parts over all shares and processes, and the weight of each sum in the loss."""
    names = list(learner.weights)
    zero = torch.zeros((), device=learner.encoder.norm.weight.device, dtype=torch.float64)
    table = torch.stack(
        [torch.stack([sum((s[n][k].detach().double() for s in forward if n in s), zero) for n in names])
         for k in (0, 1)]
    )  # fmt: skip
    table = processes.summed(table)
    counts = table[1].clamp(min=1)
    parts = {name: float(value) for name, value in zip(names, table[0] / counts, strict=True)}
    return parts, {name: learner.weights[name] / n for name, n in zip(names, counts, strict=True)}


def whole_batch(learner: Learner, z: Tensor, person: Tensor, processes: Processes) -> tuple[dict[str, float], Tensor]:
    """Terms of all recordings together, and their gradient for this process's numbers z [B, E + X], as of `share`."""
    everyone = processes.gathered(z.detach().float()).requires_grad_()
    people = processes.gathered(person.to(z.device))
    embeddings, numbers = everyone[:, : learner.settings.embedding], everyone[:, learner.settings.embedding :]
    found = pooled.terms(embeddings, people, learner.settings.covariance, learner.settings.same_person)
    found |= {name: (value, learner.weights[name]) for name, value in learner.objective.pooled(numbers).items()}
    if not found:
        return {}, torch.zeros_like(z)
    total = sum(weight * value for value, weight in found.values())
    (gradient,) = torch.autograd.grad(total, everyone)
    return {name: float(value.detach()) for name, (value, _) in found.items()}, gradient[processes.mine(len(everyone))]


def weights_of(learner: Learner, whole: dict[str, float]) -> dict[str, float]:
    """Weight of every part of the loss."""
    settings = learner.settings
    return {
        name: settings.same_person if name == "loss_person" else settings.covariance for name in whole
    } | learner.weights
