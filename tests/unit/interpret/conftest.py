"""Simulated and ingested recordings, their segments, and a small network."""

from typing import Any

import numpy as np
import pytest
import torch
from benchmarks import explanations as bench

from ecgwas import config
from ecgwas.encoder.tokens import Signals
from ecgwas.interpret.predictors.segments import Layout
from ecgwas.predict.methods.networks import EncoderNetwork, make_network

CHANNELS = list(config.LEADS)


@pytest.fixture(scope="session")
def small_world() -> bench.World:
    """Six people, and the same with taller T waves."""
    return bench.made("T", 6, 1)


@pytest.fixture(scope="session")
def one(small_world: bench.World) -> tuple[Signals, Layout]:
    """One recording, signals [1, …], and its segments."""
    row, found = next(bench.layouts(small_world, np.array([0])))
    return small_world.tensors[torch.tensor([row])], found


def network(world: Any, method: str = "supervised", seed: int = 1) -> EncoderNetwork:
    """A network that has learnt nothing."""
    settings = config.Transformer(width=16, depth=2, heads=2, embedding=16, head_rank=8)
    checkpoint = {"kind": "transformer", "settings": settings.model_dump(), "ingest": bench.INGEST.model_dump()}
    checkpoint |= {"statistics": world.statistics}
    untrained = make_network("supervised", ["big_t", "other"], checkpoint, seed)
    checkpoint["weights"] = untrained.encoder.state_dict()
    return make_network(method, ["big_t", "other"], checkpoint, seed).eval()


@pytest.fixture
def untrained(small_world: bench.World) -> EncoderNetwork:
    """A network that has learnt nothing."""
    return network(small_world)
