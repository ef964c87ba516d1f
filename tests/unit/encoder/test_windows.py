"""Laws of long recordings: the mean and SD of windows are those of the windows embedded as recordings of their own."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ecgwas import config, tables
from ecgwas.embed import embed
from ecgwas.encoder import windows
from ecgwas.errors import UserError
from ecgwas.pretrain import pca, train
from ecgwas.signals import data

TINY = config.Transformer(width=16, depth=1, heads=2, embedding=16, steps=3, batch=16)
WINDOWS = np.array([4, 3, 1, 2, 4, 3])  # of six long recordings, in a bucket of four
N = 24


@pytest.fixture
def short(ecg_cohort):
    """24 recordings of one window; the first five have no median beat."""
    return ecg_cohort(n=N, shards=1, no_beat=5)


@pytest.fixture
def long(short, tmp_path: Path):
    """Six recordings whose windows are those of `short`, in turn, and then two of one window."""
    folder = tmp_path / "long/signals"
    folder.mkdir(parents=True)
    strip, beat = np.load(short.strips[0]), np.load(short.beats[0])
    own = pl.read_parquet(short.recordings)
    owner, _ = windows.every_window(WINDOWS)
    of = {k: np.flatnonzero(owner == k) for k in range(len(WINDOWS))}
    strips = np.full((6, 12, 4 * strip.shape[2]), data.MISSING, dtype=np.int16)
    beats = np.full((6, 4, *beat.shape[1:]), data.MISSING, dtype=np.int16)
    rr = np.full((6, 4), np.nan, dtype=np.float32)
    for k, rows in of.items():
        strips[k, :, : len(rows) * strip.shape[2]] = np.concatenate(strip[rows], axis=1)
        beats[k, : len(rows)], rr[k, : len(rows)] = beat[rows], own["rr_ms"].to_numpy()[rows]
    last = slice(N - 2, N)
    arrays = {
        "strip": strip[last],
        "beat": beat[np.arange(N - 8, N)],
        "strip-4x": strips,
        "beat-4x": beats,
        "rr-4x": rr,
    }
    paths = {kind: folder / f"shard-000.{kind}.npy" for kind in arrays}
    for kind, array in arrays.items():
        np.save(paths[kind], array)
    place = {"row": range(8), "bucket": [2] * 6 + [0] * 2, "strip_row": [*range(6), 0, 1]}
    table = own[-8:].with_columns(pl.Series(name, values, dtype=pl.Int32) for name, values in place.items())
    table.write_parquet(folder.parent / "recordings.parquet")
    strips, beats = ([path for kind, path in paths.items() if ("strip" in kind) == own] for own in (True, False))
    return folder.parent / "recordings.parquet", strips, beats


def train_model(kind: str, cohort, folder: Path) -> Path:
    given = [cohort.recordings], cohort.strips, cohort.beats
    checkpoint = folder / f"{kind}.pt"
    if kind == "pca":
        pca.main(*given, config.Pca(components=8), config.Ingest(), checkpoint)
    else:
        train.main(*given, TINY, config.Ingest(), checkpoint, folder / "history.parquet", folder / "resume")
    return checkpoint


def embedded(checkpoint: Path, given, folder: Path, batch: int = 64) -> tuple[pl.DataFrame, pl.DataFrame]:
    paths = folder / f"{checkpoint.stem}-{batch}.parquet", folder / f"{checkpoint.stem}-{batch}.windows.parquet"
    embed.main(checkpoint, *given, paths[0], config.Embed(batch=batch), windows=paths[1])
    return pl.read_parquet(paths[0]), pl.read_parquet(paths[1])


def numbers(table: pl.DataFrame, letter: str = "e") -> np.ndarray:
    return table.select(f"^{letter}\\d+$").cast(pl.Float32).to_numpy()


@pytest.mark.parametrize("kind", ["transformer", "pca"])
def test_mean_sd_and_number_are_those_of_the_windows_as_recordings(kind, short, long, tmp_path):
    checkpoint = train_model(kind, short, tmp_path)
    alone, _ = embedded(checkpoint, (short.recordings, short.strips, short.beats), tmp_path)
    z = np.full((N, numbers(alone).shape[1]), np.nan, dtype=np.float32)  # PCA leaves out the first five: no beat
    z[[int(name[1:]) for name in alone["recording_id"]]] = numbers(alone)
    owner, _ = windows.every_window(WINDOWS)
    parts = [*(z[: len(owner)][owner == k] for k in range(6)), z[N - 2 : N - 1], z[N - 1 :]]
    parts = [part[~np.isnan(part).any(1)] for part in parts]
    kept = [part for part in parts if len(part)]
    assert len(kept) == (7 if kind == "pca" else 8)
    mean, spread = embedded(checkpoint, long, tmp_path, 5)
    assert mean["recording_id"].equals(spread["recording_id"])
    assert spread["windows"].to_list() == [len(part) for part in kept]
    np.testing.assert_allclose(numbers(mean), [part.mean(0) for part in kept], rtol=1e-5, atol=1e-5)
    several = [len(part) > 1 for part in kept]
    sds = [part.std(0, ddof=1) for part in kept if len(part) > 1]
    np.testing.assert_allclose(numbers(spread.filter(several), "s"), sds, rtol=1e-5, atol=1e-5)
    assert spread.filter(~pl.Series(several)).select(pl.col("^s\\d+$").is_null().all()).row(0) == (True,) * z.shape[1]
    promised = {**tables.EMBEDDING_WINDOWS.schema, "s0000": pl.Float32}
    assert dict(list(spread.schema.items())[:4]) == promised


@pytest.mark.parametrize("kind", ["transformer", "pca"])
def test_the_batch_size_changes_no_number_of_long_recordings(kind, short, long, tmp_path):
    checkpoint = train_model(kind, short, tmp_path)
    first, *others = (embedded(checkpoint, long, tmp_path, batch) for batch in (1, 3, 64))
    for other in others:
        for one, again, letter in zip(first, other, "es", strict=True):
            assert one["recording_id"].equals(again["recording_id"])
            np.testing.assert_allclose(numbers(one, letter), numbers(again, letter), rtol=1e-5, atol=1e-5)


def test_no_more_than_a_batch_of_windows_is_in_memory(long):
    signals = data.open_signals([long[0]], *long[1:])
    seen = []

    def encode(batch: data.Batch) -> np.ndarray:
        seen.append(len(batch.strip))
        return np.column_stack([batch.beat[:, 0, :3], batch.rr_ms])

    summary = windows.summarise(encode, signals, 4)
    assert max(seen) == 4
    assert sum(seen) == WINDOWS.sum() + 2
    assert all(isinstance(array, np.memmap) for file in signals.of_windows for pair in file.values() for array in pair)
    rr = np.load(long[2][2])
    for k, n in enumerate(WINDOWS):
        assert summary.mean[k, 3] == pytest.approx(rr[k, :n].mean(), rel=1e-6)


def test_sd_is_that_of_numpy_far_from_zero_and_zero_where_windows_are_equal():
    rng = np.random.default_rng(4)
    z = 30 + 1e-3 * rng.standard_normal((1, 500, 6))
    z[:, :, 5] = 7.25
    count = np.array([500], dtype=np.int32)
    mean, sd = windows.moments(count, z.sum(1), (z**2).sum(1))
    np.testing.assert_allclose(mean, z.mean(1), rtol=1e-6)
    np.testing.assert_allclose(sd, z.std(1, ddof=1), rtol=1e-4, atol=1e-6)


def test_files_of_windows_that_are_absent_or_of_another_shape_are_named(long):
    recordings, strips, beats = long
    with pytest.raises(UserError, match=r"has no file among --beats; give signals/shard-000\.rr-4x\.npy"):
        data.open_signals([recordings], strips, beats[:2])
    np.save(beats[1], np.load(beats[1])[:, :3])
    with pytest.raises(UserError, match=r"expected int16 \[recording, 4, lead, sample\], got int16 \[6, 3, 12, 220\]"):
        data.open_signals([recordings], strips, beats)
