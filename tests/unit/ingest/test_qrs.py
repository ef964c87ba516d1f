"""QRS complexes: every beat of arrhythmias in noise is found, and nothing else."""

import numpy as np
import pytest

from ecgwas.config import LEADS, Ingest
from ecgwas.ecg.canonical import INDEPENDENT
from ecgwas.ecg.filters import Spectrum
from ecgwas.ecg.qrs import detect
from ecgwas.ingest.process import process
from ecgwas.signals.recording import Recording
from ecgwas.simulate.ecg import PARAMETERS, simulate_recordings, twelve_leads
from ecgwas.simulate.ecg_rhythm import draw_beats

N, SEED = 30, 21


def drawn(rhythm: str, noise_db: float | None) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Recordings [n, 12, sample] microvolts, beat times in s of each, and which beats are early."""
    rng = np.random.default_rng(SEED)
    people = {name: np.clip(rng.normal(p.mean, p.sd, N), p.low, p.high) for name, p in PARAMETERS.items()}
    rhythms = np.full(N, rhythm)
    signals = simulate_recordings(people, rhythms, np.random.default_rng(SEED)).astype(float)
    beats = draw_beats(people["heart_rate_bpm"], rhythms, np.random.default_rng(SEED), 10.0)
    if noise_db is not None:
        eight = signals[:, list(INDEPENDENT)]
        noise = rng.standard_normal(eight.shape) * eight.std(axis=2, keepdims=True) * 10 ** (-noise_db / 20)
        signals = twelve_leads(np.rint(eight + noise).astype(np.int16)).astype(float)
    return signals, [t[(t > 0) & (t < 10)] for t in beats.r_time], beats.premature


@pytest.mark.parametrize("rhythm", ["sinus", "af", "pvc", "paced", "lbbb"])
@pytest.mark.parametrize("noise_db", [None, 6])
def test_beats_are_found_and_nothing_else(rhythm: str, noise_db: float | None) -> None:
    signals, truth, _ = drawn(rhythm, noise_db)
    missed = false = total = 0
    for signal, times in zip(signals, truth, strict=True):
        spectrum = Spectrum((signal / 1000).astype(np.float32), 500.0).without_mains()
        found = detect(spectrum, list(range(12)), list(INDEPENDENT)) / 500
        total += len(times)
        missed += sum(np.abs(found - t).min() > 0.15 for t in times if 0.15 < t < 9.85)
        false += sum(np.abs(times - t).min() > 0.15 for t in found if 0.15 < t < 9.85)
    assert missed <= 0.01 * total
    assert false <= 0.01 * total


def test_the_share_of_extrasystoles_is_that_of_the_simulation() -> None:
    signals, truth, _ = drawn("pvc", None)
    share, expected = [], []
    for signal, times in zip(signals, truth, strict=True):
        recording = Recording(LEADS, ("uV",) * 12, signal.astype(np.float32), 500.0, 10.0)
        share.append(process(recording, Ingest()).intervals["ectopic_share"])
        rr = np.diff(times)
        expected.append((rr < 0.75 * np.median(rr)).mean())
    assert np.mean(share) == pytest.approx(np.mean(expected), abs=0.05)
    assert np.mean(np.array(share) > 0) > 0.9
