"""Laws of training: same seed same bytes, broken off or not; the best weights are kept; rates fall with the layers."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.unit.predict.conftest import predict

from ecgwas import config
from ecgwas.checkpoints import checkpoint as files
from ecgwas.predict import inputs
from ecgwas.predict.inputs import CohortFiles, FitInputs
from ecgwas.predict.methods import networks, training, tuning, validation_score
from ecgwas.signals.order import shuffled


@pytest.fixture(autouse=True)
def short_passes(monkeypatch):
    """Two steps at least, not ten."""
    monkeypatch.setattr(training, "LEAST_STEPS", 2)


TRAINED = ("finetuned", "attention", "supervised", "xresnet1d")


def given(world, method: str, settings: config.Predict | None = None, **options) -> FitInputs:
    """What `fit.main` would hand over."""
    settings = settings or predict()
    examples, unfitted = inputs.read_examples(world.labels, settings, 1.0, 0)
    cohort = CohortFiles(**world.signals)
    return FitInputs(method, settings, cohort, examples, unfitted, checkpoint=world.checkpoint, **options)


def same(a: dict, b: dict) -> bool:
    weights = (one["weights"] for one in (a, b))
    return all(torch.equal(x, y) for x, y in zip(*(w.values() for w in weights), strict=True))


@pytest.mark.parametrize(("method", "saves"), [*(("finetuned", k) for k in (1, 3, 4)), ("xresnet1d", 1)])
def test_a_run_broken_off_ends_in_the_same_bytes(world, tmp_path, monkeypatch, method, saves):
    """Broken off after a pass, between two trials, or in the second one: after each number of states kept."""
    settings = predict(epochs=2, patience=2, learning_rates=[1e-3, 3e-3], batch=8)
    examples, _ = inputs.read_examples(world.labels, settings, 0.2, 0)
    full = dataclasses.replace(given(world, method, settings), examples=examples)
    whole = tuning.fit(full)
    broken, kept = dataclasses.replace(full, resume=tmp_path), []

    def save(state: dict, path: Path | None) -> None:
        files.save(state, path)
        kept.append(path)
        if len(kept) == saves:
            raise InterruptedError

    with monkeypatch.context() as patched, pytest.raises(InterruptedError):
        patched.setattr(training, "save_state", save)
        tuning.fit(broken)
    passes = []
    one_pass = training.Trial.one_pass
    monkeypatch.setattr(training.Trial, "one_pass", lambda self: (passes.append(1), one_pass(self)))
    resumed = tuning.fit(broken)
    assert same(resumed, whole)
    assert resumed["chosen"] == whole["chosen"]
    assert len(passes) == {1: 3, 3: 2, 4: 1}[saves]


def test_a_state_of_another_run_or_a_torn_one_is_not_used(world, tmp_path):
    settings = predict(epochs=1)
    whole = tuning.fit(given(world, "attention", settings))
    tuning.fit(given(world, "attention", settings.model_copy(update={"weight_decay": 0.2}), resume=tmp_path))
    assert same(tuning.fit(given(world, "attention", settings, resume=tmp_path)), whole)
    (tmp_path / "state.pt").write_bytes(b"torn")
    assert same(tuning.fit(given(world, "attention", settings, resume=tmp_path)), whole)


@pytest.mark.parametrize("method", TRAINED)
def test_the_seed_decides(world, method):
    settings = predict(epochs=1)
    first, again, other = (tuning.fit(given(world, method, settings, seed=seed)) for seed in (1, 1, 2))
    assert same(first, again)
    assert not same(first, other)


def test_shares_in_threads_find_what_one_finds(world):
    """The gradient is that of the whole batch, and always the same."""
    settings = predict(epochs=1)
    one, two, again = (tuning.fit(given(world, "supervised", settings, threads=k)) for k in (1, 2, 2))
    assert same(two, again)
    for name, w in one["weights"].items():
        assert torch.allclose(w, two["weights"][name], atol=2e-3), name


class Scripted(torch.nn.Module):
    """A network of one weight, which training moves from 0."""

    method, outcomes, device = "supervised", ("a",), torch.device("cpu")

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def trained(self) -> list[torch.nn.Parameter]:
        return [self.weight]


def scripted(scores: list[float], monkeypatch, **changed) -> tuple[float, dict]:
    """Weight and choice after passes of which the validation scores are these, first before training."""
    y = np.array([[1.0], [0.0]] * 20)
    settings = predict(**{"epochs": 6, "patience": 2, "learning_rates": [0.1]} | changed)
    rows = np.arange(40)
    forward = lambda network, rows, *_: network.weight.expand(len(rows), 1) * torch.ones(len(rows), 1)  # noqa: E731
    task = training.Task(forward, np.ones_like(y), rows, rows, settings, 1, 1)
    told = iter(scores)
    monkeypatch.setattr(training.Trial, "validation_score", lambda self: next(told))
    network, chosen = training.fit(Scripted, task, None)
    return float(network.weight.detach()), chosen


def test_early_stopping_keeps_the_best(monkeypatch):
    """The weights of the best pass, the first of equal ones; `patience` passes without a better one end the trial."""
    by_pass = [scripted([0.1 * k for k in range(7)], monkeypatch, epochs=n)[0] for n in (1, 2)]
    assert 0 < by_pass[0] < by_pass[1]
    stopped, chosen = scripted([0.5, 0.6, 0.6, 0.55, 0.9], monkeypatch)
    assert (chosen["pass"], chosen["passes"], chosen["score"]) == (1, 3, 0.6)
    again, chosen = scripted([0.5, 0.4, 0.3, 0.9], monkeypatch)
    assert (again, chosen["pass"], chosen["passes"]) == (0.0, 0, 2)  # never worse than at the start
    assert stopped > 0


def test_the_best_rate_is_chosen_the_first_of_equal_ones(monkeypatch):
    scores = [0.5, 0.6, 0.5, 0.8, 0.5, 0.8]  # start and one pass of each of three rates
    _, chosen = scripted(scores, monkeypatch, epochs=1, learning_rates=[0.1, 0.01, 0.001])
    assert chosen["learning_rate"] == 0.01
    assert [trial["score"] for trial in chosen["trials"]] == [0.6, 0.8, 0.8]


def test_rates_fall_by_the_layer_decay(world):
    """Head 1, norm and embedding d, last block d², first block d³, what makes tokens d⁴ of a network of two blocks."""
    checkpoint = files.load(world.checkpoint)
    network = networks.make_network("finetuned", ["a"], checkpoint, 1)
    groups = training.groups(network, predict(layer_decay=0.5, weight_decay=0.1))
    found = {id(w): (group["level"], group["weight_decay"]) for group in groups for w in group["params"]}
    assert len(found) == len(list(network.parameters()))
    encoder = network.encoder
    assert found[id(network.head.weight)] == (1.0, 0.1)
    assert found[id(network.head.bias)] == (1.0, 0.0)
    assert found[id(encoder.head.bias)] == (0.5, 0.0)
    assert found[id(encoder.norm.weight)] == (0.5, 0.0)
    assert found[id(encoder.blocks[1].query.weight)] == (0.25, 0.1)
    assert found[id(encoder.blocks[0].query.weight)] == (0.125, 0.1)
    assert found[id(encoder.strip_in.weight)] == (0.0625, 0.1)
    assert found[id(encoder.positions.lead)] == (0.0625, 0.0)
    for method in ("supervised", "attention"):
        network = networks.make_network(method, ["a"], checkpoint, 1)
        assert {group["level"] for group in training.groups(network, predict(layer_decay=0.5))} == {1.0}
    trained = {id(w) for group in training.groups(network, predict()) for w in group["params"]}
    assert trained == {id(w) for part in (network.head, network.pooling) for w in part.parameters()}  # no encoder


def test_schedule_rises_then_falls():
    rates = [training.schedule(step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (k + 1) for k in range(10)])
    assert rates[10] == 1
    assert (np.diff(rates[10:]) < 0).all()
    assert training.LOWEST <= rates[-1] < training.LOWEST + 0.01


def test_every_recording_is_seen_once_a_pass_and_few_make_enough_steps():
    rows = np.arange(100, 200)
    task = training.Task(None, np.zeros((200, 1)), rows, rows, predict(batch=10), 1, 1)
    assert task.steps == 10
    assert sorted(np.concatenate([task.rows(step) for step in range(10)])) == rows.tolist()
    few = dataclasses.replace(task, train=rows[:7])
    assert (few.batch, few.steps) == (7, training.LEAST_STEPS)
    assert len(shuffled(7, 0, 7, [1])) == 7


def test_unknown_labels_count_nothing(world):
    """The loss is over known labels; a network learns the same whatever stands at recordings without any."""
    logits = torch.randn(4, 2)
    y = torch.tensor([[1.0, torch.nan], [0.0, 1.0], [torch.nan, torch.nan], [1.0, 0.0]])
    losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, y.nan_to_num(), reduction="none")
    assert torch.isclose(training.cross_entropy(logits, y), losses[~y.isnan()].sum())
    full = given(world, "supervised", predict(epochs=1, weight_decay=0))
    y = full.examples.y.copy()
    y[:, 1] = np.nan
    first = tuning.fit(dataclasses.replace(full, examples=dataclasses.replace(full.examples, y=y)))
    head = networks.make_network("supervised", full.examples.outcomes, files.load(world.checkpoint), 1).head
    assert torch.equal(first["weights"]["head.weight"][1], head.weight[1])
    assert not torch.equal(first["weights"]["head.weight"][0], head.weight[0])


def test_quality_is_the_mean_auroc_or_minus_the_loss():
    rng = np.random.default_rng(1)
    y, s = (rng.random((60, 2)) < 0.4).astype(float), rng.integers(0, 9, (60, 2)) / 3.0
    y[:5, 1] = np.nan
    expected = []
    for k in (0, 1):
        known = ~np.isnan(y[:, k])
        gaps = s[known & (y[:, k] == 1), k][:, None] - s[known & (y[:, k] == 0), k]
        expected.append(((gaps > 0) + 0.5 * (gaps == 0)).mean())
    few, known = predict(min_cases=40), ~np.isnan(y)
    loss = np.where(y == 1, np.log1p(np.exp(-s)), np.log1p(np.exp(s)))[known].mean()
    assert validation_score.quality(s, y, predict()) == pytest.approx(
        np.mean(expected) - validation_score.TIE * loss, abs=1e-12
    )
    assert validation_score.quality(s, y, few) == pytest.approx(-loss)
    assert validation_score.quality(s[:0], y[:0], few) == 0


def test_a_rate_that_diverges_ends_its_trial_and_not_the_run(world, capsys):
    settings = predict(epochs=2, learning_rates=[1e30, 3e-3])
    fitted = tuning.fit(given(world, "supervised", settings))
    assert "rate 1e+30, step" in capsys.readouterr().out
    assert fitted["chosen"]["learning_rate"] == 3e-3
    assert all(torch.isfinite(w).all() for w in fitted["weights"].values())
    lost = tuning.fit(given(world, "supervised", predict(epochs=2, learning_rates=[1e30])))
    start = networks.make_network("supervised", ["big_t", "slow"], files.load(world.checkpoint), 1)
    assert same(lost, networks.to_dict(start))  # what is left is the start
