"""Explanations find what was planted: in a network that reads it and nothing else, all of it."""

import numpy as np
import pytest
import torch
from benchmarks import explanations as bench
from tests.unit.interpret.conftest import CHANNELS

from ecgwas.interpret.predictors import integrated_gradients, occlusion, reference_shapes
from ecgwas.interpret.predictors.segments import SEGMENTS, time_shares


def reader(world, disease, found):
    """Logits that read the energy of what a disease changes in one recording with these segments."""
    cells = torch.from_numpy(bench.planted(disease))
    place = torch.from_numpy(np.clip(found.strip, 0, None).astype(int))
    inside = (cells[:, place] & torch.from_numpy(found.strip >= 0))[None].float()
    inside[:, 2:6] = 0  # the encoders see no sums of leads
    return lambda x: (x.strip.square() * inside).sum((1, 2))[:, None] + 0 * x.beat.sum()


@pytest.mark.parametrize("disease", ["T", "P", "leads"])
def test_exact_for_a_network_that_reads_only_it(small_world, one, disease):
    signals, found = one
    logits, planted = reader(small_world, disease, found), bench.planted(disease)
    shape = reference_shapes.shapes(signals.strip[0].numpy(), found.strip) * 0.5
    usual = reference_shapes.usual(signals, found, shape)
    for instead in (None, usual):
        table = np.abs(occlusion.changes(logits, signals, found, CHANNELS, instead)[bench.INDEPENDENT, :, 0])
        assert table[planted[bench.INDEPENDENT]].sum() >= 0.999 * table.sum() > 0
    for start in (integrated_gradients.flat(signals), usual):
        ig = integrated_gradients.integrated(logits, signals, start, 0, 8)
        mass = integrated_gradients.by_segment(np.abs(ig.strip), np.abs(ig.beat), found)
        share = integrated_gradients.shares(mass)[planted].sum()
        assert share >= 0.999
        time = (planted * time_shares(found)).sum() / len(CHANNELS)
        assert share >= 3 * time
        assert abs(ig.residual) < 1e-3 * abs(ig.total)


def test_the_disease_changes_nothing_else():
    counts, case = bench.simulated("T", 2, 1)
    difference = np.abs(counts[case] - counts[~case]).max(1)
    assert (difference.max(1) > 50).all()
    assert ((difference > 2).mean(1) < 0.6).all()
    assert len(SEGMENTS) == 6
