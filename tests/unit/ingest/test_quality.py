"""Quality: each fault has its reason; a fault of one lead costs that lead, and those made of it."""

import numpy as np
import pytest

from ecgwas.config import LEADS, Ingest
from ecgwas.ecg.quality import Excluded, longest_constant, may_be_constant
from ecgwas.ingest.process import MISSING, process

SETTINGS = Ingest()


def missing_leads(result) -> list[str]:
    """Names of the leads stored as missing."""
    return [lead for lead, strip in zip(LEADS, result.strip, strict=True) if (strip == MISSING).all()]


@pytest.fixture
def counts(sinus) -> np.ndarray:
    """A good recording [12, 5000] that a test may spoil."""
    return sinus[1][2].copy()


def test_a_good_recording_is_whole(counts, as_recording) -> None:
    result = process(as_recording(counts), SETTINGS)
    assert result.recording["n_leads"] == 12
    assert not (result.strip == MISSING).any()
    assert not (result.beat == MISSING).any()


def test_r_peak_is_where_it_should_be(sinus, as_recording) -> None:
    for counts in sinus[1][:20]:
        beat = process(as_recording(counts), SETTINGS).beat.astype(float)
        magnitude = np.square(beat - np.median(beat, axis=1, keepdims=True)).sum(axis=0)
        assert abs(magnitude.argmax() - 80) <= 1


@pytest.mark.parametrize(
    ("flat", "lost"),
    [("V3", ["V3"]), ("I", ["I", "III", "aVR", "aVL", "aVF"]), ("II", ["II", "III", "aVR", "aVL", "aVF"])],
)
def test_a_flat_lead_is_missing_with_those_made_of_it(counts, as_recording, flat: str, lost: list[str]) -> None:
    counts[LEADS.index(flat)] = 0
    result = process(as_recording(counts), Ingest(min_leads=7))
    assert missing_leads(result) == lost
    assert (result.beat[[LEADS.index(lead) for lead in lost]] == MISSING).all()


def spoiled(case: str, counts: np.ndarray) -> np.ndarray:
    """`counts` [12, 5000] with one fault."""
    rng = np.random.default_rng(0)
    if case == "short":
        return counts[:, :1000]
    if case == "flat":
        counts[4:] = 0
    if case == "rail":
        counts[3:, 1000:2000] = 9000
    if case == "huge":
        counts = counts * 20
    if case == "tiny":
        counts = counts * 0.02 + rng.normal(0, 1, counts.shape)
    if case == "noise":
        counts = counts + rng.normal(0, 2000, counts.shape)
    if case == "asystole":
        counts = rng.normal(0, 2, counts.shape)
        for start in (500, 2000, 3500):
            counts[:, start : start + 50] += 1000 * np.hanning(50)
    if case == "unlike":
        swing = np.sin(2 * np.pi * 9 * np.arange(5000) / 500 + 20 * np.sin(np.arange(5000) / 130))
        counts = (rng.normal(0, 500, (12, 1)) * swing) + rng.normal(0, 250, counts.shape).cumsum(axis=1) * 0.3
    return counts


@pytest.mark.parametrize(
    ("case", "reason", "detail"),
    [
        ("short", "too_short", "2 s < 2.5 s"),
        ("flat", "flat_lead", "4 usable leads < 8"),
        ("rail", "saturation", "constant for 2.0 s > 1.0 s"),
        ("huge", "implausible_amplitude", "mV"),
        ("tiny", "implausible_amplitude", "largest QRS"),
        ("noise", "noise", "high-frequency SD"),
        ("asystole", "no_qrs", "per s"),
        ("unlike", "few_beats", "share a morphology"),
    ],
)
def test_every_reason(counts, as_recording, case: str, reason: str, detail: str) -> None:
    with pytest.raises(Excluded, match=detail) as caught:
        process(as_recording(spoiled(case, counts)), SETTINGS)
    assert caught.value.reason == reason


def test_a_short_gap_is_bridged_and_a_long_one_costs_the_lead(counts, as_recording) -> None:
    values = counts.astype(np.float32)
    values[7, 1000:1050] = np.nan
    values[8, 1000:1500] = np.nan
    assert missing_leads(process(as_recording(values), SETTINGS)) == ["V3"]


def test_beyond_the_end_is_missing(counts, as_recording) -> None:
    strip = process(as_recording(counts[:, :4000]), SETTINGS).strip
    assert (strip[:, 800:] == MISSING).all()
    assert not (strip[:, :800] == MISSING).any()


def test_longest_constant() -> None:
    assert longest_constant(np.array([1, 2, 2, 2, 3, 3])) == (3, 1)
    assert longest_constant(np.array([5, 5])) == (2, 0)


def test_no_constant_stretch_is_overlooked() -> None:
    rng = np.random.default_rng(0)
    for start in range(0, 600, 7):
        signal = rng.normal(size=(1, 1200))
        signal[0, start : start + 501] = 1.0
        assert may_be_constant(signal, 500)[0], start
    assert not may_be_constant(rng.normal(size=(3, 1200)), 500).any()
