"""Measurements: they recover the truth of simulated recordings and ignore what must not matter."""

import numpy as np
import pytest

from ecgwas.config import LEADS, Ingest
from ecgwas.ecg.amplitudes import frontal
from ecgwas.ecg.delineate import tangents
from ecgwas.ecg.intervals import corrected_qt
from ecgwas.ingest.process import process
from ecgwas.signals.recording import Recording

SETTINGS = Ingest()


@pytest.fixture(scope="module")
def measured(sinus, as_recording) -> dict[str, np.ndarray]:
    """Measurements [150] of the sinus recordings."""
    rows = [process(as_recording(counts), SETTINGS).intervals for counts in sinus[1]]
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in rows[0]}


@pytest.mark.parametrize(
    ("name", "parameter", "least"),
    [
        ("heart_rate_bpm", "heart_rate_bpm", 0.99),
        ("pr_ms", "pr_ms", 0.95),
        ("qrs_ms", "qrs_ms", 0.95),
        ("qt_ms", "qt_ms", 0.9),
        ("qrs_axis_deg", "qrs_axis_deg", 0.95),
        ("t_axis_deg", "t_axis_deg", 0.95),
        ("p_frontal_mv", "p_amplitude_mv", 0.9),
        ("r_frontal_mv", "r_amplitude_mv", 0.95),
        ("t_frontal_mv", "t_amplitude_mv", 0.95),
    ],
)
def test_truth_is_recovered(sinus, measured, name: str, parameter: str, least: float) -> None:
    value, truth = measured[name], sinus[0][parameter]
    present = np.isfinite(value)
    assert present.mean() > 0.97
    assert np.corrcoef(value[present], truth[present])[0, 1] ** 2 > least


def test_intervals_are_near_the_truth_in_size(sinus, measured) -> None:
    for name, largest_bias in {"pr_ms": 10, "qrs_ms": 8, "qt_ms": 20, "heart_rate_bpm": 0.5}.items():
        assert abs(np.nanmedian(measured[name] - sinus[0][name])) < largest_bias, name


def test_rates_give_the_same_intervals(simulated, as_recording) -> None:
    _, counts = simulated(12, 5, rate_hz=1000.0)
    native = [process(as_recording(x, 1000.0), SETTINGS).intervals for x in counts]
    for step in (2, 4):
        lower = [process(as_recording(x[:, ::step], 1000.0 / step), SETTINGS).intervals for x in counts]
        for name in ("heart_rate_bpm", "pr_ms", "qrs_ms", "qt_ms", "qrs_axis_deg"):
            change = [abs(a[name] - b[name]) for a, b in zip(native, lower, strict=True)]
            assert np.median(change) < 2.5, (name, step, change)


def test_scale_changes_amplitudes_alone(sinus, as_recording) -> None:
    for counts in sinus[1][:10]:
        once, half = (process(as_recording(x), SETTINGS).intervals for x in (counts, counts * 0.5))
        for name, value in once.items():
            if name[:2] in ("q_", "s_"):  # of a QRS without an R of 0.05 mV there is no Q
                continue
            expected = value * 0.5 if name.endswith("_mv") else value
            assert half[name] == pytest.approx(expected, rel=1e-3, abs=1e-2, nan_ok=True), name


def test_lead_order_does_not_matter(sinus) -> None:
    order = np.random.default_rng(0).permutation(12)
    counts = sinus[1][3].astype(np.float32)
    one = Recording(LEADS, ("uV",) * 12, counts, 500.0, 10.0)
    other = Recording(tuple(LEADS[k] for k in order), ("uV",) * 12, counts[order], 500.0, 10.0)
    a, b = process(one, SETTINGS), process(other, SETTINGS)
    assert np.array_equal(a.strip, b.strip)
    assert np.array_equal(a.beat, b.beat)
    assert a.intervals == b.intervals


def test_a_shift_in_time_does_not_matter(simulated, as_recording) -> None:
    _, counts = simulated(10, 6)
    early = [process(as_recording(x[:, :4750]), SETTINGS).intervals for x in counts]
    late = [process(as_recording(x[:, 250:]), SETTINGS).intervals for x in counts]
    for name, limit in {"pr_ms": 4.0, "qrs_ms": 3.0, "qt_ms": 4.0}.items():
        assert np.median([abs(a[name] - b[name]) for a, b in zip(early, late, strict=True)]) < limit, name


def test_atrial_fibrillation_has_no_p_wave(simulated, as_recording) -> None:
    _, counts = simulated(25, 7, "af")
    rows = [process(as_recording(x), SETTINGS).intervals for x in counts]
    assert np.mean([np.isnan(row["pr_ms"]) for row in rows]) > 0.9
    assert all(np.isfinite(row["qrs_ms"]) for row in rows)


def test_extrasystoles_stay_out_of_the_median_beat(simulated, as_recording) -> None:
    parameters, counts = simulated(25, 8, "pvc")
    qrs = np.array([process(as_recording(x), SETTINGS).intervals["qrs_ms"] for x in counts])
    assert np.median(np.abs(qrs - parameters["qrs_ms"])) < 8


def test_formulas() -> None:
    assert corrected_qt(400.0, 1000.0) == (400.0, 400.0)
    assert corrected_qt(400.0, 640.0) == pytest.approx((500.0, 400.0 / 0.64 ** (1 / 3)))
    assert frontal(1.0, 0.0) == (0.0, 1.0)
    assert frontal(0.5, 0.75) == pytest.approx((60.0, 1.0))  # a unit vector along lead II


def test_tangent_of_a_gaussian_ends_two_sigma_from_its_peak() -> None:
    time = np.arange(400.0)
    wave = np.exp(-0.5 * ((time - 150) / 30) ** 2)
    both = np.stack([wave, 3 * wave])
    assert tangents(both, 150, 390, np.zeros(2)) == pytest.approx([210, 210], abs=1)
    assert tangents(both, 150, 10, np.zeros(2)) == pytest.approx([90, 90], abs=1)
