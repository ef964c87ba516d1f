"""Laws of batches: shards join in order, every epoch holds every recording once, statistics resist outliers."""

import numpy as np
import polars as pl
import pytest

from ecgwas.errors import UserError
from ecgwas.pretrain import data


def test_rows_come_from_the_shard_and_row_the_table_names(ecg_cohort):
    a, b = ecg_cohort(n=11, name="a", shards=2), ecg_cohort(n=7, name="b", shards=3, seed=1)
    signals = data.open_signals([a.recordings, b.recordings], [*b.strips[::-1], *a.strips], [*a.beats, *b.beats])
    batch = signals.read(np.array([0, 10, 17]))
    for i, (cohort, shard) in enumerate([(a, 0), (a, 1), (b, 2)]):
        row = 0 if i == 0 else -1
        assert np.array_equal(batch.strip[i], np.load(cohort.strips[shard])[row, data.COLUMNS])
        assert np.array_equal(batch.beat[i], np.load(cohort.beats[shard])[row, data.COLUMNS])


@pytest.mark.parametrize(("n", "batch"), [(10, 4), (10, 10), (3, 8), (64, 1)])
def test_every_epoch_holds_every_recording_once(n, batch):
    steps = [data.rows_of_step(n, batch, step, seed=5) for step in range(4 * n)]
    rows = np.concatenate(steps)
    for epoch in range(4 * batch):
        assert sorted(rows[epoch * n : (epoch + 1) * n]) == list(range(n))
    assert np.array_equal(steps[3], data.rows_of_step(n, batch, 3, seed=5))


def test_statistics_ignore_missing_leads_and_a_few_wild_recordings(ecg_cohort):
    cohort = ecg_cohort(n=100, shards=1)
    clean = data.statistics(data.open_signals([cohort.recordings], cohort.strips, cohort.beats), seed=1)
    beat = np.load(cohort.beats[0])
    beat[3:6] = 30000
    np.save(cohort.beats[0], beat)
    wild = data.statistics(data.open_signals([cohort.recordings], cohort.strips, cohort.beats), seed=1)
    assert all(np.isfinite(x).all() for x in wild.values())
    assert np.abs(wild["beat_mean"] - clean["beat_mean"]).max() < 0.3 * clean["beat_scale"].max()
    assert 0.5 < (wild["beat_scale"] / clean["beat_scale"]).min() < (wild["beat_scale"] / clean["beat_scale"]).max() < 2


def test_statistics_of_recordings_without_any_beat_or_rhythm_are_finite(ecg_cohort):
    cohort = ecg_cohort(n=12, no_beat=12)
    pl.read_parquet(cohort.recordings).with_columns(rr_ms=pl.lit(None, pl.Float64)).write_parquet(cohort.recordings)
    values = data.statistics(data.open_signals([cohort.recordings], cohort.strips, cohort.beats), seed=1)
    assert all(np.isfinite(x).all() for x in values.values())


def test_a_missing_shard_and_an_empty_cohort_are_named(ecg_cohort):
    cohort = ecg_cohort(n=8)
    with pytest.raises(UserError, match=r"shard 1 has no file among --beats"):
        data.open_signals([cohort.recordings], cohort.strips, cohort.beats[:1])
    pl.read_parquet(cohort.recordings).clear().write_parquet(cohort.recordings)
    with pytest.raises(UserError, match="no recordings"):
        data.open_signals([cohort.recordings], cohort.strips, cohort.beats)
