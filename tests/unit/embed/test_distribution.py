"""Laws of the distance from the training recordings: uniform within, beyond the tail for what is no ECG."""

from functools import partial

import numpy as np
import polars as pl
import pytest
from tests.unit.embed.test_embed import train_pca, train_transformer

from ecgwas import config, tables
from ecgwas.checkpoints import checkpoint as files
from ecgwas.embed import distribution
from ecgwas.embed.embed import embed, encoder_of
from ecgwas.errors import UserError
from ecgwas.signals import data


def drawn(n: int, seed: int, width: int = 24) -> np.ndarray:
    """Correlated embeddings of unequal variances, all from one distribution."""
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((width, width)))[0]
    mixing = np.geomspace(1, 0.2, width)[:, None] * turn * np.geomspace(1, 0.05, width)
    return np.random.default_rng([1, seed]).standard_normal((n, width)) @ mixing + 3


def singles(n: int) -> np.ndarray:
    return np.arange(n).astype(str)


def test_percentiles_of_new_recordings_are_uniform() -> None:
    """With few recordings for the width, too: quantiles are of distances held out."""
    for n in (200, 3000):
        made = distribution.fit(drawn(n, 1), singles(n), 1)
        percentile = made.percentile(made.distance(drawn(20_000, 2)))
        found = [(percentile < q).mean() for q in (10, 50, 90)]
        np.testing.assert_allclose(found, [0.1, 0.5, 0.9], atol=4 * 0.5 / np.sqrt(n))
        assert 0.5 * 0.01 < (percentile > 99).mean() < 3 * 0.01
    assert made.distance(drawn(20_000, 2)).mean() == pytest.approx(1, abs=0.05)


def test_units_of_the_embedding_change_nothing_and_its_rotation_next_to_nothing() -> None:
    z, new = drawn(3000, 3), drawn(500, 4)
    before = distribution.fit(z, singles(3000), 1)
    expected = before.percentile(before.distance(new))
    rng = np.random.default_rng(5)
    scale, shift = 10 ** rng.uniform(-3, 3, z.shape[1]), rng.standard_normal(z.shape[1])
    same = distribution.fit(z * scale + shift, singles(3000), 1)
    np.testing.assert_allclose(same.percentile(same.distance(new * scale + shift)), expected, atol=1e-5)
    mixing = np.linalg.qr(rng.standard_normal((z.shape[1], z.shape[1])))[0] * rng.uniform(0.5, 2, z.shape[1])
    mixed = distribution.fit(z @ mixing + 7, singles(3000), 1)
    found = mixed.percentile(mixed.distance(new @ mixing + 7))
    assert np.corrcoef(found, expected)[0, 1] > 0.98
    assert np.abs(found - expected).mean() < 3


def test_covariance_is_that_of_ledoit_and_wolf() -> None:
    """The intensity minimises the expected error: nearer to the truth than the sample covariance where n is near p."""
    errors = []
    for trial in range(20):
        rng = np.random.default_rng([6, trial])
        truth = np.diag(rng.uniform(0.5, 2, 30))
        x = rng.standard_normal((40, 30)) @ np.sqrt(truth)
        errors.append([np.linalg.norm(s - truth) for s in (distribution.ledoit_wolf(x), np.cov(x.T, bias=True))])
    assert (np.array(errors)[:, 0] < 0.7 * np.array(errors)[:, 1]).all()
    many = np.random.default_rng(7).standard_normal((20_000, 4)) * np.arange(1, 5)
    np.testing.assert_allclose(distribution.ledoit_wolf(many), np.cov(many.T, bias=True), atol=0.02)


def test_dimensions_that_never_move_are_left_out_and_a_collapsed_embedding_is_refused() -> None:
    z = drawn(500, 8)
    z[:, 3] = 1.0
    made = distribution.fit(z, singles(500), 1)
    assert made.whitening.shape == (24, 23)
    assert np.isfinite(made.distance(z)).all()
    with pytest.raises(UserError, match="collapsed"):
        distribution.fit(np.ones((100, 4)), singles(100), 1)
    with pytest.raises(UserError, match="19 people"):
        distribution.fit(drawn(114, 9), singles(19).repeat(6), 1)


def recordings(cohort) -> tuple[data.Signals, np.ndarray, np.ndarray]:
    signals = data.open_signals([cohort.recordings], cohort.strips, cohort.beats)
    batch = signals.read(np.arange(len(signals)))
    return signals, batch.strip, batch.beat


def strange(kind: str, n: int, strip: np.ndarray, beat: np.ndarray) -> data.Batch:
    """No ECG of the training kind: noise, slow waves of tens of microvolts as in an EEG, a flat line off its place."""
    rng = np.random.default_rng(1)
    shapes = (n, *strip.shape[1:]), (n, *beat.shape[1:])
    if kind == "noise":
        made = [100 * rng.standard_normal(shape) for shape in shapes]
    elif kind == "eeg":
        made = [30 * np.cumsum(rng.standard_normal(shape), 2) / 5 for shape in shapes]
        made = [x - x.mean(2, keepdims=True) for x in made]
    else:
        made = [900 + rng.standard_normal(shape) for shape in shapes]
    counts = (x.round().astype(np.int16) for x in made)
    return data.Batch(*counts, np.full(n, 400, np.float32), np.ones(n, bool), np.arange(n))


WIDE = config.Transformer(width=64, depth=1, heads=2, embedding=64, steps=1, batch=16)


# What each can tell: a hardly trained encoder takes the flat line for one of theirs; few components take noise and
# slow waves, of which they see little.
@pytest.mark.parametrize(
    ("trainer", "kinds"),
    [(partial(train_transformer, settings=WIDE), ("noise", "eeg")), (train_pca, ("flat",))],
    ids=["transformer", "pca"],
)
def test_what_is_no_ecg_lies_beyond_the_training(ecg_cohort, tmp_path, trainer, kinds) -> None:
    cohort = ecg_cohort(n=300, shards=1)
    encode = encoder_of(files.load(trainer(cohort, tmp_path)))
    signals, strip, beat = recordings(cohort)
    z = embed(encode, signals, 64)[(strip != data.MISSING).all((1, 2))]  # a tenth lacks a lead: unusual by itself
    made = distribution.fit(z, singles(len(z)), 1)
    for kind in kinds:
        odd = encode(strange(kind, 20, strip, beat))
        assert (made.percentile(made.distance(odd)) > 99).mean() >= 0.75, kind


def test_scores_as_files(tmp_path) -> None:
    paths, scored = [tmp_path / f"{name}.parquet" for name in "ab"], [tmp_path / f"{name}.ood.parquet" for name in "ab"]
    for k, path in enumerate(paths):
        z = drawn(300, 10 + k) + 40 * k * (np.arange(300) < 5)[:, None]  # five of the second cohort are far away
        ids = {"recording_id": [f"r{i}" for i in range(300)], "person_id": [f"p{i // 2}" for i in range(300)]}
        table = pl.DataFrame(ids).with_columns(pl.Series(f"e{i:04d}", z[:, i], pl.Float32) for i in range(24))
        table.write_parquet(path)
    distribution.main(paths, tmp_path / "reference.npz", scored)
    tails = [pl.read_parquet(path) for path in scored]
    for table in tails:
        assert table.schema == tables.OUT_OF_DISTRIBUTION.schema
        assert table["percentile"].is_between(0, 100).all()
    assert tails[1]["percentile"][:5].min() > 98
    stored = np.load(tmp_path / "reference.npz")
    again = distribution.Reference(stored["mean"], stored["whitening"], stored["quantiles"])
    z = pl.read_parquet(paths[0]).select("^e.*$").cast(pl.Float64).to_numpy()
    np.testing.assert_allclose(again.distance(z), tails[0]["distance"])
    with pytest.raises(UserError, match="name one output for each"):
        distribution.main(paths, tmp_path / "reference.npz", scored[:1])


def test_the_reference_is_made_of_the_cohorts_trained_on_alone(tmp_path) -> None:
    paths = [tmp_path / f"{name}.parquet" for name in ("own", "external")]
    scored = [path.with_suffix(".ood.parquet") for path in paths]
    for k, path in enumerate(paths):
        ids = {"recording_id": [f"r{i}" for i in range(300)], "person_id": [f"p{i}" for i in range(300)]}
        z = pl.DataFrame(drawn(300, 10 + k) + 3 * k, schema=[f"e{i:04d}" for i in range(24)])
        pl.DataFrame(ids).hstack(z).write_parquet(path)
    distribution.main(paths, tmp_path / "both.npz", scored, trained=[True, False])
    external = pl.read_parquet(scored[1])["distance"]
    distribution.main(paths[:1], tmp_path / "own.npz", scored[:1])
    both, own = (np.load(tmp_path / f"{name}.npz") for name in ("both", "own"))
    assert all((both[name] == own[name]).all() for name in own.files)
    z = pl.read_parquet(paths[1]).select("^e.*$").to_numpy()
    made = distribution.Reference(own["mean"], own["whitening"], own["quantiles"])
    np.testing.assert_allclose(external, made.distance(z))
    with pytest.raises(UserError, match="true of one at least"):
        distribution.main(paths, tmp_path / "none.npz", scored, trained=[False, False])
