"""The count of operations is that of torch's own counter, and sizes of recipes are those they state."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ecgwas.config import Ingest, Transformer
from ecgwas.encoder.augmentation import Augmenter
from ecgwas.pretrain import flops, losses, processes, train
from ecgwas.signals import data


class Here:
    """A pool of one, so that the counter, which is of this thread, sees the work."""

    map = staticmethod(lambda f, *args: list(map(f, *args)))


@pytest.mark.parametrize("objective", ["jepa", "mae"])
@pytest.mark.parametrize(("depth", "readout"), [(1, 1.0), (3, 0.0)])
def test_operations_counted_are_those_executed(ecg_cohort, objective, depth, readout):
    cohort = ecg_cohort(n=24, no_beat=3)
    signals = data.open_signals([cohort.recordings], cohort.strips, cohort.beats)
    settings = Transformer(width=32, depth=depth, heads=2, embedding=8, batch=16, objective=objective, readout=readout)
    learner = train.make_learner(settings, Ingest(), train.find_statistics(signals, settings, Ingest(), 1), 1)
    step = losses.Step(Augmenter(settings.augment, learner.encoder.grid, 1, torch.device("cpu")), 1, 0)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        losses.backward(learner, signals.read(np.arange(16)), step, np.arange(16), Here(), 1, processes.Processes())
    assert sum(step.flops) == pytest.approx(counter.get_total_flops(), rel=0.03)


def test_the_rate_of_two_threads_is_the_sum_of_their_rates(monkeypatch):
    monkeypatch.setattr(flops, "PROBE_S", 0.02)
    with ThreadPoolExecutor(2) as pool:
        assert flops.peak(torch.device("cpu"), pool, 2) > 1e9


@pytest.mark.parametrize(("name", "low", "high"), [("xs", 3e6, 4e6), ("s", 14e6, 22e6), ("base", 80e6, 92e6)])
def test_recipes_have_the_sizes_they_state(project: Path, name, low, high):
    settings = Transformer(**yaml.safe_load((project / "config" / "models" / f"{name}.yaml").read_text()))
    with torch.device("meta"):
        grid = train.make_grid(settings, Ingest())
        encoder = train.make_encoder(settings, grid, {})
    assert low <= sum(w.numel() for w in encoder.parameters()) <= high
    assert settings.width / settings.heads in (32, 64)
