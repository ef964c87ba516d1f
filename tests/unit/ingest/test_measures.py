"""Measures of quality: each artefact raises its own; copies are told by their samples; the dropped are measured."""

import numpy as np
import pytest

from ecgwas.config import LEADS, Ingest
from ecgwas.ecg.measures import sample_hash
from ecgwas.ecg.quality import Excluded
from ecgwas.ecg.score import quality_score
from ecgwas.ingest.process import process
from ecgwas.signals.recording import Recording
from ecgwas.simulate.ecg import PARAMETERS, simulate_recordings

SETTINGS = Ingest()


def judged(counts: np.ndarray, settings: Ingest = SETTINGS) -> dict:
    """Measures of [12, sample] microvolts, kept or not."""
    try:
        recording = Recording(LEADS, ("uV",) * 12, counts.astype(np.float32), 500.0, counts.shape[1] / 500)
        return process(recording, settings).quality
    except Excluded as fault:
        return fault.measures


def with_artefact(artefact: str, n: int = 12) -> list[dict]:
    """Measures of simulated recordings, all with one artefact."""
    rng = np.random.default_rng(5)
    people = {name: np.clip(rng.normal(p.mean, p.sd, n), p.low, p.high) for name, p in PARAMETERS.items()}
    signals = simulate_recordings(people, np.full(n, "sinus"), rng, artefact=np.full(n, artefact))
    return [judged(signal) for signal in signals]


@pytest.fixture(scope="module")
def clean() -> list[dict]:
    """Measures of recordings without an artefact."""
    return with_artefact("none")


@pytest.mark.parametrize(
    ("artefact", "measure", "times"),
    [("wander", "wander_mv", 3), ("mains", "mains_mv", 8), ("muscle", "noise_mv", 3)],
)
def test_an_artefact_raises_its_measure_and_lowers_the_score(clean, artefact: str, measure: str, times: float) -> None:
    spoiled = with_artefact(artefact)
    assert np.median([row[measure] for row in spoiled]) > times * np.median([row[measure] for row in clean])
    assert np.median([row["score"] for row in spoiled]) < np.median([row["score"] for row in clean])


def test_saturated_leads_are_counted() -> None:
    spoiled = with_artefact("saturation")
    assert np.mean([row["saturated_leads"] > 0 for row in spoiled]) > 0.7
    assert all("saturation" in row["warnings"] for row in spoiled if row["saturated_leads"])


def test_flat_leads_are_counted_in_recordings_that_are_dropped_too(sinus) -> None:
    counts = sinus[1][0].copy()
    counts[6:] = 0
    row = judged(counts)
    assert row["flat_leads"] == 6
    assert "flat_lead" in row["warnings"]
    assert row["score"] < 0.5 < judged(sinus[1][0])["score"]
    assert row["mains_mv"] < 1  # measured on the other leads


def test_reversed_arms_are_noticed_and_right_ones_are_not(clean) -> None:
    assert all("limb_reversal" in row["warnings"] for row in with_artefact("swapped_electrodes"))
    assert not any("limb_reversal" in row["warnings"] for row in clean)


def test_a_unit_error_is_noticed(clean, sinus) -> None:
    fifth = [judged(counts / 5) for counts in sinus[1][:12]]
    assert np.median([row["qrs_mv"] for row in fifth]) < 0.5
    assert sum("small_amplitude" in row["warnings"] for row in fifth) >= 6
    assert not any("small_amplitude" in row["warnings"] for row in clean)


def test_what_could_not_be_measured_counts_as_bad() -> None:
    assert quality_score({}) < 0.05


def test_the_hash_is_of_samples_shape_and_rate() -> None:
    signal = np.arange(24, dtype=np.float32).reshape(2, 12)
    one = sample_hash(signal, 500.0, 10.0)
    assert one == sample_hash(signal.copy(), 500.0, 10.0)
    changed = [(signal + 1e-3, 500.0, 10.0), (signal.reshape(3, 8), 500.0, 10.0), (signal, 250.0, 10.0)]
    assert len({one, sample_hash(signal, 500.0, 20.0), *(sample_hash(*other) for other in changed)}) == 5
