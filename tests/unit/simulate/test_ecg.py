"""Simulated recordings: parameters are in the signal, leads obey Einthoven, rhythms and artefacts hold."""

import numpy as np
import pytest
import wfdb

from ecgwas.config import LEADS, Ingest
from ecgwas.ingest.process import process
from ecgwas.signals.recording import Recording
from ecgwas.simulate.ecg import CHUNK, PARAMETERS, recording_parameters, simulate_recordings, twelve_leads
from ecgwas.simulate.ecg_noise import ARTEFACTS, RAIL_UV, background
from ecgwas.simulate.ecg_rhythm import RHYTHMS, draw_beats
from ecgwas.simulate.wfdb_files import write_wfdb

INDEPENDENT = [0, 1, 6, 7, 8, 9, 10, 11]


def draw(n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Independent parameters [n], but for QT, which follows heart rate as in a cohort."""
    z = {name: rng.standard_normal(n) for name in PARAMETERS}
    slope = PARAMETERS["qt_ms"].heart_rate
    z["qt_ms"] = slope * z["heart_rate_bpm"] + np.sqrt(1 - slope**2) * z["qt_ms"]
    return {name: np.clip(p.mean + p.sd * z[name], p.low, p.high) for name, p in PARAMETERS.items()}


def means(n: int) -> dict[str, np.ndarray]:
    return {name: np.full(n, parameter.mean) for name, parameter in PARAMETERS.items()}


def measured(signal: np.ndarray):
    """What ingestion makes of [12, sample] microvolts at 500 Hz."""
    return process(Recording(LEADS, ("uV",) * 12, signal.astype(np.float32), 500.0, 10.0), Ingest())


@pytest.fixture(scope="module")
def cohort():
    """True parameters [400] and what ingestion makes of one recording in sinus rhythm of each person."""
    rng = np.random.default_rng(1)
    parameters = draw(400, rng)
    signals = simulate_recordings(parameters, np.full(400, "sinus"), rng)
    return parameters, [measured(signal) for signal in signals]


@pytest.fixture(scope="module")
def components(cohort):
    """[400, 33] standardised: 32 principal components of the median beats, and the RR interval."""
    beats = np.array([m.beat[INDEPENDENT].ravel() for m in cohort[1]], float)
    left, size, _ = np.linalg.svd(beats - beats.mean(0), full_matrices=False)
    features = np.column_stack([left[:, :32] * size[:32], [m.recording["rr_ms"] for m in cohort[1]]])
    return (features - features.mean(0)) / features.std(0)


def cross_validated_r2(features: np.ndarray, y: np.ndarray, penalty: float = 3.0) -> float:
    """R² of five-fold ridge predictions."""
    fold, prediction = np.arange(len(y)) % 5, np.empty(len(y))
    for k in range(5):
        x, mean = features[fold != k], y[fold != k].mean()
        weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ (y[fold != k] - mean))
        prediction[fold == k] = features[fold == k] @ weights + mean
    return 1 - ((y - prediction) ** 2).sum() / ((y - y.mean()) ** 2).sum()


@pytest.mark.parametrize("name", list(PARAMETERS))
def test_parameters_are_linear_in_median_beats(cohort, components, name):
    assert cross_validated_r2(components, cohort[0][name]) > 0.8


@pytest.mark.parametrize(
    ("name", "interval", "bias", "sd"),
    [
        ("heart_rate_bpm", "heart_rate_bpm", 0.3, 2.0),
        ("qt_ms", "qt_ms", 20.0, 4.0),  # its end lies a fifth beyond the tangent that the simulator defines it by
        ("qrs_ms", "qrs_ms", 8.0, 2.5),
        ("pr_ms", "pr_ms", 8.0, 3.5),
        ("r_amplitude_mv", "r_frontal_mv", 0.02, 0.04),
        ("t_amplitude_mv", "t_frontal_mv", 0.01, 0.015),
    ],
)
def test_parameters_mean_what_is_measured_on_the_signal(cohort, name, interval, bias, sd):
    found = np.array([m.intervals.get(interval, np.nan) for m in cohort[1]], float)
    difference = found - cohort[0][name]
    assert np.isfinite(difference).mean() > 0.97
    assert abs(np.nanmedian(difference)) < bias
    assert np.nanstd(difference) < sd


def test_leads_obey_einthoven_and_goldberger():
    rng = np.random.default_rng(2)
    one, two, three, avr, avl, avf = (
        simulate_recordings(draw(6, rng), np.array(RHYTHMS), rng).swapaxes(0, 1)[:6].astype(int)
    )
    np.testing.assert_array_equal(three, two - one)
    for lead, twice in ((avr, -(one + two)), (avl, 2 * one - two), (avf, 2 * two - one)):
        np.testing.assert_array_equal(lead, twice // 2)


def test_twelve_leads_of_integers_keeps_type_and_chest_leads():
    eight = np.arange(16, dtype=np.int16).reshape(1, 8, 2)
    twelve = twelve_leads(eight)
    assert twelve.shape == (1, 12, 2)
    assert twelve.dtype == np.int16
    np.testing.assert_array_equal(twelve[:, 6:], eight[:, 2:])


def test_a_seed_gives_the_same_recordings_whatever_follows():
    parameters, rhythm = draw(CHUNK + 5, np.random.default_rng(3)), np.full(CHUNK + 5, "sinus")
    whole = simulate_recordings(parameters, rhythm, np.random.default_rng(4))
    first = simulate_recordings(
        {name: values[:CHUNK] for name, values in parameters.items()}, rhythm[:CHUNK], np.random.default_rng(4)
    )
    np.testing.assert_array_equal(whole[:CHUNK], first)
    np.testing.assert_array_equal(whole, simulate_recordings(parameters, rhythm, np.random.default_rng(4)))


def test_other_rates_show_the_same_heart():
    qt = []
    for rate in (250.0, 500.0):
        signals = simulate_recordings(means(8), np.full(8, "sinus"), np.random.default_rng(5), rate)
        assert signals.shape == (8, 12, 10 * rate)
        records = [Recording(LEADS, ("uV",) * 12, signal.astype(np.float32), rate, 10.0) for signal in signals]
        qt.append(np.median([process(record, Ingest()).intervals["qt_ms"] for record in records]))
    assert qt[0] == pytest.approx(qt[1], abs=3)


def test_mean_rate_is_the_parameter_except_in_af():
    heart_rate = np.full(200, 70.0)
    for rhythm, factor, tolerance in (("sinus", 1.0, 0.01), ("af", 1.15, 0.03), ("pvc", 1.0, 0.03)):
        beats = draw_beats(heart_rate, np.full(200, rhythm), np.random.default_rng(6), 10.0)
        assert 60 / np.diff(beats.r_time[:, 3:13], axis=1).mean() == pytest.approx(70 * factor, rel=tolerance)


def test_rhythms_have_what_their_names_say():
    n = 200
    beats = {r: draw_beats(np.full(n, 70.0), np.full(n, r), np.random.default_rng(7), 10.0) for r in RHYTHMS}
    variation = {
        r: (np.diff(b.r_time, axis=1).std(1) / np.diff(b.r_time, axis=1).mean(1)).mean() for r, b in beats.items()
    }
    assert variation["af"] > 0.18
    assert variation["sinus"] < 0.05
    assert variation["paced"] < 1e-9
    assert not beats["af"].height("p").any()
    assert not beats["paced"].height("p").any()
    assert beats["paced"].height("spike").any(1).all()
    assert beats["pvc"].height("v_qrs").any(1).all()
    early = beats["pvc"].premature[:, 1:-1]
    rr = np.diff(beats["pvc"].r_time, axis=1)
    # An early beat and its pause take two normal intervals together.
    np.testing.assert_allclose((rr[:, :-1] + rr[:, 1:])[early], 2 * 60 / 70, rtol=0.2)
    assert not (early[:, 1:] & early[:, :-1]).any()


def test_conduction_disease_widens_qrs():
    width = {}
    for rhythm in ("sinus", "lbbb", "rbbb", "paced"):
        signals = simulate_recordings(means(10), np.full(10, rhythm), np.random.default_rng(8))
        width[rhythm] = np.median([measured(signal).intervals["qrs_ms"] for signal in signals])
    assert all(width[rhythm] > width["sinus"] + 25 for rhythm in ("lbbb", "rbbb", "paced"))
    assert width["lbbb"] > 120


def test_artefacts_are_what_they_are_called():
    n = 20
    make = {
        a: simulate_recordings(means(n), np.full(n, "sinus"), np.random.default_rng(10), artefact=np.full(n, a))
        for a in ARTEFACTS
    }
    clean = make["none"].astype(float)
    assert (np.ptp(clean, axis=-1) > 50).all()
    assert ((np.ptp(make["flat_lead"], axis=-1) == 0).sum(1) >= 1).all()
    assert ((np.abs(make["saturation"]) == RAIL_UV).sum(-1) > 100).any(1).all()
    # The arms exchanged: the same draw of noise, I reversed, II and III exchanged.
    swapped = make["swapped_electrodes"].astype(float)
    np.testing.assert_allclose(swapped[:, 0], -clean[:, 0], atol=1)
    np.testing.assert_allclose(swapped[:, 1], clean[:, 2], atol=2)
    for name in ("wander", "mains", "muscle"):
        noise = [background(np.full(n, kind), np.random.default_rng(11), 500, 5000).std() for kind in ("none", name)]
        assert noise[1] > 1.5 * noise[0], name


def test_second_recordings_differ_a_little_and_in_rate_more():
    person = means(4000)
    again = recording_parameters(person, np.random.default_rng(12))
    spread = {name: (again[name] - person[name]).std() / PARAMETERS[name].sd for name in PARAMETERS}
    assert spread["heart_rate_bpm"] == pytest.approx(0.5, abs=0.03)
    assert spread["pr_ms"] == pytest.approx(0.2, abs=0.02)
    slope = np.polyfit(again["heart_rate_bpm"], again["qt_ms"], 1)[0]
    assert slope == pytest.approx(-0.6 * PARAMETERS["qt_ms"].sd / PARAMETERS["heart_rate_bpm"].sd, rel=0.05)


def test_written_records_are_read_by_wfdb(tmp_path):
    rng = np.random.default_rng(13)
    signals = simulate_recordings(means(3), np.full(3, "sinus"), rng)
    signals[1, 4] = rng.integers(-32767, 32768, signals.shape[-1])
    write_wfdb(tmp_path, ["a", "b", "c"], signals, 500)
    for name, signal in zip("abc", signals, strict=True):
        record = wfdb.rdrecord(str(tmp_path / name), physical=False)
        np.testing.assert_array_equal(record.d_signal, signal.T)
        assert record.sig_name == list(LEADS)
        assert (record.fs, record.units, record.adc_gain) == (500, ["mV"] * 12, [1000.0] * 12)
        assert record.comments == []
        np.testing.assert_array_equal(np.array(record.checksum) % 65536, signal.sum(1, dtype=np.int64) % 65536)
        np.testing.assert_allclose(wfdb.rdrecord(str(tmp_path / name)).p_signal, signal.T / 1000)
    wfdb.wrsamp("w", 500, ["mV"] * 12, list(LEADS), d_signal=signals[0].T.astype(int), fmt=["16"] * 12,
                adc_gain=[1000.0] * 12, baseline=[0] * 12, write_dir=str(tmp_path))  # fmt: skip
    assert (tmp_path / "w.dat").read_bytes() == (tmp_path / "a.dat").read_bytes()
    ours, theirs = (wfdb.rdheader(str(tmp_path / name)) for name in "aw")
    assert ours.init_value == theirs.init_value
    np.testing.assert_array_equal(np.subtract(ours.checksum, theirs.checksum) % 65536, 0)
