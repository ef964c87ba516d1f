"""Laws of the Conformer: its size, what a shift does, missing leads, and embeddings that are a recording's own."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from ecgwas.config import Ingest, Transformer
from ecgwas.embed.embed import embed, transformer
from ecgwas.encoder import conformer
from ecgwas.encoder.conformer import Conformer, shifted, sinusoids
from ecgwas.encoder.tokens import make_grid, on_device
from ecgwas.pretrain import train
from ecgwas.signals import data

TINY = Transformer(
    backbone="conformer", objective="ecg_lfm", width=16, depth=2, heads=2, embedding=8, strip_patch_s=0.04, mask=0.65,
    codes=16, readout=0, steps=0, batch=8,
)  # fmt: skip
CPU = torch.device("cpu")


def opened(cohort) -> data.Signals:
    return data.open_signals([cohort.recordings], cohort.strips, cohort.beats)


def make(signals: data.Signals, settings: Transformer = TINY) -> Conformer:
    statistics = train.find_statistics(signals, settings, Ingest(), 1)
    return train.make_learner(settings, Ingest(), statistics, 1).encoder


def test_the_recipe_at_full_size_has_the_published_number_of_weights(project):
    settings = Transformer(**yaml.safe_load((project / "config/models/ecg_lfm.yaml").read_text()))
    ingest = Ingest(model_rate_hz=500)
    grid = make_grid(settings, ingest)
    with torch.device("meta"):
        model = Conformer(settings, grid, {})
    assert len(model.blocks) == 24
    assert model.stem.samples == 16  # four convolutions, 32 ms
    stem = 2 * 256 * (12 + 3 * 256) + 4 * 256
    d = 1024
    block = 2 * (8 * d * d + 5 * d) + 5 * d * d + 4 * d + 2 * d + 3 * d * d + 31 * d + 6 * 2 * d
    rest = 2 * 256 + 257 * d + 2 * d + d * d + d
    assert sum(w.numel() for w in model.parameters()) == stem + 24 * block + rest
    assert (stem + 24 * block + 2 * 256 + 257 * d) / 1e6 == pytest.approx(606, abs=1)


@pytest.mark.parametrize(("rate_hz", "samples"), [(500, 16), (250, 8), (125, 4), (100, 4), (31, 2)])
def test_a_token_is_as_near_32_ms_as_powers_of_two_come(rate_hz, samples):
    assert conformer.Stem(3, rate_hz, 8).samples == samples
    nearest = min((2**k for k in range(1, 6)), key=lambda n: abs(math.log(n / rate_hz / 0.032)))
    assert samples == nearest


def test_distances_are_where_they_belong():
    n, width = 7, 6
    x, table = torch.randn(2, 3, n, width), sinusoids(n, width, CPU)
    found = shifted(x @ table.T)
    for i in range(n):
        for j in range(n):
            distance = torch.tensor([math.sin(i - j), math.cos(i - j)])
            torch.testing.assert_close(table[n - 1 - (i - j), :2], distance)
            torch.testing.assert_close(found[:, :, i, j], x[:, :, i] @ table[n - 1 - (i - j)])


def test_a_shift_by_whole_tokens_shifts_the_tokens(ecg_cohort):
    model = make(opened(ecg_cohort(n=12)))
    strip = torch.zeros(1, 12, 1000)
    strip[..., 400:480] = torch.randn(12, 80)
    signals = on_device(opened_zeros(), CPU)
    one, two = (replace(signals, strip=x) for x in (strip, strip.roll(12, 2)))
    one, two = (model.tokenizer(x) for x in (one, two))
    a, b = model.features(one), model.features(two)
    assert a.shape == (1, 250, 16)
    torch.testing.assert_close(a.roll(3, 1), b, rtol=0, atol=1e-5)
    # Blocks look 15 tokens to each side by convolution and at all by distance: away from the edges the same.
    x, y = (model.blocks[0].convolution(model.project(z)) for z in (a, b))
    torch.testing.assert_close(x[:, 15:-18], y[:, 18:-15], rtol=0, atol=1e-5)
    index = torch.arange(30)[None]
    late = torch.arange(70, 100)[None]
    same = model.project(torch.randn(1, 30, 16))
    whole_strip = torch.zeros(1, 250, 16)
    whole_strip[:, :30], whole_strip[:, 70:100] = same, same
    torch.testing.assert_close(
        model.layers(one, index, whole_strip)[-1], model.layers(one, late, whole_strip)[-1], rtol=0, atol=1e-6
    )


def opened_zeros() -> data.Batch:
    strip, beat = np.zeros((1, 12, 1000), np.int16), np.zeros((1, 12, 220), np.int16)
    return data.Batch(strip, beat, np.full(1, 800, np.float32), np.ones(1, bool), np.zeros(1, np.int64))


def test_missing_leads_are_zeros_and_what_is_not_recorded_at_the_ends_is_no_token(ecg_cohort):
    signals = opened(ecg_cohort(n=12))
    model, batch = make(signals), signals.read(np.array([1, 2]))
    batch.strip[0, 7] = data.MISSING
    batch.strip[1, :, 500:] = data.MISSING
    tokens = model.tokenizer(on_device(batch, CPU))
    there = model.there(tokens)
    assert there.sum(1).tolist() == [250, 125]
    assert there[1, :125].all()
    strip = tokens.strip.unflatten(1, (12, -1)).clone()
    recorded = tokens.there[:, : model.grid.n_strip].unflatten(1, (12, -1))
    assert not recorded[0, 7].any()
    assert not recorded[0, 2:6].any()  # sums of I and II
    strip[~recorded] = 99.0  # what is not there does not count
    again = replace(tokens, strip=strip.flatten(1, 2))
    assert torch.equal(model.features(tokens), model.features(again))
    by_hand = strip[0].masked_fill(~recorded[0][..., None], 0).flatten(1)
    size = model.tokenizer.amplitude_scale[:, 0] * tokens.size[0, :, 0]
    torch.testing.assert_close(model.stem((by_hand * size.exp()[:, None])[None])[0], model.features(tokens)[0])


def test_an_amplitude_in_millivolts_reaches_the_stem(ecg_cohort):
    signals = opened(ecg_cohort(n=24))
    model, batch = make(signals), signals.read(np.array([1]))
    batch.strip[:] = (batch.strip * 0.8).astype(np.int16)
    small = model.tokenizer(on_device(batch, CPU))
    large = model.tokenizer(on_device(signals.read(np.array([1])), CPU))
    ratio = (small.size - large.size)[0, :, 0] * model.tokenizer.amplitude_scale[:, 0]
    seen = recorded_leads(model, large)
    torch.testing.assert_close(ratio[seen].exp(), torch.full((int(seen.sum()),), 0.8), rtol=0.02, atol=0)


def recorded_leads(model: Conformer, tokens) -> torch.Tensor:
    return tokens.there[0, : model.grid.n_strip].unflatten(0, (12, -1)).all(1)


def test_embeddings_do_not_depend_on_the_batch_and_need_no_lead_in_particular(ecg_cohort):
    cohort = ecg_cohort(n=20, no_beat=3)
    signals = opened(cohort)
    strips = [array.copy() for array in (np.load(path) for path in cohort.strips)]
    strips[0][4, :6] = data.MISSING
    strips[0][5, 1:] = data.MISSING
    strips[0][6] = data.MISSING
    for path, array in zip(cohort.strips, strips, strict=True):
        np.save(path, array)
    statistics = train.find_statistics(signals, TINY, Ingest(), 1)
    model = train.make_learner(TINY, Ingest(), statistics, 1).encoder
    checkpoint = {"settings": TINY.model_dump(mode="json"), "ingest": Ingest().model_dump(mode="json")}
    checkpoint |= {"statistics": statistics, "weights": model.state_dict()}
    z = [embed(transformer(checkpoint), opened(cohort), batch) for batch in (1, 7, 20)]
    for other in z[1:]:
        np.testing.assert_allclose(z[0], other, rtol=0, atol=1e-5)
    assert np.isnan(z[0]).any(1).nonzero()[0].tolist() == [6]  # nothing of its strip was recorded
    assert len(np.unique(z[0][[3, 4, 5]].round(4), axis=0)) == 3
    layers = embed(transformer(checkpoint, [1, 2]), opened(cohort), 7)
    assert layers.shape == (20, 32)


def test_without_training_the_embedding_is_the_mean_of_the_tokens(ecg_cohort):
    signals = opened(ecg_cohort(n=12))
    model = make(signals, TINY.model_copy(update={"embedding": 16}))
    tokens = model.tokenizer(on_device(signals.read(np.array([1, 2])), CPU))
    index = torch.arange(250).expand(2, -1)
    x = model(tokens, index)
    torch.testing.assert_close(model.embed(x, index, tokens.lead), x.mean(1))
