"""Segments: where the simulator put the waves, in both views; what is not there has a reason."""

import numpy as np
import pytest
from benchmarks import explanations as bench

from ecgwas.interpret.predictors.segments import NONE, SEGMENTS, Limits, Unexplained, labelled, layout, reasons
from ecgwas.simulate.ecg import PARAMETERS, simulate_recordings

LIMITS = Limits(-0.2, -0.1, -0.05, 0.05, 0.15, 0.4)


def test_segments_follow_each_other_in_every_beat():
    time = np.arange(300) / 100
    labels, phase = labelled(time, np.array([0.5, 1.4, 2.3]), 0.9, LIMITS)
    assert (labels != NONE).all()
    steps = labels[1:][np.diff(labels) != 0].astype(int), labels[:-1][np.diff(labels) != 0]
    assert set((steps[0] - steps[1]) % 6) == {1}
    np.testing.assert_allclose(phase[50], 0, atol=1e-9)
    for name, low, high in (("P", -0.2, -0.1), ("QRS", -0.05, 0.05), ("T", 0.15, 0.4)):
        found = phase[labels == SEGMENTS.index(name)]
        assert low - 1e-9 <= found.min()
        assert found.max() < high + 1e-9


def test_without_a_p_wave_tp_runs_to_qrs():
    limits = LIMITS._replace(p_onset=np.nan, p_offset=np.nan)
    labels, _ = labelled(np.arange(300) / 100, np.array([0.5, 1.4, 2.3]), 0.9, limits)
    assert set(labels) == {SEGMENTS.index(name) for name in ("QRS", "ST", "T", "TP")}
    assert reasons(limits) == {"P": "no_p_wave", "PR": "no_p_wave"}
    assert set(reasons(LIMITS._replace(t_end=np.nan))) == {"ST", "T", "TP"}


def test_limits_are_where_the_simulator_put_them():
    p = {name: np.full(1, one.mean) for name, one in PARAMETERS.items()}
    counts = simulate_recordings(p, np.array(["sinus"]), np.random.default_rng(3))
    strip, beat = bench.stored(counts)
    found = layout(strip[0], beat[0], bench.INGEST)
    at = np.arange(beat.shape[2]) / bench.INGEST.beat_rate_hz - bench.INGEST.beat_before_s
    qrs = at[found.beat == SEGMENTS.index("QRS")]
    np.testing.assert_allclose([qrs[0], qrs[-1]], [-0.046, 0.046], atol=0.016)
    p_wave = at[found.beat == SEGMENTS.index("P")]
    np.testing.assert_allclose([p_wave[0], p_wave[-1]], [-0.206, -0.096], atol=0.02)
    t_wave = at[found.beat == SEGMENTS.index("T")]
    np.testing.assert_allclose(t_wave[-1], 0.354 + 0.02, atol=0.03)  # the foot is beyond the tangent
    beats = np.diff(np.flatnonzero(np.diff((found.strip == SEGMENTS.index("QRS")).astype(int)) == 1))
    np.testing.assert_allclose(beats.mean() / 100, 60 / 68, atol=0.05)


def test_no_beat_or_rhythm_is_a_reason():
    strip, beat = np.zeros((12, 1000), np.float32), np.full((12, 220), np.nan, np.float32)
    with pytest.raises(Unexplained, match="no_median_beat"):
        layout(strip, beat, bench.INGEST)
    with pytest.raises(Unexplained, match="no_rhythm"):
        layout(strip, np.zeros((12, 220), np.float32), bench.INGEST)
