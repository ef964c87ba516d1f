"""Laws of batches: shards join in order, statistics resist outliers."""

import numpy as np
import polars as pl
import pytest

from ecgwas.encoder.statistics import statistics
from ecgwas.errors import UserError
from ecgwas.signals import data


def test_rows_come_from_the_shard_and_row_the_table_names(ecg_cohort):
    a, b = ecg_cohort(n=11, name="a", shards=2), ecg_cohort(n=7, name="b", shards=3, seed=1)
    signals = data.open_signals([a.recordings, b.recordings], [*b.strips[::-1], *a.strips], [*a.beats, *b.beats])
    batch = signals.read(np.array([0, 10, 17]))
    for i, (cohort, shard) in enumerate([(a, 0), (a, 1), (b, 2)]):
        row = 0 if i == 0 else -1
        assert np.array_equal(batch.strip[i], np.load(cohort.strips[shard])[row])
        assert np.array_equal(batch.beat[i], np.load(cohort.beats[shard])[row])


def test_statistics_ignore_missing_leads_and_a_few_wild_recordings(ecg_cohort):
    cohort = ecg_cohort(n=100, shards=1)
    clean = statistics(data.open_signals([cohort.recordings], cohort.strips, cohort.beats), seed=1)
    beat = np.load(cohort.beats[0])
    beat[3:6] = 30000
    np.save(cohort.beats[0], beat)
    wild = statistics(data.open_signals([cohort.recordings], cohort.strips, cohort.beats), seed=1)
    assert all(np.isfinite(x).all() for x in wild.values())
    assert np.abs(wild["beat_mean"] - clean["beat_mean"]).max() < 0.3 * clean["beat_scale"].max()
    assert 0.5 < (wild["beat_scale"] / clean["beat_scale"]).min() < (wild["beat_scale"] / clean["beat_scale"]).max() < 2


def test_statistics_of_recordings_without_any_beat_or_rhythm_are_finite(ecg_cohort):
    cohort = ecg_cohort(n=12, no_beat=12)
    pl.read_parquet(cohort.recordings).with_columns(rr_ms=pl.lit(None, pl.Float64)).write_parquet(cohort.recordings)
    values = statistics(data.open_signals([cohort.recordings], cohort.strips, cohort.beats), seed=1)
    assert all(np.isfinite(x).all() for x in values.values())


def test_a_missing_shard_and_an_empty_cohort_are_named(ecg_cohort):
    cohort = ecg_cohort(n=8)
    with pytest.raises(UserError, match=r"shard 1 has no file among --beats"):
        data.open_signals([cohort.recordings], cohort.strips, cohort.beats[:1])
    pl.read_parquet(cohort.recordings).clear().write_parquet(cohort.recordings)
    with pytest.raises(UserError, match="no recordings"):
        data.open_signals([cohort.recordings], cohort.strips, cohort.beats)


def test_sizes_come_from_recordings_in_millivolt_and_shapes_from_all(ecg_cohort):
    cohort = ecg_cohort(n=80, shards=1)
    table = pl.read_parquet(cohort.recordings)
    clean = statistics(data.open_signals([cohort.recordings], cohort.strips, cohort.beats), seed=1)
    table.with_columns(unit=pl.when(pl.col("row") < 30).then(pl.lit("sd")).otherwise("unit")).write_parquet(
        cohort.recordings
    )
    for path in (cohort.strips[0], cohort.beats[0]):
        array = np.load(path)
        array[:30] = np.where(array[:30] == data.MISSING, data.MISSING, array[:30].clip(-3000, 3000) * 5)
        np.save(path, array)
    mixed = statistics(data.open_signals([cohort.recordings], cohort.strips, cohort.beats), seed=1)
    assert np.abs(mixed["beat_mean"] - clean["beat_mean"]).max() < 0.15
    assert np.abs(mixed["amplitude_mean"] - clean["amplitude_mean"]).max() < 0.1
    assert np.abs(mixed["shape_mean"] - clean["shape_mean"]).max() < 0.3


def test_people_of_two_cohorts_with_the_same_id_are_two(ecg_cohort, tmp_path):
    a, b = ecg_cohort(n=6, name="a"), ecg_cohort(n=6, name="b", seed=1)
    signals = data.open_signals([a.recordings, b.recordings], [*a.strips, *b.strips], [*a.beats, *b.beats])
    assert len(set(signals.read(np.arange(12)).person)) == 12
    assert signals.table["cohort"].to_list() == ["a"] * 6 + ["b"] * 6
