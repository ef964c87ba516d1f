"""Laws of the baseline: the components of a singular value decomposition, in its order, with its variances."""

import numpy as np
import pytest

from ecgwas.config import Ingest, Pca
from ecgwas.encoder.beat_features import features
from ecgwas.encoder.statistics import statistics
from ecgwas.errors import UserError
from ecgwas.pretrain import pca
from ecgwas.signals import data


def test_components_are_those_of_the_singular_value_decomposition(ecg_cohort):
    cohort = ecg_cohort(n=60, no_beat=5)
    signals = data.open_signals([cohort.recordings], cohort.strips, cohort.beats)
    found = statistics(signals, seed=1)
    fitted = pca.fit(signals, found, 6)
    x = features(signals.read(np.arange(5, 60)), found)
    x = x - x.mean(0)
    _, s, v = np.linalg.svd(x, full_matrices=False)
    np.testing.assert_allclose(fitted["variances"], s[:6] ** 2 / len(x), rtol=1e-8)
    np.testing.assert_allclose(np.abs(fitted["directions"] @ v[:6].T), np.eye(6), atol=1e-6)


def test_rr_weighs_as_much_as_one_lead_and_missing_values_are_the_mean(ecg_cohort):
    cohort = ecg_cohort(n=200)
    signals = data.open_signals([cohort.recordings], cohort.strips, cohort.beats)
    x = features(signals.read(np.arange(200)), statistics(signals, seed=1))
    samples = (x.shape[1] - 1) // 8
    assert 0.5 < x[:, -1].var() / x[:, :samples].var(0).sum() < 2
    assert (x[::10, 3 * samples : 4 * samples] == 0).all()  # V2 of every tenth


def test_a_rerun_gives_the_same_bytes(ecg_cohort, tmp_path):
    cohort = ecg_cohort(n=50)
    for name in ("a.pt", "b.pt"):
        pca.main([cohort.recordings], cohort.strips, cohort.beats, Pca(components=4), Ingest(), tmp_path / name)
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


def test_too_few_recordings_are_named(ecg_cohort, tmp_path):
    cohort = ecg_cohort(n=20, no_beat=10)
    with pytest.raises(UserError, match="10 recordings with a median beat for 32 components"):
        pca.main([cohort.recordings], cohort.strips, cohort.beats, Pca(), Ingest(), tmp_path / "x.pt")
