"""Integrated gradients: complete, exact for what is linear, symmetric, as captum has them; attention as it is."""

import numpy as np
import pytest
import torch
from benchmarks import explanations as bench
from tests.unit.interpret.conftest import CHANNELS, network

from ecgwas.encoder.transformer import Block
from ecgwas.interpret.predictors import attention, integrated_gradients, reference_shapes, sanity_checks
from ecgwas.interpret.predictors.segments import SEGMENTS


@pytest.fixture
def usual(small_world, one):
    """The recording with the usual shapes of the world."""
    found = bench.layouts(small_world, np.arange(6))
    shape = reference_shapes.mean_shapes(
        [reference_shapes.shapes(small_world.tensors.strip[r].numpy(), f.strip) for r, f in found]
    )
    return reference_shapes.usual(*one, shape)


@pytest.mark.parametrize("baseline", ["flat", "usual"])
def test_attributions_sum_to_the_change_of_a_smooth_function(one, usual, baseline):
    def logits(x):
        return torch.tanh(x.strip.mean((1, 2)) * 9 + x.beat.square().mean((1, 2)))[:, None]

    signals, _ = one
    start = integrated_gradients.flat(signals) if baseline == "flat" else usual
    found = integrated_gradients.integrated(logits, signals, start, 0, 32)
    assert abs(found.residual) < 1e-5
    np.testing.assert_allclose(found.strip.sum() + found.beat.sum(), found.total, atol=1e-5)


def test_completeness_of_a_network(untrained, one, usual):
    found = integrated_gradients.integrated(untrained.logits, one[0], usual, 1, 64)
    assert abs(found.residual) < 0.05 * np.abs(found.strip).sum()


def test_linear_and_symmetric(one):
    signals, _ = one
    weight = torch.randn(12, signals.strip.shape[2], generator=torch.Generator().manual_seed(1))
    weight[1] = weight[0]
    signals = bench.replace(signals, strip=signals.strip.clone())
    signals.strip[0, 1] = signals.strip[0, 0]

    def logits(x):
        return ((x.strip * weight).sum((1, 2)) + 0 * x.beat.sum((1, 2)))[:, None]

    found = integrated_gradients.integrated(logits, signals, integrated_gradients.flat(signals), 0, 4)
    np.testing.assert_allclose(found.strip, (signals.strip[0] * weight).numpy(), atol=1e-5)
    np.testing.assert_array_equal(found.strip[0], found.strip[1])
    assert not found.beat.any()


def test_as_captum(untrained, one, usual):
    attr = pytest.importorskip("captum.attr")
    signals, _ = one

    def forward(strip, beat):
        return untrained.logits(integrated_gradients.many(signals, strip, beat))[:, :1]

    theirs = attr.IntegratedGradients(forward).attribute(
        (signals.strip, signals.beat), (usual.strip, usual.beat), target=0, n_steps=16, internal_batch_size=16
    )
    ours = integrated_gradients.integrated(untrained.logits, signals, usual, 0, 16)
    np.testing.assert_allclose(ours.strip, theirs[0][0].detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(ours.beat, theirs[1][0].detach().numpy(), atol=1e-5)


def test_folding_and_cells_keep_the_mass(one):
    signals, found = one
    values = np.random.default_rng(1).standard_normal(signals.strip.shape[1:])
    cells = integrated_gradients.by_segment(values, np.zeros(signals.beat.shape[1:]), found)
    np.testing.assert_allclose(cells.sum(1), values.sum(1))
    wide = np.arange(-200, 200) / 100
    np.testing.assert_allclose(integrated_gradients.folded(values, found, wide).sum(1), values.sum(1))


def test_usual_shapes_of_itself_change_little(one):
    signals, found = one
    shape = reference_shapes.shapes(signals.strip[0].numpy(), found.strip)
    made = reference_shapes.with_shapes(signals.strip[0].numpy(), found.strip, shape)
    inside = np.isin(found.strip, [SEGMENTS.index("QRS"), SEGMENTS.index("T")])
    rest = made[:, inside] - signals.strip[0].numpy()[:, inside]
    own = signals.strip[0].numpy()[:, inside]
    assert (rest**2).mean() < 0.25 * own.var()  # beats fall differently between the samples
    np.testing.assert_allclose(reference_shapes.with_shapes(made, found.strip, 0 * shape)[0, 0], made[0, 0])


def test_explicit_attention_gives_the_same_numbers(untrained, one):
    signals, _ = one
    expected = untrained.logits(signals)
    with attention.watched(untrained) as weights:
        torch.testing.assert_close(untrained.logits(signals), expected, atol=1e-5, rtol=1e-5)
    assert len(weights) == sum(isinstance(m, Block) for m in untrained.modules())
    for one_weight in weights:
        torch.testing.assert_close(one_weight.sum(-1), torch.ones_like(one_weight.sum(-1)))
    assert all(m.watched is None for m in untrained.modules() if isinstance(m, Block))


@pytest.mark.parametrize("method", ["supervised", "attention"])
def test_relevance_of_tokens(small_world, one, method):
    model = network(small_world, method)
    signals, _ = one
    found, grid = attention.relevance(model, signals, 0), model.encoder.grid
    assert (found >= 0).all()
    assert found.sum() > 0
    assert not found[~model.encoder.tokenizer(signals).there[0].numpy()].any()
    strip, beat = attention.on_samples(found, grid)
    np.testing.assert_allclose(strip.sum() + beat.sum(), found.sum() * (1 - attention.untimed(found, grid)))
    assert strip.shape == signals.strip.shape[1:]


def test_true_maps_fall_faster_than_random_orders(one):
    signals, found = one
    k = CHANNELS.index("V4")
    inside = torch.from_numpy(found.strip == SEGMENTS.index("T"))

    def logits(x):
        return x.strip[:, k, inside].abs().sum(1, keepdim=True)

    values = np.zeros((12, 6))
    values[k, SEGMENTS.index("T")] = 1
    rng = np.random.default_rng(1)
    told = sanity_checks.faithfulness(logits, signals, found, CHANNELS, values, 0, rng)
    assert told["deletion"] < told["deletion_random"]
    assert told["insertion"] > told["insertion_random"]


def test_random_weights_keep_their_size_and_lose_the_map(untrained):
    other = sanity_checks.randomised(untrained, 3)
    for one, two in zip(untrained.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one.flatten().sort().values, two.flatten().sort().values)
    assert not torch.equal(untrained.encoder.strip_in.weight, other.encoder.strip_in.weight)
    rng = np.random.default_rng(0)
    assert sanity_checks.agreement(np.arange(72.0).reshape(12, 6), np.arange(72.0).reshape(12, 6) ** 3) == 1
    assert abs(sanity_checks.agreement(rng.random((12, 6)), rng.random((12, 6)))) < 0.4
    assert np.isnan(sanity_checks.agreement(np.zeros((12, 6)), rng.random((12, 6))))
