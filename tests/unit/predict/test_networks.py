"""Laws of networks: absent leads are no content, gradients reach the signals, a file holds all that logits need."""

import dataclasses

import numpy as np
import pytest
import torch

from ecgwas import config
from ecgwas.checkpoints import checkpoint as files
from ecgwas.encoder.tokens import Signals, on_device
from ecgwas.errors import UserError
from ecgwas.predict.methods import networks
from ecgwas.predict.methods.networks import METHODS, Apart, Network, Pooling
from ecgwas.pretrain import pca
from ecgwas.signals import data

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def checkpoint(world) -> dict:
    return files.load(world.checkpoint)


@pytest.fixture
def signals(world) -> Signals:
    """Ten recordings: the first two have no median beat, the first lacks V2."""
    opened = data.open_signals([world.cohort.recordings], world.cohort.strips, world.cohort.beats)
    return on_device(opened.read(np.arange(10)), CPU)


def network_of(method: str, checkpoint: dict) -> Network:
    """A network whose head says something."""
    network = networks.make_network(method, ["a", "b", "c"], checkpoint, 1).eval()
    with torch.no_grad():
        for w in network.trained():
            w.add_(0.1 * torch.randn(w.shape, generator=torch.Generator().manual_seed(w.numel())))
    return network


@pytest.mark.parametrize("method", METHODS)
def test_gradients_reach_strip_and_beat_and_stay_out_of_what_is_missing(method, checkpoint, signals):
    signals.strip[3, :, 200:300] = torch.nan  # a gap in every lead
    signals.strip[4, 2] = 0.0  # a flat lead
    signals.strip.requires_grad_()
    signals.beat.requires_grad_()
    logits = network_of(method, checkpoint).logits(signals)
    assert logits.shape == (10, 3)
    logits[:, 1].sum().backward()
    for x, there in ((signals.strip, ~signals.strip.isnan()), (signals.beat, ~signals.beat.isnan())):
        if method == "xresnet1d" and x is signals.beat:
            assert x.grad is None
            continue
        assert torch.isfinite(x.grad).all()
        assert (x.grad[~there] == 0).all()
        assert (x.grad.abs().sum((1, 2))[2:] > 0).all()


@pytest.mark.parametrize("method", ["finetuned", "xresnet1d"])
def test_a_gradient_is_the_change_of_the_logit(method, checkpoint, signals):
    network = network_of(method, checkpoint).double()
    strip = signals.strip.double()
    moved = torch.randn(strip.shape, generator=torch.Generator().manual_seed(1)).double()
    exact = dataclasses.replace(signals, beat=signals.beat.double(), rr_ms=signals.rr_ms.double())

    def at(x: torch.Tensor) -> torch.Tensor:
        return network.logits(dataclasses.replace(exact, strip=x))[5, 0]

    leaf = strip.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(at(leaf), leaf)
    expected = (at(strip + 1e-8 * moved) - at(strip - 1e-8 * moved)).detach() / 2e-8
    assert float((gradient * moved)[5].nansum()) == pytest.approx(float(expected), rel=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_a_recording_does_not_depend_on_those_beside_it(method, checkpoint, signals):
    network = network_of(method, checkpoint)
    with torch.no_grad():
        together = network.logits(signals)
        alone = torch.cat([network.logits(signals[torch.tensor([k])]) for k in range(10)])
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_absent_leads_are_no_content_and_nothing_is_told_apart(method, checkpoint, signals):
    """Sums of I and II add nothing to an encoder; a recording of nothing is not readable, and has a finite logit."""
    network = network_of(method, checkpoint)
    changed = signals.strip.clone(), signals.beat.clone()
    for x in changed:
        x[:, 2:6] = torch.nan
        x[9] = torch.nan
    fewer = dataclasses.replace(signals, strip=changed[0], beat=changed[1], rr_ms=signals.rr_ms.clone())
    fewer.rr_ms[9] = torch.nan
    with torch.no_grad():
        whole, less = network.logits(signals), network.logits(fewer)
    assert torch.isfinite(less).all()
    assert network.readable(signals).all()
    assert network.readable(fewer).tolist() == [True] * 9 + [False]
    assert torch.allclose(whole[:9], less[:9], atol=1e-5) == (method != "xresnet1d")
    assert not torch.allclose(whole[9], less[9])


def test_hidden_leads_are_as_if_absent(checkpoint, signals):
    """`seen` in training and missing leads in scoring are one thing."""
    for method in ("finetuned", "attention", "xresnet1d"):
        network = network_of(method, checkpoint)
        seen = torch.zeros(10, 12, dtype=torch.bool)
        seen[:, [0, 7, 8]] = True
        gone = ~seen[..., None]
        absent = [x.masked_fill(gone, torch.nan) for x in (signals.strip, signals.beat)]
        with torch.no_grad():
            hidden = network.logits(signals, seen)
            missing = network.logits(dataclasses.replace(signals, strip=absent[0], beat=absent[1]))
        assert torch.allclose(hidden, missing, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_a_file_holds_all_that_logits_need(method, checkpoint, signals, tmp_path):
    network = network_of(method, checkpoint)
    for k, one in enumerate((network, Apart([network_of(method, checkpoint), network]))):
        files.save(networks.to_dict(one), tmp_path / f"{k}.pt")
        if k == 0:
            loaded = networks.load(tmp_path / "0.pt")
            assert (loaded.method, loaded.outcomes) == (method, ("a", "b", "c"))
            with torch.no_grad():
                assert torch.equal(loaded.logits(signals), network.logits(signals))


def test_networks_apart_are_their_members(checkpoint, signals, tmp_path):
    members = [networks.make_network("supervised", [name], checkpoint, k).eval() for k, name in enumerate("ab")]
    files.save(networks.to_dict(Apart(members)), tmp_path / "apart.pt")
    loaded = networks.load(tmp_path / "apart.pt")
    assert loaded.outcomes == ("a", "b")
    with torch.no_grad():
        assert torch.equal(loaded.logits(signals), torch.cat([member.logits(signals) for member in members], 1))


def test_attention_weights_are_of_the_tokens_that_are_there(checkpoint):
    torch.manual_seed(3)
    head = Pooling(16, 2, 3)
    assert torch.allclose(head.attention(torch.randn(4, 7, 16)), torch.full((4, 2, 3, 7), 1 / 7))  # at first, a mean
    with torch.no_grad():
        head.query.normal_()
        head.weight.normal_()
    x, there = torch.randn(4, 7, 16), torch.ones(4, 7, dtype=torch.bool)
    there[:, 5:] = False
    weights = head.attention(head.norm(x), there)
    assert torch.allclose(weights.sum(-1), torch.ones(4, 2, 3))
    assert (weights[..., 5:] == 0).all()
    assert torch.allclose(head(x, there), head(x[:, :5]), atol=1e-6)
    assert not torch.allclose(weights[:, :, 0], weights[:, :, 1])  # each outcome has its own


def test_initial_weights_are_the_models_or_of_the_seed(checkpoint):
    pretrained = checkpoint["weights"]["blocks.0.query.weight"]
    for method in ("finetuned", "attention", "probe", "random", "supervised"):
        first, again, other = (networks.make_network(method, ["a"], checkpoint, seed) for seed in (1, 1, 2))
        weight = first.encoder.blocks[0].query.weight
        assert torch.equal(weight, pretrained) == (method not in ("random", "supervised"))
        assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
        assert torch.equal(other.encoder.blocks[0].query.weight, weight) == (method not in ("random", "supervised"))


def test_other_files_and_models_are_refused(world, checkpoint, tmp_path):
    with pytest.raises(UserError, match=r"checkpoint\.pt: holds transformer, no network"):
        networks.load(world.checkpoint)
    cohort, path = world.cohort, tmp_path / "pca.pt"
    pca.main([cohort.recordings], cohort.strips, cohort.beats, config.Pca(components=4), config.Ingest(), path)
    with pytest.raises(UserError, match="probe needs an encoder, the model is of kind pca"):
        networks.make_network("probe", ["a"], files.load(path), 1)
    assert networks.make_network("xresnet1d", ["a"], files.load(path), 1).outcomes == ("a",)
