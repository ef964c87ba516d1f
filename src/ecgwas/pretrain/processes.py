"""One process or several of torchrun: what they share."""

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class Processes:
    """This process among all that train the same model."""

    rank: int = 0
    world: int = 1

    def mine(self, n: int) -> slice:
        """This process's part of the n recordings of a batch, which must be a multiple of `world`."""
        each = n // self.world
        return slice(self.rank * each, (self.rank + 1) * each)

    def gathered(self, x: Tensor) -> Tensor:
        """Rows of all processes, in their order; every process has as many."""
        if self.world == 1:
            return x
        parts = [torch.empty_like(x) for _ in range(self.world)]
        dist.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    def summed(self, x: Tensor) -> Tensor:
        """Sum over processes."""
        if self.world > 1:
            x = x.clone()
            dist.all_reduce(x)
        return x

    def sum_gradients(self, module: nn.Module) -> None:
        """Add the gradients of all processes, in one message."""
        weights = [w for w in module.parameters() if w.requires_grad]
        if self.world == 1:
            return
        flat = torch.cat([(torch.zeros_like(w) if w.grad is None else w.grad).flatten() for w in weights])
        dist.all_reduce(flat)
        for w, part in zip(weights, flat.split([w.numel() for w in weights]), strict=True):
            w.grad = part.view_as(w)


def join() -> Processes:
    """Join the processes that torchrun started, over gloo on CPUs and NCCL on GPUs; one process without it."""
    if "RANK" not in os.environ:
        return Processes()
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return Processes(dist.get_rank(), dist.get_world_size())


def leave(processes: Processes) -> None:
    """Wait for the others, and part."""
    if processes.world > 1:
        dist.barrier()
        dist.destroy_process_group()
