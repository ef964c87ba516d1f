"""Laws of tokens and leads: size is apart from shape, sums of leads are no input, absent leads are absent tokens."""

import numpy as np
import pytest
import torch

from ecgwas.config import LEADS, Augment, Ingest, Transformer
from ecgwas.encoder import leads
from ecgwas.encoder.augmentation import Augmenter, lowpass
from ecgwas.encoder.statistics import statistics
from ecgwas.encoder.tokens import Tokenizer, make_grid, on_device, recorded_leads
from ecgwas.signals import data

TINY = Transformer(width=16, depth=1, heads=2, embedding=8)
CPU = torch.device("cpu")


@pytest.fixture
def batch_and_tokenizer(ecg_cohort):
    cohort = ecg_cohort(n=40, no_beat=3)
    signals = data.open_signals([cohort.recordings], cohort.strips, cohort.beats)
    found = {name: torch.from_numpy(x) for name, x in statistics(signals, 1).items()}
    return signals.read(np.arange(40)), Tokenizer(make_grid(TINY, Ingest()), found)


def test_a_gain_changes_the_size_tokens_alone(batch_and_tokenizer):
    batch, tokenizer = batch_and_tokenizer
    signals = on_device(batch, CPU)
    louder = type(signals)(1.1 * signals.strip, 1.1 * signals.beat, signals.rr_ms, signals.millivolt, signals.lead)
    one, two = tokenizer(signals), tokenizer(louder)
    torch.testing.assert_close(one.strip, two.strip)
    torch.testing.assert_close(one.beat, two.beat)
    assert torch.equal(one.there, two.there)
    change = ((two.size - one.size) * tokenizer.amplitude_scale)[5:]
    kept = (two.size[5:].abs() < 5) & (one.size[5:].abs() < 5) & (one.size[5:] != 0)
    assert kept.float().mean() > 0.5
    torch.testing.assert_close(change[kept], torch.full_like(change[kept], np.log(1.1)), atol=1e-4, rtol=0)


def test_a_recording_without_a_unit_has_no_size_tokens(batch_and_tokenizer):
    batch, tokenizer = batch_and_tokenizer
    batch.millivolt[7] = False
    there, grid = tokenizer(on_device(batch, CPU)).there, tokenizer.grid
    assert not there[7, grid.n_strip + grid.n_beat : -1].any()
    assert there[8, grid.n_strip + grid.n_beat : -1].sum() == 8


def test_sums_of_leads_are_tokens_only_where_i_or_ii_is_absent(batch_and_tokenizer):
    batch, tokenizer = batch_and_tokenizer
    batch.strip[5, 1], batch.beat[5, 1] = data.MISSING, data.MISSING  # no lead II
    seen = tokenizer.seen(on_device(batch, CPU)).numpy()
    assert {LEADS[k] for k in np.flatnonzero(seen[6])} == set(data.MODEL_LEADS)
    assert {LEADS[k] for k in np.flatnonzero(seen[5])} == set(LEADS) - {"II"}
    assert "V2" not in {LEADS[k] for k in np.flatnonzero(seen[10])}  # every tenth lacks it


def test_a_few_missing_samples_cost_the_tokens_that_hold_them(batch_and_tokenizer):
    batch, tokenizer = batch_and_tokenizer
    before = tokenizer(on_device(batch, CPU)).there
    batch.strip[6, 0, 150] = data.MISSING
    changed = (tokenizer(on_device(batch, CPU)).there != before).nonzero().tolist()
    assert changed == [[6, 1]]  # lead I, the second second


def test_a_recording_without_a_rhythm_has_no_rate_token(batch_and_tokenizer):
    batch, tokenizer = batch_and_tokenizer
    batch.rr_ms[4] = np.nan
    tokens = tokenizer(on_device(batch, CPU))
    assert tokens.there[:, -1].logical_not().nonzero().tolist() == [[4]]
    expected = (np.log(batch.rr_ms) - float(tokenizer.rr_mean)) / float(tokenizer.rr_scale)
    np.testing.assert_allclose(tokens.rate[5:, 0], expected[5:].clip(-3, 3), atol=1e-4)


def test_reduced_sets_are_of_the_leads_there():
    rng = np.random.default_rng(1)
    recorded = np.ones((1, 12), bool)
    full = leads.independent(recorded, LEADS)[0]
    drawn = {tuple(np.flatnonzero(leads.draw(full, recorded[0], LEADS, rng))) for _ in range(500)}
    names = {tuple(LEADS[k] for k in d) for d in drawn}
    assert {("I", "II"), ("I", "II", "V2"), ("I",), ("II",), ("V1",), ("V5",), ("aVR",)} <= names
    recorded[0, 1] = False
    there = leads.independent(recorded, LEADS)[0]
    for _ in range(100):
        assert not (leads.draw(there, recorded[0], LEADS, rng) & ~recorded[0]).any()


def changed(batch, settings, tokenizer, slots=None, step=0):
    augment = Augmenter(settings, tokenizer.grid, 1, CPU)
    return augment(on_device(batch, CPU), step, np.arange(len(batch)) if slots is None else slots)


def test_what_happens_to_a_recording_does_not_depend_on_its_batch(batch_and_tokenizer):
    batch, tokenizer = batch_and_tokenizer
    whole = changed(batch, Augment(), tokenizer)
    rows = np.array([3, 30, 31])
    part = changed(batch.rows(rows), Augment(), tokenizer, rows)
    for a, b in zip(whole[:2], part[:2], strict=True):
        torch.testing.assert_close(a.strip[rows], b.strip, equal_nan=True, rtol=0, atol=1e-5)
        torch.testing.assert_close(a.beat[rows], b.beat, equal_nan=True, rtol=0, atol=1e-5)
        assert torch.equal(a.lead[rows], b.lead)
    assert torch.equal(whole[2][rows], part[2])
    later = changed(batch, Augment(), tokenizer, step=1)
    assert not torch.equal(later[2], whole[2]) or not torch.equal(
        later[1].strip.nan_to_num(), whole[1].strip.nan_to_num()
    )


def test_gain_is_common_to_leads_student_and_teacher(batch_and_tokenizer):
    batch, tokenizer = batch_and_tokenizer
    quiet = Augment(crop=0, noise=0, wander=0, lowpass=0, lead_drop=0, unknown_lead=0, gain=0.05)
    teacher, student, seen = changed(batch, quiet, tokenizer)
    plain = on_device(batch, CPU)
    ratio = (teacher.strip / plain.strip)[..., 100:200].nan_to_num(1.0).flatten(1)
    gain = ratio.median(1).values
    assert 0.9523 <= gain.min() < 0.97 < 1.03 < gain.max() <= 1.0501
    torch.testing.assert_close(plain.strip * gain[:, None, None], teacher.strip, equal_nan=True)
    torch.testing.assert_close(student.strip, teacher.strip, equal_nan=True)
    torch.testing.assert_close(student.beat, plain.beat * gain[:, None, None], equal_nan=True)
    assert torch.equal(seen, tokenizer.seen(plain))


def test_the_student_sees_fewer_leads_as_often_as_set_and_some_without_a_name(batch_and_tokenizer):
    batch, tokenizer = batch_and_tokenizer
    many = batch.rows(np.tile(np.arange(11, 20), 60))
    _, student, seen = changed(many, Augment(lead_drop=0.5, unknown_lead=0.1), tokenizer)
    unnamed = (student.lead == 12).all(1)
    assert 0.06 < unnamed.float().mean() < 0.15
    assert (seen[unnamed].sum(1) == 1).all()
    reduced = (seen[~unnamed].sum(1) < 8).float().mean()
    assert 0.42 < reduced < 0.58


def test_crop_drops_the_ends_and_nothing_else(batch_and_tokenizer):
    batch, tokenizer = batch_and_tokenizer
    only = Augment(crop=0.3, noise=0, wander=0, lowpass=0, lead_drop=0, unknown_lead=0, gain=0)
    teacher, student, _ = changed(batch, only, tokenizer)
    inside = ~student.strip[:, 0].isnan()
    assert 700 <= inside.sum(1).min() < 760
    assert ((inside[:, 1:] != inside[:, :-1]).sum(1) <= 2).all()
    assert torch.equal(student.strip[:, 0][inside], teacher.strip[:, 0][inside])


def test_the_low_pass_has_the_gain_it_states_and_keeps_gaps():
    time = torch.arange(1000) / 100
    x = torch.stack([torch.sin(2 * torch.pi * f * time) for f in (2.0, 20.0, 30.0)])[:, None]
    x[0, 0, :100] = torch.nan
    y = lowpass(x, torch.tensor([20.0, 20.0, 20.0]), 100.0)
    assert torch.equal(y.isnan(), x.isnan())
    size = y[..., 300:700].std(2)[:, 0] / x[..., 300:700].std(2)[:, 0]
    torch.testing.assert_close(size, torch.tensor([1.0, 0.5, 1 / (1 + 1.5**8)]), atol=0.01, rtol=0)


def test_leads_recorded_in_one_view_alone_are_recorded(batch_and_tokenizer):
    batch, _ = batch_and_tokenizer
    batch.beat[9] = data.MISSING
    assert recorded_leads(on_device(batch, CPU))[9].all()
