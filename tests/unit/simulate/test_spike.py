"""Planted changes of real recordings are what they say, leave QRS alone and keep sums of leads sums."""

import numpy as np
import polars as pl
import pytest
from tests import set_a

from ecgwas.config import Ingest, Spike
from ecgwas.ecg.quality import Excluded
from ecgwas.errors import UserError
from ecgwas.ingest.process import process
from ecgwas.ingest.readers import open_source
from ecgwas.signals.recording import Recording
from ecgwas.simulate import spike, spike_signal
from ecgwas.simulate.ecg import PARAMETERS, simulate_recordings

RATE = 500.0


@pytest.fixture(scope="module")
def sinus():
    """[12, sample] mV of one simulated recording in sinus rhythm, and its fiducials."""
    person = {name: np.array([parameter.mean]) for name, parameter in PARAMETERS.items()}
    signal = simulate_recordings(person, np.array(["sinus"]), np.random.default_rng(1))[0] / 1000.0
    return signal, spike_signal.find_fiducials(signal, RATE, Ingest())


def measured(signal):
    leads = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
    recording = Recording(leads, ("mV",) * 12, signal.astype(np.float32), RATE, signal.shape[1] / RATE)
    return process(recording, Ingest()).intervals


def test_no_change_changes_nothing(sinus):
    signal, marks = sinus
    np.testing.assert_array_equal(
        spike_signal.alter(signal, marks, RATE, {"qt": 0.0, "pr": 0.0, "t_amplitude": 1.0}), signal
    )


@pytest.mark.parametrize("qt", [-30.0, 25.0, 50.0])
def test_qt_changes_by_what_was_planted(sinus, qt):
    signal, marks = sinus
    before, after = measured(signal), measured(spike_signal.alter(signal, marks, RATE, {"qt": qt}))
    assert after["qt_ms"] - before["qt_ms"] == pytest.approx(qt, abs=max(3, 0.1 * abs(qt)))
    assert after["qrs_ms"] == pytest.approx(before["qrs_ms"], abs=1.5)
    assert after["pr_ms"] == pytest.approx(before["pr_ms"], abs=3)


@pytest.mark.parametrize("pr", [-20.0, 30.0])
def test_pr_changes_by_what_was_planted(sinus, pr):
    signal, marks = sinus
    before, after = measured(signal), measured(spike_signal.alter(signal, marks, RATE, {"pr": pr}))
    assert after["pr_ms"] - before["pr_ms"] == pytest.approx(pr, abs=4)
    assert after["qt_ms"] == pytest.approx(before["qt_ms"], abs=3)


@pytest.mark.parametrize("factor", [0.6, 1.5])
def test_t_amplitude_is_scaled(sinus, factor):
    signal, marks = sinus
    before, after = measured(signal), measured(spike_signal.alter(signal, marks, RATE, {"t_amplitude": factor}))
    assert after["t_frontal_mv"] / before["t_frontal_mv"] == pytest.approx(factor, rel=0.05)
    assert after["r_frontal_mv"] == pytest.approx(before["r_frontal_mv"], rel=0.01)


def test_qrs_is_untouched_and_sums_of_leads_stay_sums(sinus):
    signal, marks = sinus
    altered = spike_signal.alter(signal, marks, RATE, {"qt": 30.0, "pr": 20.0, "t_amplitude": 1.4})
    for r in marks.r[1:-1]:
        inside = slice(int(np.ceil(r + marks.qrs_onset)) + 1, int(r + marks.qrs_offset) - 1)
        np.testing.assert_allclose(altered[:, inside], signal[:, inside], atol=2e-3)
    residual = signal[2] - (signal[1] - signal[0])
    np.testing.assert_allclose(altered[2] - (altered[1] - altered[0]), residual, atol=2e-3)


def test_the_map_of_time_is_monotone(sinus):
    signal, marks = sinus
    for qt, pr in ((-400.0, -200.0), (400.0, 400.0), (0.0, 900.0)):
        target, source = spike_signal.warp(marks, signal.shape[1], RATE, qt, pr)
        assert (np.diff(target) > 0).all()
        assert (np.diff(source) > 0).all()


def test_effects_make_their_share_of_the_variance():
    rng = np.random.default_rng(1)
    natural = rng.normal(400, 30, 20_000)
    doses = [rng.binomial(2, 0.3, 20_000).astype(float) for _ in range(2)]
    groups = rng.choice(["AFR", "EAS", "EUR"], 20_000)
    planned = spike.plan(natural, doses, [0.1, 0.05], groups, 0.2)
    altered = natural + planned.change
    for dose, share in zip(doses, (0.1, 0.05), strict=True):
        assert np.corrcoef(dose, altered)[0, 1] ** 2 == pytest.approx(share, abs=0.01)
    means = np.array([altered[groups == group].mean() for group in groups])
    assert means.var() / altered.var() == pytest.approx(0.2, abs=0.02)


@pytest.mark.realdata
def test_planted_changes_are_measured_on_real_recordings(realdata, tmp_path):
    reader = open_source(set_a.source(realdata), 60)
    changes, ratios = {"qt": 30.0, "t_amplitude": 1.3}, {"qt": [], "t_amplitude": []}
    for key in reader.entries["key"].to_list()[:60]:
        recording = reader.read(key)
        signal = recording.signal / 1000  # microvolts to mV
        marks = spike_signal.find_fiducials(signal, RATE, Ingest()) if np.ptp(signal, axis=1).all() else None
        if marks is None:
            continue
        try:
            before, after = measured(signal), measured(spike_signal.alter(signal, marks, RATE, changes))
        except Excluded:
            continue
        if "qt_ms" in before and "qt_ms" in after:
            ratios["qt"].append((after["qt_ms"] - before["qt_ms"]) / 30)
            ratios["t_amplitude"].append(np.log(after["t_frontal_mv"] / before["t_frontal_mv"]) / np.log(1.3))
    assert len(ratios["qt"]) > 30
    for name, found in ratios.items():
        assert np.nanmedian(found) == pytest.approx(1, abs=0.12), name


def test_an_unknown_variant_is_named(tmp_path):
    genotyped = spike.Genotyped(["a"], pl.DataFrame({"rsid": ["rs1"], "contig": ["1"]}), [tmp_path / "g.bed"])
    effect = Spike.model_fields["effects"].annotation.__args__[0](parameter="qt", variance_explained=0.1, variant="rs2")
    with pytest.raises(UserError, match="rs2"):
        spike.choose(effect, genotyped, set(), np.array([0]), 1)


def test_people_of_unknown_population_get_no_offset():
    groups = np.array(["AFR", "EUR", spike.UNKNOWN] * 100)
    planned = spike.plan(np.random.default_rng(1).normal(400, 30, 300), [], [], groups, 0.2)
    assert not planned.change[groups == spike.UNKNOWN].any()
    for group, offset in planned.offsets.items():
        np.testing.assert_allclose(planned.change[groups == group], offset)
    assert planned.change.var() == pytest.approx(0.2 * planned.total_variance)


def test_counts_are_copied_exactly_and_keep_einthoven(sinus):
    rng = np.random.default_rng(1)
    raw = rng.integers(-27094, 27094, (12, 500)).astype(np.int16)
    raw[2] = np.int16(raw[1] // 2) - (raw[0] // 2)
    assert np.array_equal(spike.counts(raw.astype(np.float32) * np.float32(0.005), raw * 0.005, 200), raw)
    signal, marks = sinus
    out = spike.counts(spike_signal.alter(signal, marks, RATE, {"qt": 31.0, "t_amplitude": 1.3}), signal, 1000)
    np.testing.assert_array_equal(out[2], out[1] - out[0])
