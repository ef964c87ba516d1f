"""Named traits: closed forms, flags against the simulated rhythm, undefined is null."""

import numpy as np
import pytest

from ecgwas.config import LEADS, Ingest
from ecgwas.ecg.amplitudes import frontal, lead_amplitudes, voltages
from ecgwas.ecg.beats import BEFORE_S, MedianBeat
from ecgwas.ecg.delineate import Marks
from ecgwas.ecg.intervals import linear_qtc, without_neighbours
from ecgwas.ecg.rhythm import irregular, normal_intervals, variability
from ecgwas.ingest.process import process
from ecgwas.ingest.shard import table
from ecgwas.signals.recording import Recording
from ecgwas.tables import INTERVALS

SETTINGS = Ingest()


def beat_of(position: np.ndarray, kept: np.ndarray, rate_hz: float = 500.0) -> MedianBeat:
    signal = np.zeros((12, 526), np.float32)
    return MedianBeat(signal, 225.0, rate_hz, int(kept.sum()), np.ones(12), len(position), 0, position, kept)


def test_a_hundred_traits_have_a_unit_in_their_name_or_none_to_have(sinus, as_recording) -> None:
    found = process(as_recording(sinus[1][0]), SETTINGS).intervals
    assert set(found) <= set(INTERVALS.columns)
    numbers = [name for name, value in found.items() if isinstance(value, float) and np.isfinite(value)]
    assert len(numbers) >= 100
    bare = {"rr_variation", "pnn20", "pnn50", "ectopic_share"}
    assert all(name.endswith(("_ms", "_mv", "_deg", "_bpm")) or name in bare for name in numbers)


def test_variability_is_that_of_the_definitions() -> None:
    position = np.cumsum([0, 400, 420, 390, 450]).astype(float)
    normal, differences = normal_intervals(beat_of(position, np.ones(5, bool)))
    assert normal == pytest.approx([800, 840, 780, 900])
    out = variability(normal, normal, differences)
    assert out["rmssd_ms"] == pytest.approx(np.sqrt((40**2 + 60**2 + 120**2) / 3))
    assert out["sdnn_ms"] == pytest.approx(np.std(normal, ddof=1))
    assert (out["pnn50"], out["pnn20"]) == pytest.approx((2 / 3, 1.0))


def test_differences_of_just_20_and_50_ms_are_not_beyond() -> None:
    differences = np.array([50.0, 50.5, -51.0, 20.0, 20.5, -10.0])
    out = variability(np.array([800.0]), np.array([800.0, 850.0]), differences)
    assert (out["pnn50"], out["pnn20"]) == pytest.approx((2 / 6, 4 / 6))


def test_intervals_at_an_ectopic_beat_are_not_normal() -> None:
    position = np.cumsum([0, 400, 250, 550, 400, 400]).astype(float)
    kept = np.array([True, True, False, True, True, True])
    normal, differences = normal_intervals(beat_of(position, kept))
    assert normal == pytest.approx([800, 800, 800])
    assert differences == pytest.approx([0.0])
    assert irregular(normal, differences) is None


def test_corrected_qt_and_voltages() -> None:
    assert linear_qtc(400.0, 1000.0) == (400.0, 400.0)
    assert linear_qtc(400.0, 800.0) == pytest.approx((400 + 154 * 0.2, 400 + 1.75 * 15))
    amplitude = {lead: {"r": 0.1 * k, "s": 0.05 * k} for k, lead in enumerate(LEADS)}
    out = voltages(amplitude, 100.0)
    assert out["sokolov_mv"] == pytest.approx(0.3 + 1.1)
    assert out["cornell_mv"] == pytest.approx(0.4 + 0.4)
    assert out["cornell_product_ms_mv"] == pytest.approx(80.0)
    assert out["peguero_mv"] == pytest.approx(0.55 + 0.45)
    assert frontal(0.0, 1.0)[0] == pytest.approx(90.0)


def test_amplitudes_of_a_drawn_beat() -> None:
    wave = np.zeros((1, 700))
    for centre, width, height in ((130, 15, 0.1), (185, 3, -0.2), (200, 4, 1.0), (215, 3, -0.3), (420, 30, 0.4)):
        wave += height * np.exp(-0.5 * ((np.arange(700) - centre) / width) ** 2)
    wave[:, 226:] += 0.05
    marks = Marks(90.0, 130.0, 170.0, 174.0, 228.0, 420.0, 490.0)
    found = {name: float(value[0]) for name, value in lead_amplitudes(wave, marks).items()}
    assert found["p"] == pytest.approx(0.1, abs=0.01)
    assert found["q"] == pytest.approx(0.2, abs=0.01)
    assert found["r"] == pytest.approx(1.0, abs=0.01)
    assert found["s"] == pytest.approx(0.3, abs=0.01)
    assert found["t"] == pytest.approx(0.45, abs=0.01)
    assert found["j"] == pytest.approx(0.05, abs=0.01)
    assert found["st"] == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize(("rhythm", "flag"), [("af", "af"), ("paced", "paced"), ("lbbb", "lbbb"), ("rbbb", "rbbb")])
def test_flags_are_those_of_the_rhythm(simulated, as_recording, rhythm: str, flag: str) -> None:
    rows = [process(as_recording(x), SETTINGS).intervals for x in simulated(20, 31, rhythm)[1]]
    assert np.mean([bool(row[flag]) for row in rows]) >= 0.9
    for other in {"af", "paced", "lbbb", "rbbb"} - {flag}:
        assert np.mean([bool(row[other]) for row in rows]) <= 0.05, other


def test_sinus_rhythm_has_no_flag_and_a_p_wave(sinus, as_recording) -> None:
    rows = [process(as_recording(x), SETTINGS).intervals for x in sinus[1][:40]]
    assert not any(row[flag] for row in rows for flag in ("af", "paced", "lbbb", "rbbb"))
    assert all(np.isfinite(row["pr_ms"]) for row in rows)


def test_undefined_is_null(sinus, simulated, as_recording) -> None:
    unknown = Recording(LEADS, ("",) * 12, sinus[1][0].astype(np.float32) / 1000, 500.0, 10.0)
    fibrillation = as_recording(simulated(1, 33, "af")[1][0])
    rows = [{"recording_id": "x", "person_id": "p"} | process(r, SETTINGS).intervals for r in (unknown, fibrillation)]
    out = table(rows, INTERVALS)
    assert all(out[0, name] is None for name in INTERVALS.columns if name.endswith("_mv"))
    assert out[0, "qt_ms"] is not None
    assert out[0, "paced"] is None
    for name in ("pr_ms", "p_duration_ms", "p_axis_deg", "p_ii_mv", "pr_segment_ms"):
        assert out[1, name] is None, name
    assert out[1, "af"] is True


def test_a_neighbour_stays_out_of_the_measured_beat() -> None:
    beat = beat_of(np.arange(10) * 200.0, np.ones(10, bool))  # 150 a minute
    cut, peak = without_neighbours(beat)
    reach = 200 - 50
    assert peak == pytest.approx(min(225, reach), abs=1)
    assert cut.shape[1] - peak == pytest.approx(reach, abs=2)
    assert without_neighbours(beat_of(np.arange(6) * 500.0, np.ones(6, bool)))[0].shape[1] == 526


def test_r_peaks_are_aligned_below_one_sample(simulated, as_recording) -> None:
    """Beats shifted by fractions of a sample: the median beat is as high as at four times the rate."""
    _, counts = simulated(6, 34, rate_hz=1000.0)
    for x in counts:
        fine = process(as_recording(x, 1000.0), SETTINGS).intervals["r_frontal_mv"]
        coarse = process(as_recording(x[:, ::4], 250.0), SETTINGS).intervals["r_frontal_mv"]
        assert coarse == pytest.approx(fine, rel=0.03)
    assert round(BEFORE_S * 500) == 225
