"""Laws of training: same seed same bytes, broken off or not; hidden tokens cannot leak; bad runs stop."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from ecgwas import tables
from ecgwas.checkpoints import checkpoint
from ecgwas.config import Augment, Ingest, Transformer
from ecgwas.encoder.augmentation import Augmenter
from ecgwas.encoder.masks import Group
from ecgwas.encoder.tokens import Tokens, on_device
from ecgwas.encoder.transformer import whole
from ecgwas.errors import UserError
from ecgwas.pretrain import losses, processes, schedule, train, trainer
from ecgwas.pretrain.objectives.base import View
from ecgwas.signals import data

TINY = Transformer(width=16, depth=1, heads=2, embedding=8, steps=9, batch=16, checkpoint_every=2)
MAE = TINY.model_copy(update={"objective": "mae"})
ONE = processes.Processes()


def run(cohort, folder: Path, settings: Transformer = TINY, **options) -> tuple[bytes, pl.DataFrame]:
    """Train into `folder`; bytes of the checkpoint, and the history without what a clock measured."""
    paths = {"checkpoint": folder / "checkpoint.pt", "history": folder / "history.parquet", "resume": folder / "resume"}
    train.main([cohort.recordings], cohort.strips, cohort.beats, settings, Ingest(), **paths, **options)
    return paths["checkpoint"].read_bytes(), pl.read_parquet(paths["history"]).drop(list(tables.MEASURED))


def same(a: tuple[bytes, pl.DataFrame], b: tuple[bytes, pl.DataFrame]) -> bool:
    return a[0] == b[0] and a[1].equals(b[1])


def opened(cohort) -> data.Signals:
    return data.open_signals([cohort.recordings], cohort.strips, cohort.beats)


def make(signals: data.Signals, settings: Transformer = TINY, seed: int = 1) -> losses.Learner:
    return train.make_learner(settings, Ingest(), train.find_statistics(signals, settings, Ingest(), 1), seed)


def test_a_rerun_gives_the_same_bytes_and_another_seed_does_not(ecg_cohort, tmp_path):
    cohort = ecg_cohort(n=40, no_beat=3)
    first, again, other = (run(cohort, tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert same(first, again)
    assert first[0] != other[0]
    assert not (tmp_path / "a" / "resume").exists()


@pytest.mark.parametrize(("settings", "steps"), [(TINY, 1), (TINY, 4), (MAE, 4), (TINY, 8)])
def test_a_run_broken_off_ends_in_the_same_bytes(ecg_cohort, tmp_path, settings, steps):
    cohort = ecg_cohort(n=40)
    whole = run(cohort, tmp_path / "whole", settings)
    with pytest.raises(InterruptedError):
        run(cohort, tmp_path / "broken", settings, stop_after=steps)
    assert not (tmp_path / "broken" / "checkpoint.pt").exists()
    assert (tmp_path / "broken" / "resume" / "state.pt").exists() == (steps > 1)
    assert same(run(cohort, tmp_path / "broken", settings), whole)


def test_a_killed_process_resumes_to_the_same_bytes(ecg_cohort, tmp_path):
    cohort = ecg_cohort(n=40)
    settings = TINY.model_copy(update={"steps": 60, "checkpoint_every": 5})
    whole = run(cohort, tmp_path / "whole", settings)
    folder = tmp_path / "killed"
    lists = [f"--{name}={json.dumps([str(p) for p in paths])}" for name, paths in
             (("recordings", [cohort.recordings]), ("strips", cohort.strips), ("beats", cohort.beats))]  # fmt: skip
    outputs = [f"--{name}={folder / file}" for name, file in
               (("checkpoint", "checkpoint.pt"), ("history", "history.parquet"), ("resume", "resume"))]  # fmt: skip
    command = [sys.executable, "-m", "ecgwas.pretrain.train", *lists, *outputs, "--ingest={}"]
    process = subprocess.Popen([*command, f"--settings={settings.model_dump_json()}"], stdout=subprocess.DEVNULL)
    while not (folder / "resume" / "state.pt").exists() and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / "checkpoint.pt").exists()
    assert same(run(cohort, folder, settings), whole)


def test_a_state_of_other_settings_or_data_or_a_torn_one_is_not_used(ecg_cohort, tmp_path):
    cohort = ecg_cohort(n=40)
    other = TINY.model_copy(update={"learning_rate": 2e-3})
    with pytest.raises(InterruptedError):
        run(cohort, tmp_path / "a", other, stop_after=5)
    assert same(run(cohort, tmp_path / "a"), run(cohort, tmp_path / "b"))
    (tmp_path / "c" / "resume").mkdir(parents=True)
    (tmp_path / "c" / "resume" / "state.pt").write_bytes(b"torn")
    assert same(run(cohort, tmp_path / "c"), run(cohort, tmp_path / "b"))


@pytest.mark.parametrize("settings", [TINY, MAE])
def test_history_and_checkpoint_hold_what_readers_need(ecg_cohort, tmp_path, settings):
    cohort = ecg_cohort(n=40)
    run(cohort, tmp_path, settings)
    history, saved = pl.read_parquet(tmp_path / "history.parquet"), checkpoint.load(tmp_path / "checkpoint.pt")
    assert {*tables.HISTORY.columns} <= set(history.columns)
    assert history["step"].to_list() == list(range(TINY.steps))
    parts = [name for name in history.columns if name.startswith("loss_")]
    learner = make(opened(cohort), settings)
    weights = losses.weights_of(learner, {"loss_person": 0, "loss_variance": 0, "loss_covariance": 0})
    assert set(parts) == set(weights)
    np.testing.assert_allclose(history["loss"], sum(weights[name] * history[name] for name in parts), rtol=1e-5)
    assert history["peak_memory_mb"][-1] > 10
    assert history["recordings_per_s"][-1] > 0
    assert Transformer(**saved["settings"]) == settings
    assert Ingest(**saved["ingest"]) == Ingest()
    assert saved["leads"] == list(Ingest().channels)
    assert saved["readout"]["linear.weight"].shape[1] == TINY.embedding


def test_no_steps_leave_the_initial_weights_and_an_empty_history(ecg_cohort, tmp_path):
    settings, cohort = TINY.model_copy(update={"steps": 0}), ecg_cohort(n=20)
    run(cohort, tmp_path, settings, seed=4)
    saved = checkpoint.load(tmp_path / "checkpoint.pt")["weights"]
    initial = make(opened(cohort), settings, seed=4).encoder.state_dict()
    assert all(torch.equal(saved[name], initial[name]) for name in initial)
    assert pl.read_parquet(tmp_path / "history.parquet").height == 0


def test_the_encoder_cannot_see_other_tokens_and_their_order_does_not_matter(ecg_cohort):
    signals = opened(ecg_cohort(n=12))
    encoder = make(signals).encoder
    tokens = encoder.tokenizer(on_device(signals.read(np.array([1, 2])), torch.device("cpu")))
    seen = tokens.there[0].nonzero()[:, 0]
    kept = seen[torch.randperm(len(seen))[:50]]
    index = kept.expand(2, -1)
    x = encoder(tokens, index)
    hidden = torch.ones(encoder.grid.n, dtype=torch.bool)
    hidden[kept] = False
    n, m = encoder.grid.n_strip, encoder.grid.n_beat
    for part, mask in ((tokens.strip, hidden[:n]), (tokens.beat, hidden[n : n + m]), (tokens.size, None)):
        if mask is not None:
            part[:, mask] += 1
    assert torch.equal(x, encoder(tokens, index))
    again = kept.sort().values.expand(2, -1)
    z = [encoder.embed(encoder(tokens, k), k, tokens.lead) for k in (index, again)]
    torch.testing.assert_close(z[0], z[1], rtol=0, atol=1e-5)
    tokens.strip[:, kept[kept < n]] += 1
    assert not torch.allclose(x, encoder(tokens, index))


def test_where_a_strip_was_cut_does_not_matter(ecg_cohort):
    signals = opened(ecg_cohort(n=12))
    encoder = make(signals).encoder
    tokens = encoder.tokenizer(on_device(signals.read(np.array([1])), torch.device("cpu")))
    early, late = torch.arange(4)[None], torch.arange(6, 10)[None]  # of lead I
    before = encoder(tokens, late)
    tokens.strip[:, late[0]] = tokens.strip[:, early[0]]
    moved = encoder(tokens, late)
    torch.testing.assert_close(encoder(tokens, early), moved, rtol=0, atol=1e-4)
    assert not torch.allclose(before, moved, atol=1e-2)
    swapped = encoder(tokens, early[:, [1, 0, 2, 3]])[:, [1, 0, 2, 3]]
    torch.testing.assert_close(swapped, encoder(tokens, early), rtol=0, atol=1e-5)


def view_of(tokens: Tokens, *group: torch.Tensor) -> View:
    """All recordings of one group, given tokens kept and hidden and the weights of these."""
    rows = np.arange(len(tokens.there))
    return View(tokens, tokens, [Group(rows, *(x.numpy() for x in group))], [1, 0], rows.tolist())


@pytest.mark.parametrize("settings", [TINY, MAE])
def test_the_loss_is_of_the_hidden_tokens_alone(ecg_cohort, settings):
    signals = opened(ecg_cohort(n=12))
    learner = make(signals, settings)
    encoder, objective = learner.encoder, learner.objective
    tokens = encoder.tokenizer(on_device(signals.read(np.arange(1, 4)), torch.device("cpu")))
    seen = tokens.there[0].nonzero()[:, 0]
    kept, hidden = seen[:40].expand(3, -1), seen[40:70].expand(3, -1)
    weight = (torch.arange(30) < 20).float().expand(3, -1)
    x = encoder(tokens, kept)
    args = (encoder, x, kept, hidden, weight, tokens.lead)
    targets = objective.targets(learner.average, view_of(tokens, kept, hidden, weight))
    one = objective.errors(*args, targets, torch.arange(3))
    if settings is MAE:
        for part, offset in ((tokens.strip, 0), (tokens.beat, encoder.grid.n_strip)):
            places = seen[60:] - offset
            part[:, places[(places >= 0) & (places < part.shape[1])]] += 7.0
    else:
        targets[:, 20:] += 7.0
    two = objective.errors(*args, targets, torch.arange(3))
    assert sum(float(n) for _, n in one.values()) == 60
    for name in one:
        torch.testing.assert_close(one[name], two[name])


def test_the_teacher_tells_of_all_leads_and_takes_no_gradient(ecg_cohort):
    signals = opened(ecg_cohort(n=12))
    learner = make(signals)
    tokens = learner.encoder.tokenizer(on_device(signals.read(np.arange(1, 4)), torch.device("cpu")))
    (_, index), = whole(tokens.there)  # fmt: skip
    asked = index[:, [7, 3, 90, 41]]
    latents = learner.objective.targets(learner.average, view_of(tokens, index[:, :2], asked, torch.ones(3, 4)))
    x = torch.nn.functional.layer_norm(learner.average(tokens, index), (TINY.width,))
    torch.testing.assert_close(latents, x[:, [7, 3, 90, 41]], rtol=0, atol=1e-5)
    assert not any(w.requires_grad for w in learner.average.parameters())
    before = [w.clone() for w in learner.average.parameters()]
    for w in learner.encoder.parameters():
        w.data += 1
    learner.follow(0.9)
    for old, new in zip(before, learner.average.parameters(), strict=True):
        torch.testing.assert_close(new, old + 0.1)


def test_effective_rank_of_known_spectra():
    q = torch.linalg.qr(torch.randn(64, 8)).Q
    q = torch.linalg.qr(q - q.mean(0)).Q
    assert schedule.effective_rank(q) == pytest.approx(8, rel=1e-4)
    assert schedule.effective_rank(q[:, :1].expand(-1, 8)) == pytest.approx(1, rel=1e-3)


def test_a_loss_that_is_not_finite_stops_the_run(ecg_cohort, tmp_path, monkeypatch):
    monkeypatch.setitem(losses.decoder.WEIGHTS, "loss_rr", float("nan"))
    with pytest.raises(UserError, match="step 0: the loss is nan; lower learning_rate"):
        run(ecg_cohort(n=20), tmp_path)


def test_collapsed_embeddings_stop_the_run(ecg_cohort, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "RANK_EVERY", 2)
    settings = TINY.model_copy(update={"rank_floor": 7.9})
    with pytest.raises(UserError, match=r"step \d: the embeddings have collapsed, effective rank .* raise covariance"):
        run(ecg_cohort(n=20), tmp_path, settings)


def test_a_batch_that_cannot_be_cut_evenly_is_refused():
    settings = TINY.model_copy(update={"accumulate": 2})
    train.check_batch(settings, processes.Processes(0, 4))
    with pytest.raises(UserError, match="batch 16 is no multiple of accumulate 2 times 3 processes"):
        train.check_batch(settings, processes.Processes(0, 3))


def test_training_goes_on_from_a_trained_model(ecg_cohort, tmp_path):
    cohort = ecg_cohort(n=40)
    run(cohort, tmp_path / "first")
    start = tmp_path / "first" / "checkpoint.pt"
    stay = TINY.model_copy(update={"start": start, "steps": 0})
    run(ecg_cohort(n=30, name="other", seed=3), tmp_path / "second", stay)
    first, second = (checkpoint.load(tmp_path / name / "checkpoint.pt") for name in ("first", "second"))
    assert all(torch.equal(w, second["weights"][name]) for name, w in first["weights"].items())
    assert all(torch.equal(x, second["statistics"][name]) for name, x in first["statistics"].items())
    with pytest.raises(UserError, match=r"checkpoint\.pt: its weights do not fit this recipe"):
        run(cohort, tmp_path / "third", stay.model_copy(update={"width": 32}))


def test_windows_of_long_recordings_are_drawn_from_all(ecg_cohort):
    signals = opened(ecg_cohort(n=12, shards=1))
    long = np.concatenate([signals.strips[0][0]] * 4, 2)
    long[:, :, 1000:] += 1
    table = signals.table.with_columns(bucket=pl.lit(2, pl.Int32))
    of_windows = {2: (np.stack([signals.beats[0]] * 4, 1), np.full((12, 4), 800, np.float32))}
    four = data.Signals(table, [{2: long}], signals.beats, signals.window, [of_windows])
    seen = {
        bool((data.read_windows(four, np.array([3]), [1, k]).strip[0, 0] == long[3, 0, :1000]).all()) for k in range(20)
    }
    assert seen == {True, False}


def test_a_file_that_is_no_checkpoint_is_named(tmp_path):
    (tmp_path / "x.pt").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"x\.pt: not a readable checkpoint"):
        checkpoint.load(tmp_path / "x.pt")


@pytest.mark.parametrize("settings", [TINY, MAE])
@pytest.mark.parametrize("shares", [2, 3, 16])
def test_shares_of_a_batch_give_the_gradients_of_the_whole(ecg_cohort, settings, shares):
    cohort = ecg_cohort(n=40, no_beat=3)
    table = pl.read_parquet(cohort.recordings)
    table.with_columns(person_id=(pl.int_range(pl.len()) // 2).cast(pl.String)).write_parquet(cohort.recordings)
    signals = opened(cohort)
    batch, found = signals.read(np.arange(16)), []
    for n in (1, shares):
        learner = make(signals, settings)
        step = losses.Step(Augmenter(Augment(), learner.encoder.grid, 1, torch.device("cpu")), 1, 0)
        with ThreadPoolExecutor(n) as pool:
            told, z = losses.backward(learner, batch, step, np.arange(16), pool, n, ONE)
        found.append((told, z, {name: w.grad for name, w in learner.named_parameters() if w.requires_grad}))
    (told, z, whole_batch), (other, again, parts) = found
    assert other == pytest.approx(told, rel=1e-4)
    assert told["loss_person"] > 0
    assert z.shape == (16, 8)
    torch.testing.assert_close(z, again, rtol=0, atol=1e-5)
    for name, gradient in whole_batch.items():
        if gradient is not None:
            assert torch.allclose(parts[name], gradient, atol=1e-6 + 1e-4 * gradient.abs().max()), name


def test_two_threads_repeat_themselves(ecg_cohort, tmp_path):
    cohort = ecg_cohort(n=40)
    assert same(run(cohort, tmp_path / "a", threads=2), run(cohort, tmp_path / "b", threads=2))


def test_channels_of_another_montage_are_trained_on_without_beats(ecg_cohort, tmp_path):
    cohort = ecg_cohort(n=40)
    for path in (*cohort.strips, *cohort.beats):
        array = np.load(path)[:, :5]
        np.save(path, np.full_like(array, data.MISSING) if path in cohort.beats else array)
    pl.read_parquet(cohort.recordings).with_columns(unit=pl.lit("uV"), rr_ms=pl.lit(None, pl.Float64)).write_parquet(
        cohort.recordings
    )
    eeg = Ingest(channels=["Fp1", "Fp2", "C3", "C4", "Cz"], derive_limb_leads=False, heart=False, min_leads=1)
    paths = {name: tmp_path / name for name in ("checkpoint", "history", "resume")}
    settings = MAE.model_copy(update={"steps": 60, "learning_rate": 1e-2})
    train.main([cohort.recordings], cohort.strips, cohort.beats, settings, eeg, **paths)
    history = pl.read_parquet(paths["history"])
    assert history["loss_strip"][-10:].mean() < 0.98 * history["loss_strip"][:5].mean()
    assert history["loss_beat"].sum() == 0
    with pytest.raises(UserError, match=r"signals of \[5\] channels, `ingest.channels` names 12"):
        train.main([cohort.recordings], cohort.strips, cohort.beats, MAE, Ingest(), **paths)
