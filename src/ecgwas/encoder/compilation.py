"""Encoder -> the same encoder with compiled blocks, where a compiler works."""

import copy
import warnings

import torch
from torch import nn

RECOMPILE_LIMIT = 64  # forward and back, with and without gradient, self- and cross-attention, one token or several


def compile_blocks(module: nn.Module, when: str, device: torch.device) -> bool:
    """Compile the blocks of a learner in place, for any number of tokens; returns whether it did.

    when: `always`, `never`, or `auto`: on a GPU. Names of weights stay. Where no compiler works, a warning says so and
    the blocks stay as they are.
    """
    from ecgwas.encoder.transformer import Block

    blocks = [m for m in module.modules() if isinstance(m, Block)]
    if not blocks or when == "never" or (when == "auto" and device.type != "cuda"):
        return False
    try:
        _try_out(blocks[0], device)
    except Exception as error:  # a missing or incomplete compiler may raise anything
        reason = (str(error).strip().splitlines() or [""])[0][:200]
        warnings.warn(
            f"torch.compile does not work here ({type(error).__name__}: {reason}); training runs uncompiled, slower;"
            " install a C++ compiler (CPU) or Triton (GPU), or set compile: never",
            stacklevel=2,
        )
        return False
    allow_recompiles()
    for block in blocks:
        block.compile(dynamic=True)
    return True


def allow_recompiles() -> None:
    """Allow as many variants of a block as there are; the setting is of one thread, so each calls this."""
    torch._dynamo.config.recompile_limit = max(RECOMPILE_LIMIT, torch._dynamo.config.recompile_limit)


def _try_out(block: nn.Module, device: torch.device) -> None:
    """Compile and run a small function of the same kind; raises what the compiler raises."""
    norm = copy.deepcopy(block.norm_mlp).requires_grad_(True)
    f = torch.compile(lambda x: nn.functional.gelu(norm(x)).sum())
    f(torch.ones(3, norm.normalized_shape[0], device=device)).backward()
