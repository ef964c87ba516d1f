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

from ecgwas.config import Ingest, Transformer
from ecgwas.errors import UserError
from ecgwas.pretrain import checkpoint, data, losses, train
from ecgwas.pretrain.model import Model

TINY = Transformer(width=16, depth=1, heads=2, embedding=8, steps=9, batch=16, checkpoint_every=2)


def run(cohort, folder: Path, settings: Transformer = TINY, **options) -> tuple[bytes, bytes]:
    """Train into `folder`; bytes of checkpoint and history."""
    paths = {"checkpoint": folder / "checkpoint.pt", "history": folder / "history.parquet", "resume": folder / "resume"}
    train.main([cohort.recordings], cohort.strips, cohort.beats, settings, Ingest(), **paths, **options)
    return paths["checkpoint"].read_bytes(), paths["history"].read_bytes()


def make(settings: Transformer = TINY, seed: int = 1) -> Model:
    grid = train.make_grid(settings, Ingest())
    ones = {"strip_scale": (8, 1), "beat_scale": (8, grid.beat_samples), "energy_scale": (8, 11), "rr_scale": ()}
    zeros = {"beat_mean": (8, grid.beat_samples), "energy_mean": (8, 11), "rr_mean": ()}
    statistics = {k: torch.ones(v) for k, v in ones.items()} | {k: torch.zeros(v) for k, v in zeros.items()}
    return train.make_model(settings, Ingest(), statistics, seed)


def test_a_rerun_gives_the_same_bytes_and_another_seed_does_not(ecg_cohort, tmp_path):
    cohort = ecg_cohort(n=40, no_beat=3)
    first, again, other = (run(cohort, tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert first == again
    assert first[0] != other[0]
    assert not (tmp_path / "a" / "resume").exists()


@pytest.mark.parametrize("steps", [1, 4, 8])
def test_a_run_broken_off_ends_in_the_same_bytes(ecg_cohort, tmp_path, steps):
    cohort = ecg_cohort(n=40)
    whole = run(cohort, tmp_path / "whole")
    with pytest.raises(InterruptedError):
        run(cohort, tmp_path / "broken", stop_after=steps)
    assert not (tmp_path / "broken" / "checkpoint.pt").exists()
    assert (tmp_path / "broken" / "resume" / "state.pt").exists() == (steps > 1)
    assert run(cohort, tmp_path / "broken") == whole


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
    assert run(cohort, folder, settings) == whole


def test_a_state_of_other_settings_or_data_or_a_torn_one_is_not_used(ecg_cohort, tmp_path):
    cohort = ecg_cohort(n=40)
    other = TINY.model_copy(update={"learning_rate": 2e-3})
    with pytest.raises(InterruptedError):
        run(cohort, tmp_path / "a", other, stop_after=5)
    assert run(cohort, tmp_path / "a") == run(cohort, tmp_path / "b")
    (tmp_path / "c" / "resume").mkdir(parents=True)
    (tmp_path / "c" / "resume" / "state.pt").write_bytes(b"torn")
    assert run(cohort, tmp_path / "c") == run(cohort, tmp_path / "b")


def test_history_and_checkpoint_hold_what_readers_need(ecg_cohort, tmp_path):
    run(ecg_cohort(n=40), tmp_path)
    history, saved = pl.read_parquet(tmp_path / "history.parquet"), checkpoint.load(tmp_path / "checkpoint.pt")
    assert history.columns == list(train.HISTORY)
    assert history["step"].to_list() == list(range(TINY.steps))
    total = sum(weight * history[name] for name, weight in losses.WEIGHTS.items())
    np.testing.assert_allclose(history["loss"], total, rtol=1e-5)
    assert Transformer(**saved["settings"]) == TINY
    assert Ingest(**saved["ingest"]) == Ingest()
    assert saved["leads"] == list(data.MODEL_LEADS)


def test_no_steps_leave_the_initial_weights_and_an_empty_history(ecg_cohort, tmp_path):
    settings = TINY.model_copy(update={"steps": 0})
    run(ecg_cohort(n=20), tmp_path, settings, seed=4)
    saved, initial = checkpoint.load(tmp_path / "checkpoint.pt")["weights"], make(settings, seed=4).state_dict()
    assert all(torch.equal(saved[name], initial[name]) for name in initial)
    assert pl.read_parquet(tmp_path / "history.parquet").height == 0


def test_the_encoder_cannot_see_hidden_tokens():
    model, rng = make(), np.random.default_rng([0])
    n, total = model.grid.n_strip, model.grid.n_strip + model.grid.n_beat
    strip = torch.from_numpy(rng.standard_normal((3, n, model.grid.strip_patch)).astype(np.float32))
    beat = torch.from_numpy(rng.standard_normal((3, total - n, model.grid.beat_patch)).astype(np.float32))
    kept = torch.arange(n).expand(3, -1)  # the strip alone
    x = model.encode(strip, beat, kept)
    other = model.encode(strip, torch.randn_like(beat), kept)
    assert torch.equal(x, other)
    assert torch.equal(model.embed(x, kept), model.embed(other, kept))
    assert not torch.equal(x, model.encode(strip + 1, beat, kept))


def test_the_order_of_kept_tokens_does_not_matter():
    model = make()
    strip = torch.randn(2, model.grid.n_strip, model.grid.strip_patch)
    beat = torch.randn(2, model.grid.n_beat, model.grid.beat_patch)
    kept = torch.randperm(model.grid.n_strip + model.grid.n_beat)[:50]
    z = [model.embed(model.encode(strip, beat, k.expand(2, -1)), k.expand(2, -1)) for k in (kept, kept.sort().values)]
    torch.testing.assert_close(z[0], z[1], rtol=0, atol=1e-5)


def test_the_loss_is_of_the_hidden_and_recorded_alone():
    model = make()
    strip, beat = (torch.randn(2, n, p) for n, p in ((model.grid.n_strip, 100), (model.grid.n_beat, 20)))
    hidden = torch.arange(model.grid.n_strip + model.grid.n_beat)[-30:].expand(2, -1)
    weight = (torch.arange(30) < 20).float().expand(2, -1)
    x = torch.randn(2, 5, TINY.width)
    parts = losses.hidden_errors(model, x, strip, beat, hidden, weight)
    beat_nan = beat.clone()
    beat_nan[:, -10:] = torch.nan
    again = losses.hidden_errors(model, x, strip, beat_nan, hidden, weight)
    assert parts["loss_strip"][1] == 0
    assert parts["loss_beat"] == again["loss_beat"]
    expected = (model.predict(x, hidden)[1][:, :20] - beat[:, -30:-10]).square().mean(2).sum()
    torch.testing.assert_close(parts["loss_beat"][0], expected)


def test_effective_rank_of_known_spectra():
    q = torch.linalg.qr(torch.randn(64, 8) - 0).Q
    q = torch.linalg.qr(q - q.mean(0)).Q
    assert train.effective_rank(q) == pytest.approx(8, rel=1e-4)
    assert train.effective_rank(q[:, :1].expand(-1, 8)) == pytest.approx(1, rel=1e-3)


def test_a_loss_that_is_not_finite_stops_the_run(ecg_cohort, tmp_path, monkeypatch):
    monkeypatch.setitem(losses.WEIGHTS, "loss_rr", float("nan"))
    with pytest.raises(UserError, match="step 0: the loss is nan; lower learning_rate"):
        run(ecg_cohort(n=20), tmp_path)


def test_a_file_that_is_no_checkpoint_is_named(tmp_path):
    (tmp_path / "x.pt").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"x\.pt: not a readable checkpoint"):
        checkpoint.load(tmp_path / "x.pt")


@pytest.mark.parametrize("shares", [2, 3, 16])
def test_shares_of_a_batch_give_the_gradients_of_the_whole(ecg_cohort, shares):
    cohort = ecg_cohort(n=40, no_beat=3)
    signals = data.open_signals([cohort.recordings], cohort.strips, cohort.beats)
    batch = signals.read(data.rows_of_step(len(signals), 16, 0, 1))
    found = []
    for n in (1, shares):
        model = make()
        with ThreadPoolExecutor(n) as pool:
            told, z = losses.backward(model, losses.prepare(model, batch, TINY, 1, 0), n, pool)
        found.append((told, z, {name: w.grad for name, w in model.named_parameters()}))
    (told, z, whole), (other, _, parts) = found
    assert other == pytest.approx(told, rel=1e-5)
    assert z.shape == (16, 8)
    for name, gradient in whole.items():
        assert torch.allclose(parts[name], gradient, atol=1e-6 + 1e-4 * gradient.abs().max()), name


def test_two_threads_repeat_themselves(ecg_cohort, tmp_path):
    cohort = ecg_cohort(n=40)
    assert run(cohort, tmp_path / "a", threads=2) == run(cohort, tmp_path / "b", threads=2)
