"""Sums of the parts of a loss, and the numbers of what was summed, so that a batch may be cut anywhere."""

from torch import Tensor

Sums = dict[str, tuple[Tensor, Tensor]]  # part of the loss: sum, and number of what was summed


def add(sums: Sums, more: Sums) -> None:
    """Add sums in place."""
    for name, (total, count) in more.items():
        before = sums.get(name, (0.0, 0.0))
        sums[name] = before[0] + total, before[1] + count
