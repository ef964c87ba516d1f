"""Laws of embeddings: the batch size changes nothing, no recording is lost unseen, physiology is in them."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ecgwas import config
from ecgwas.checkpoints import checkpoint as files
from ecgwas.embed import embed
from ecgwas.errors import UserError
from ecgwas.pretrain import pca, train
from ecgwas.signals import data

TINY = config.Transformer(width=16, depth=1, heads=2, embedding=16, steps=3, batch=16)
INGEST = config.Ingest()


def train_transformer(cohort, folder: Path, settings: config.Transformer = TINY) -> Path:
    paths = {"checkpoint": folder / "checkpoint.pt", "history": folder / "history.parquet", "resume": folder / "resume"}
    train.main([cohort.recordings], cohort.strips, cohort.beats, settings, INGEST, **paths)
    return paths["checkpoint"]


def train_pca(cohort, folder: Path) -> Path:
    pca.main([cohort.recordings], cohort.strips, cohort.beats, config.Pca(components=8), INGEST, folder / "pca.pt")
    return folder / "pca.pt"


def embedded(checkpoint: Path, cohort, folder: Path, batch: int = 64) -> pl.DataFrame:
    path = folder / f"{checkpoint.stem}-{batch}.parquet"
    embed.main(checkpoint, cohort.recordings, cohort.strips, cohort.beats, path, config.Embed(batch=batch))
    return pl.read_parquet(path)


def numbers(table: pl.DataFrame) -> np.ndarray:
    return table.select("^e\\d+$").to_numpy()


@pytest.mark.parametrize("trainer", [train_transformer, train_pca])
def test_the_batch_size_changes_nothing(ecg_cohort, tmp_path, trainer):
    cohort = ecg_cohort(n=45, no_beat=4)
    tables = [embedded(trainer(cohort, tmp_path), cohort, tmp_path, batch) for batch in (1, 7, 64)]
    for table in tables[1:]:
        assert table["recording_id"].equals(tables[0]["recording_id"])
        np.testing.assert_allclose(numbers(table), numbers(tables[0]), rtol=1e-5, atol=1e-5)


def test_a_transformer_embeds_recordings_without_a_median_beat_and_pca_leaves_them_out(ecg_cohort, tmp_path, capsys):
    cohort = ecg_cohort(n=30, no_beat=4)
    table = embedded(train_transformer(cohort, tmp_path), cohort, tmp_path)
    assert table.columns == ["recording_id", "person_id", *(f"e{i:04d}" for i in range(16))]
    assert table["recording_id"].to_list() == [f"r{i:04d}" for i in range(30)]
    assert set(table.dtypes[2:]) == {pl.Float32}
    table = embedded(train_pca(cohort, tmp_path), cohort, tmp_path)
    assert table["recording_id"].to_list() == [f"r{i:04d}" for i in range(4, 30)]
    assert "26 recordings embedded, 4 without a median beat left out" in capsys.readouterr().out


def test_a_missing_lead_is_not_content(ecg_cohort, tmp_path):
    cohort = ecg_cohort(n=20, shards=1)
    checkpoint = train_transformer(cohort, tmp_path)
    before = numbers(embedded(checkpoint, cohort, tmp_path))
    for path in (cohort.strips[0], cohort.beats[0]):
        array = np.load(path)
        array[5, 9, :3] = -32768  # a few samples: the tokens that hold them are dropped, the rest of the lead stays
        array[:, 2] = 999  # III is no input where I and II are there
        np.save(path, array)
    after = numbers(embedded(checkpoint, cohort, tmp_path, 65))
    others = np.arange(20) != 5
    np.testing.assert_allclose(after[others], before[others], atol=1e-5)
    assert 0 < np.abs(after[5] - before[5]).max() < np.abs(before - before.mean(0)).max()


def test_chosen_layers_are_means_of_their_tokens(ecg_cohort, tmp_path):
    cohort = ecg_cohort(n=12)
    path = train_transformer(cohort, tmp_path, TINY.model_copy(update={"depth": 3}))
    saved, signals = files.load(path), data.open_signals([cohort.recordings], cohort.strips, cohort.beats)
    both, last = (embed.embed(embed.encoder_of(saved, layers), signals, 5) for layers in ([1, 3], [3]))
    assert both.shape == (12, 2 * TINY.width)
    np.testing.assert_allclose(both[:, TINY.width :], last, atol=1e-5)
    assert not np.allclose(both[:, : TINY.width], last)
    with pytest.raises(UserError, match=r"embed\.layers: \[4\] of a model with 3 blocks"):
        embed.encoder_of(saved, [4])


def test_a_cohort_ingested_otherwise_is_refused(ecg_cohort, tmp_path):
    cohort = ecg_cohort(n=20, shards=1)
    checkpoint = train_transformer(cohort, tmp_path)
    np.save(cohort.strips[0], np.load(cohort.strips[0])[:, :, :500])
    with pytest.raises(UserError, match=r"trained on samples .*'strip': 1000.* the cohort has .*'strip': 500"):
        embedded(checkpoint, cohort, tmp_path)


def r2(x: np.ndarray, y: list[float]) -> float:
    """R² in the second half of a ridge regression fitted on the first."""
    half, y = len(x) // 2, np.asarray(y)
    centre, scale = x[:half].mean(0), x[:half].std(0) + 1e-6
    a = (x - centre) / scale
    slope = np.linalg.solve(a[:half].T @ a[:half] + np.eye(a.shape[1]), a[:half].T @ (y[:half] - y[:half].mean()))
    return 1 - ((y[half:] - y[:half].mean() - a[half:] @ slope) ** 2).mean() / y[half:].var()


def test_a_short_training_puts_physiology_into_the_embedding(ecg_cohort, tmp_path):
    cohort = ecg_cohort(n=400, shards=1)
    known = {}
    for steps in (0, 160):
        settings = TINY.model_copy(update={"steps": steps, "batch": 32, "learning_rate": 1e-2, "width": 32})
        folder = tmp_path / str(steps)
        x = numbers(embedded(train_transformer(cohort, folder, settings), cohort, folder))
        known[steps] = {name: r2(x, y) for name, y in cohort.parameters.to_dict(as_series=False).items()}
    assert np.mean(list(known[160].values())) > 0.6
    assert np.mean(list(known[160].values())) > np.mean(list(known[0].values())) + 0.25


def test_a_long_recording_is_the_mean_of_its_windows(ecg_cohort, tmp_path):
    cohort = ecg_cohort(12, shards=1)
    strips, beats = np.load(cohort.strips[0]), np.load(cohort.beats[0])
    pairs = np.concatenate([strips[:4], strips[4:8]], axis=2)
    pairs[3, :, 1200:] = data.MISSING  # its second window is not whole
    arrays = {"strip-2x": pairs, "beat-2x": np.stack([beats[:4], beats[4:8]], axis=1)}
    arrays["rr-2x"] = np.full((4, 2), 900, dtype=np.float32)
    long = {kind: cohort.strips[0].with_name(f"shard-000.{kind}.npy") for kind in arrays}
    for kind, array in arrays.items():
        np.save(long[kind], array)
    table = pl.read_parquet(cohort.recordings)
    table = table.with_columns(
        bucket=pl.when(pl.col("row") < 4).then(1).otherwise(0).cast(pl.Int32),
        strip_row=pl.when(pl.col("row") < 4).then("row").otherwise("strip_row"),
    )
    table.write_parquet(cohort.recordings)
    all_beats = [*cohort.beats, long["beat-2x"], long["rr-2x"]]
    both = data.open_signals([cohort.recordings], [*cohort.strips, long["strip-2x"]], all_beats)
    assert both.windows(np.arange(5)).tolist() == [2, 2, 2, 1, 1]

    def encode(batch):
        return np.hstack([x.astype(np.float32).mean(2) for x in (batch.strip, batch.beat)])

    z = embed.embed(encode, both, 5)
    for part, windows in ((slice(12), (strips[:4], strips[4:8])), (slice(12, 24), (beats[:4], beats[4:8]))):
        one, two = (w.mean(2) for w in windows)
        assert np.allclose(z[:3, part], ((one + two) / 2)[:3], atol=1e-3)
        assert np.allclose(z[3, part], one[3], atol=1e-3)
    assert np.allclose(z[4:, :12], strips[4:].mean(2), atol=1e-3)
