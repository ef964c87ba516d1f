"""Laws of the ECG-LFM objective: spans, codes, contrast, leads; the same however a batch is cut."""

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from ecgwas import tables
from ecgwas.config import Augment, Ingest, Transformer
from ecgwas.encoder import spans
from ecgwas.encoder.augmentation import Augmenter
from ecgwas.encoder.tokens import on_device
from ecgwas.pretrain import losses, processes, train
from ecgwas.pretrain.objectives import ecg_lfm
from ecgwas.pretrain.objectives.base import View
from ecgwas.signals import data

QUIET = Augment(crop=0, noise=0, wander=0, lowpass=0, gain=0, lead_drop=0, unknown_lead=0)
CONFORMER = Transformer(
    backbone="conformer", objective="ecg_lfm", width=16, depth=2, heads=2, embedding=8, strip_patch_s=0.16, mask=0.65,
    codes=32, readout=0, covariance=0, same_person=1, rank_floor=1, steps=6, batch=8, learning_rate=2e-3,
    checkpoint_every=2, augment=QUIET,
)  # fmt: skip
TOKENS = CONFORMER.model_copy(update={"backbone": "tokens", "strip_patch_s": 1.0, "readout": 1.0, "covariance": 0.02})
BOTH = pytest.mark.parametrize("settings", [CONFORMER, TOKENS], ids=["conformer", "tokens"])
CPU = torch.device("cpu")


def run(cohort, folder: Path, settings: Transformer, **options) -> tuple[bytes, pl.DataFrame]:
    paths = {"checkpoint": folder / "checkpoint.pt", "history": folder / "history.parquet", "resume": folder / "resume"}
    train.main([cohort.recordings], cohort.strips, cohort.beats, settings, Ingest(), **paths, **options)
    return paths["checkpoint"].read_bytes(), pl.read_parquet(paths["history"]).drop(list(tables.MEASURED))


def opened(cohort) -> data.Signals:
    return data.open_signals([cohort.recordings], cohort.strips, cohort.beats)


def make(signals: data.Signals, settings: Transformer) -> losses.Learner:
    return train.make_learner(settings, Ingest(), train.find_statistics(signals, settings, Ingest(), 1), 1)


def in_pairs(cohort) -> data.Signals:
    """The cohort with two recordings of each person."""
    table = pl.read_parquet(cohort.recordings)
    table.with_columns(person_id=(pl.int_range(pl.len()) // 2).cast(pl.String)).write_parquet(cohort.recordings)
    return opened(cohort)


def view_of(learner: losses.Learner, batch: data.Batch, step: int = 0) -> View:
    tokens = learner.encoder.tokenizer(on_device(batch, CPU))
    return View(tokens, tokens, [], [1, step], list(range(len(batch))))


def test_spans_hide_half_of_a_strip_as_fairseq_does():
    shares, lengths = [], []
    for k in range(200):
        hidden = spans.places(250, 8, 0.65, np.random.default_rng([k]))
        edges = np.flatnonzero(np.diff(np.r_[0, hidden, 0]))
        lengths += (edges[1::2] - edges[::2]).tolist()
        shares.append(hidden.mean())
    assert min(lengths) == 8
    # 0.65 · 250 / 8 spans at random starts: a place is free if no span begins among the 8 places before its end
    assert np.mean(shares) == pytest.approx(1 - (1 - 8 / 243) ** (0.65 * 250 / 8), abs=0.02)
    assert all(not spans.places(n, 8, 1.0, np.random.default_rng([n])).all() for n in range(1, 40))


def test_hidden_times_are_those_of_all_leads_and_sizes_are_never_hidden():
    view, place = np.repeat([0, 0, 1, 1, 2, 2], [10, 10, 11, 11, 1, 1]), np.r_[0:10, 0:10, 0:11, 0:11, 0, 0]
    hidden = spans.hide(view, place, (1.0, 0.08), 0.65, np.random.default_rng([3]))
    np.testing.assert_array_equal(hidden[:10], hidden[10:20])
    np.testing.assert_array_equal(hidden[20:31], hidden[31:42])
    assert hidden[:10].sum() == 6
    assert not hidden[42:].any()


def test_half_of_the_leads_are_dropped_but_never_all():
    lead, view = np.repeat(np.arange(12), 5), np.zeros(60, int)
    there = lead != 3
    shown = np.stack([spans.see(there, lead, view, 0.0, np.random.default_rng([k])) for k in range(300)])
    assert (shown.reshape(300, 12, 5).all(2) == shown.reshape(300, 12, 5).any(2)).all()
    assert not shown[:, lead == 3].any()
    assert shown.any(1).all()
    assert shown[:, there].mean() == pytest.approx(0.5, abs=0.03)
    one = np.stack([spans.see(lead == 1, lead, view, 0.0, np.random.default_rng([k])) for k in range(20)])
    assert (one == (lead == 1)).all()


def test_the_rate_goes_with_the_beat_and_with_no_lead():
    view, lead = np.array([0, 0, 1, 1, 2, 2, 3]), np.array([0, 1, 0, 1, 0, 1, 0])
    there = np.ones(7, bool)
    rngs = [np.random.default_rng([k]) for k in range(100)]
    assert all(spans.see(there, lead, view, 0.0, rng)[6] for rng in rngs)
    for rng in rngs:
        shown = spans.see(there, lead, view, 1.0, rng)
        assert shown[view == 0].any() != shown[view == 1].any()
        assert shown[6] == shown[view == 1].any()


def test_negatives_are_others():
    drawn = spans.negatives(40, np.random.default_rng([0]))
    assert drawn.shape == (40, 100)
    assert (drawn != np.arange(40)[:, None]).all()
    assert (drawn >= 0).all()
    assert (drawn < 40).all()
    assert np.bincount(drawn.ravel()).min() > 50


def test_contrast_of_what_cannot_be_told_apart_is_log_101():
    rng = np.random.default_rng([0])
    negatives, code = torch.from_numpy(spans.negatives(30, rng))[None], torch.arange(30)[None]
    same, weight = torch.ones(1, 30, 4), torch.ones(1, 30)
    total, n = ecg_lfm.EcgLfm.contrast(same, same, code, negatives, weight)
    assert float(total / n) == pytest.approx(math.log(101), rel=1e-5)
    # negatives of the own code are left out, and one hidden token by itself has nothing to be told from
    total, n = ecg_lfm.EcgLfm.contrast(same, same, torch.zeros_like(code), negatives, weight)
    assert float(total / n) == pytest.approx(0, abs=1e-6)
    assert float(ecg_lfm.EcgLfm.contrast(same, same, code, negatives, torch.eye(30)[:1])[1]) == 0
    token, target = torch.randn(2, 1, 30, 4)
    total, _ = ecg_lfm.EcgLfm.contrast(token, target, code, negatives, weight)
    by_hand = 0.0
    for k in range(30):
        cosine = torch.cosine_similarity(token[0, k], target[0, torch.cat([torch.tensor([k]), negatives[0, k]])], dim=1)
        by_hand += torch.nn.functional.cross_entropy(10 * cosine[None], torch.tensor([0]))
    torch.testing.assert_close(total, by_hand)


def test_the_contrast_starts_near_chance(ecg_cohort):
    signals = opened(ecg_cohort(n=12))
    learner = make(signals, CONFORMER.model_copy(update={"codes": 1024, "width": 64}))
    view = view_of(learner, signals.read(np.arange(8)))
    sums, *_ = learner.objective(learner.encoder, learner.average, view)
    total, n = sums["loss_contrast"]
    assert float(total.detach() / n) == pytest.approx(math.log(101), abs=0.35)


def test_diversity_is_of_the_whole_batch():
    usage = torch.tensor([[4.0, 0, 0, 0], [0, 4.0, 0, 0]])
    pooled = ecg_lfm.EcgLfm.pooled
    assert float(pooled(None, usage)["loss_diversity"]) == pytest.approx((4 - 2) / 4, abs=1e-5)
    assert float(pooled(None, usage[:1])["loss_diversity"]) == pytest.approx((4 - 1) / 4, abs=1e-5)
    assert float(pooled(None, torch.ones(3, 4))["loss_diversity"]) == pytest.approx(0, abs=1e-5)


def test_codes_cool_down():
    assert ecg_lfm.temperature(0) == 2
    assert ecg_lfm.temperature(138_629) == pytest.approx(1, rel=1e-4)
    assert ecg_lfm.temperature(10**7) == 0.1


def test_a_code_is_one_vector_and_its_gradient_that_of_the_softmax():
    quantiser = ecg_lfm.Quantiser(6, 5, 4)
    features = torch.randn(2, 3, 6, requires_grad=True)
    noise = torch.randn(2, 3, 5)
    vectors, code, p = quantiser(features, noise, 2.0)
    torch.testing.assert_close(vectors, quantiser.codes[code])
    torch.testing.assert_close(p.sum(2), torch.ones(2, 3))
    soft = ((quantiser.logits(torch.nn.functional.layer_norm(features, (6,))) + noise) / 2).softmax(2)
    torch.testing.assert_close(soft.argmax(2), code)
    (found,) = torch.autograd.grad(vectors.square().sum(), features, retain_graph=True)
    (expected,) = torch.autograd.grad((soft * (2 * vectors.detach() @ quantiser.codes.T)).sum(), features)
    torch.testing.assert_close(found, expected)


@BOTH
def test_what_is_hidden_does_not_reach_the_blocks(ecg_cohort, settings):
    signals = opened(ecg_cohort(n=12))
    learner = make(signals, settings)
    encoder, objective = learner.encoder, learner.objective
    tokens = encoder.tokenizer(on_device(signals.read(np.array([1, 2])), CPU))
    n = int(encoder.there(tokens)[0].sum())
    x = torch.randn(2, encoder.there(tokens).shape[1], settings.width)
    hidden = torch.tensor([[0, 3, 5], [1, 2, 0]])
    weight = torch.tensor([[1.0, 1, 1], [1, 1, 0]])
    masked = objective.masked(x, hidden, weight)
    changed = [(0, 0), (0, 3), (0, 5), (1, 1), (1, 2)]
    for row, place in changed:
        assert torch.equal(masked[row, place], objective.mask_token)
        masked[row, place] = x[row, place]
    assert torch.equal(masked, x)
    assert n > 5


@BOTH
@pytest.mark.parametrize("shares", [2, 8])
def test_shares_of_a_batch_give_the_gradients_of_the_whole(ecg_cohort, settings, shares):
    signals = in_pairs(ecg_cohort(n=20, no_beat=3))
    batch, found = signals.read(np.arange(8)), []
    for n in (1, shares):
        learner = make(signals, settings)
        step = losses.Step(Augmenter(settings.augment, learner.encoder.grid, 1, CPU), 1, 0)
        with ThreadPoolExecutor(n) as pool:
            told, z = losses.backward(learner, batch, step, np.arange(8), pool, n, processes.Processes())
        found.append((told, z, {name: w.grad for name, w in learner.named_parameters() if w.requires_grad}))
    (told, z, whole_batch), (other, again, parts) = found
    assert other == pytest.approx(told, rel=1e-4)
    assert {"loss_contrast", "loss_code", "loss_diversity", "loss_feature", "loss_person"} <= set(told)
    assert 0 < told["loss_diversity"] < 1
    assert z.shape == (8, 8)
    torch.testing.assert_close(z, again, rtol=0, atol=1e-5)
    assert whole_batch["objective.quantiser.logits.weight"].abs().max() > 0
    for name, gradient in whole_batch.items():
        if gradient is not None:
            assert torch.allclose(parts[name], gradient, atol=1e-6 + 1e-4 * gradient.abs().max()), name


def test_the_diversity_of_a_batch_has_its_gradient(ecg_cohort):
    signals = opened(ecg_cohort(n=12))
    batch, found = signals.read(np.arange(8)), []
    only = {"loss_contrast": 0.0, "loss_code": 0.0, "loss_feature": 0.0}
    for one_way in (True, False):
        learner = make(signals, CONFORMER.model_copy(update={"same_person": 0.0}))
        learner.weights |= only
        if one_way:
            step = losses.Step(Augmenter(QUIET, learner.encoder.grid, 1, CPU), 1, 0)
            with ThreadPoolExecutor(2) as pool:
                losses.backward(learner, batch, step, np.arange(8), pool, 2, processes.Processes())
        else:
            *_, usage = learner.objective(learner.encoder, learner.average, view_of(learner, batch))
            (0.1 * learner.objective.pooled(usage)["loss_diversity"]).backward()
        found.append(learner.objective.quantiser.logits.weight.grad)
    assert found[0].abs().max() > 0
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-7)


@BOTH
def test_a_run_broken_off_ends_in_the_same_bytes(ecg_cohort, tmp_path, settings):
    cohort = ecg_cohort(n=20)
    whole_run = run(cohort, tmp_path / "whole", settings)
    with pytest.raises(InterruptedError):
        run(cohort, tmp_path / "broken", settings, stop_after=3)
    again = run(cohort, tmp_path / "broken", settings)
    assert again[0] == whole_run[0]
    assert again[1].equals(whole_run[1])


def test_training_learns_to_name_codes_and_goes_on_using_them(ecg_cohort, tmp_path):
    cohort = ecg_cohort(n=40)
    longer = CONFORMER.model_copy(update={"steps": 40, "learning_rate": 5e-3, "checkpoint_every": 100})
    history = run(cohort, tmp_path, longer)[1]
    first, last = history.head(5), history.tail(5)
    assert last["loss"].mean() < first["loss"].mean()
    assert last["loss_contrast"].mean() < first["loss_contrast"].mean()
    assert last["loss_code"].mean() < first["loss_code"].mean()
    assert last["loss_code"].mean() < math.log(32)  # better than chance
    assert last["loss_diversity"].mean() < first["loss_diversity"].mean()
    in_use = 32 * (1 - last["loss_diversity"].mean())
    assert in_use > 8
