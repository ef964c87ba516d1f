"""Windows of long recordings: each has the beat and RR of its own stretch, and a bad one costs no other."""

from collections.abc import Callable

import numpy as np
import pytest

from ecgwas.config import Ingest
from ecgwas.ingest import windows
from ecgwas.ingest.other import process_other
from ecgwas.ingest.process import MISSING, Processed, process
from ecgwas.signals.recording import Recording

SETTINGS = Ingest(doublings=2)


@pytest.fixture
def stored(as_recording: Callable) -> Callable[..., Processed]:
    """A function: pieces [12, sample] of 10 s, microvolts -> what is stored of the recording they make."""
    return lambda *pieces: process(as_recording(np.concatenate(pieces, axis=1)), SETTINGS)


def rms(counts: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(counts.astype(float)))))


def test_each_window_has_the_beat_and_rr_of_who_is_recorded_in_it(sinus, stored) -> None:
    people = sinus[1][[3, 8, 20]]
    alone = [stored(one) for one in people]
    together = stored(*people)
    assert together.recording["bucket"] == 2
    assert together.window_beats.shape == (4, 12, 220)
    for k, one in enumerate(alone):
        distances = [rms(beat - one.beat.astype(float)) for beat in together.window_beats[:3]]
        assert distances[k] < 15, "microvolts: edges of the windows are filtered otherwise, and lose a beat"
        assert min(np.delete(distances, k)) > 4 * distances[k]
        assert together.window_rr_ms[k] == pytest.approx(one.recording["rr_ms"], rel=0.02)
    assert (together.window_beats[3] == MISSING).all()  # 30 s of 40
    assert np.isnan(together.window_rr_ms[3])


def test_a_recording_of_one_window_has_one_beat_and_one_rr(sinus, stored) -> None:
    one = stored(sinus[1][0])
    assert np.array_equal(one.window_beats, one.beat[None])
    assert one.window_rr_ms.tolist() == [np.float32(one.recording["rr_ms"])]


def test_a_window_of_noise_has_no_beat_and_leaves_the_others_alone(sinus, stored) -> None:
    first, last = sinus[1][:2]
    noise = np.random.default_rng(2).normal(0, 8, first.shape)
    clean, broken = stored(first, first, last), stored(first, noise, last)
    assert (broken.window_beats[1] == MISSING).all()
    assert (clean.window_beats[1] != MISSING).any()
    for k in (0, 2):
        assert rms(clean.window_beats[k] - broken.window_beats[k].astype(float)) < 10


def test_a_window_whose_beats_would_exclude_a_recording_has_none() -> None:
    peaks, t = np.arange(400, 9800, 400), np.arange(10000)
    waves = np.exp(-0.5 * ((t - peaks[:, None]) / 8) ** 2).sum(axis=0)  # QRS complexes of 1 mV, at 500 Hz
    signal = waves * np.where(t < 5000, 1.0, 20.0) * np.array([[1.0], [0.7]])
    parts = windows.in_windows(peaks, 5000.0, 2)
    assert [beat is None for beat in windows.window_beats(signal, signal, parts, 500, "mV")] == [False, True]
    assert None not in windows.window_beats(signal, signal, parts, 500, "unknown")  # no limits without a unit


def test_every_peak_lies_in_one_window() -> None:
    rng = np.random.default_rng(1)
    peaks = np.unique(rng.integers(0, 5000, 60))
    peaks = np.union1d(peaks, [0, 999, 1000, 3999, 4000])
    parts = windows.in_windows(peaks, 1000.0, 4)
    assert np.array_equal(np.concatenate(parts), peaks[peaks < 4000])
    assert all(set(part // 1000) == {k} for k, part in enumerate(parts))
    rr = windows.window_rr_ms([np.array([100, 300, 800, 1000]), np.array([5]), np.array([], int)], 500)
    assert rr.dtype == np.float32
    assert rr[0] == 400
    assert np.isnan(rr[1:]).all()


def test_signals_without_heart_beats_have_windows_without_beats() -> None:
    settings = Ingest(heart=False, derive_limb_leads=False, channels=["a", "b"], min_leads=1, doublings=2)
    signal = np.random.default_rng(3).normal(0, 20, (2, 25 * 250)).astype(np.float32)
    result = process_other(Recording(("a", "b"), ("uV", "uV"), signal, 250.0, 25.0), settings)
    assert result.strip.shape == (2, 4000)
    assert result.window_beats.shape == (4, 2, 220)
    assert (result.window_beats == MISSING).all()
    assert np.isnan(result.window_rr_ms).all()
