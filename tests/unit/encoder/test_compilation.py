"""Compiled blocks give what uncompiled ones do, under the same names; without a compiler a warning says so."""

import copy
import shutil

import pytest
import torch

from ecgwas.encoder import compilation
from ecgwas.encoder.transformer import Block, Rotary

CPU = torch.device("cpu")


def loss(block: Block, tokens: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Of a block on some tokens, and its gradients."""
    rng = torch.Generator().manual_seed(tokens)
    x = torch.randn(3, tokens, 16, generator=rng)
    turns = Rotary(4)(torch.arange(tokens).expand(3, -1) / 10)
    value = (block(x, turns) ** 2).mean()
    return value.detach(), torch.autograd.grad(value, list(block.parameters()))


@pytest.mark.skipif(
    not (shutil.which("g++") or shutil.which("clang++")), reason="needs a C++ compiler: apt install g++"
)
def test_compiled_blocks_give_the_same_losses_and_gradients():
    block = Block(16, 2)
    compiled = torch.nn.Sequential(copy.deepcopy(block))
    assert compilation.compile_blocks(compiled, "always", CPU)
    assert compiled[0]._compiled_call_impl is not None
    assert list(compiled.state_dict()) == [f"0.{name}" for name in block.state_dict()]
    for tokens in (8, 24):
        torch.testing.assert_close(loss(compiled[0], tokens), loss(block, tokens), rtol=1e-4, atol=1e-6)


def test_without_a_compiler_blocks_stay_as_they_are_and_a_warning_says_so(monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("no compiler found")

    monkeypatch.setattr(torch, "compile", broken)
    module = torch.nn.Sequential(Block(16, 2))
    with pytest.warns(UserWarning, match=r"does not work here .*no compiler found.* compile: never"):
        assert not compilation.compile_blocks(module, "always", CPU)
    assert module[0]._compiled_call_impl is None
    loss(module[0], 8)


@pytest.mark.parametrize("when", ["never", "auto"])
def test_on_a_cpu_nothing_is_compiled_unasked(when):
    module = torch.nn.Sequential(Block(16, 2))
    assert not compilation.compile_blocks(module, when, CPU)
    assert module[0]._compiled_call_impl is None
