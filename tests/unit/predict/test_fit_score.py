"""Laws of fit and score: the test is not seen, what was planted is learnt, rows have a score or a reason."""

import dataclasses

import numpy as np
import polars as pl
import pytest
from tests.unit.predict.conftest import predict

from ecgwas import config, tables
from ecgwas.checkpoints import checkpoint as files
from ecgwas.embed import embed
from ecgwas.errors import UserError
from ecgwas.predict.methods import networks
from ecgwas.stats.discrimination import auroc

QUICK = predict(epochs=1)


def of_test(world, scores: pl.DataFrame, name: str) -> float:
    """AUROC of an outcome among those who are tested."""
    labels = pl.read_parquet(world.labels).filter(pl.col("split") == "test", pl.col(f"y:{name}").is_not_null())
    table = labels.join(scores, on="recording_id")
    return auroc(table[f"y:{name}"].to_numpy(), table[name].to_numpy())


@pytest.mark.parametrize("method", networks.METHODS)
def test_a_planted_disease_is_learnt(world, method):
    """A T wave made taller in the signals; the probe of random weights is printed beside the others."""
    settings = predict(epochs=4, patience=4, batch=32, learning_rates=[1e-2 if method == "xresnet1d" else 5e-3])
    scores = world.score(world.fit(method, "planted", settings=settings))
    found = of_test(world, scores, "big_t")
    print(f"{method}: AUROC {found:.3f}")
    assert found > 0.8
    assert scores["reason"].null_count() == scores.height == 160


@pytest.mark.parametrize("method", ["finetuned", "probe"])
def test_the_test_is_not_seen(small_world, method):
    """Other labels and other signals of those who are tested change no byte of a predictor."""
    world = small_world
    settings = predict(epochs=1, batch=8)
    first = world.fit(method, "first", settings=settings).read_bytes()
    labels = pl.read_parquet(world.labels)
    tested, y = pl.col("split") == "test", pl.col("y:big_t", "y:slow")
    labels.with_columns(pl.when(tested).then(1 - y).otherwise(y).name.keep()).write_parquet(world.labels)
    table = pl.read_parquet(world.cohort.recordings).join(labels.select("recording_id", "split"), on="recording_id")
    for shard, paths in enumerate(zip(world.cohort.strips, world.cohort.beats, strict=True)):
        rows = table.filter(tested, pl.col("shard") == shard)["row"].to_numpy()
        for path in paths:
            signals = np.load(path)
            signals[rows] = np.random.default_rng(0).integers(-500, 500, signals[rows].shape)
            np.save(path, signals)
    assert world.fit(method, "second", settings=settings).read_bytes() == first
    labels.with_columns(pl.col("y:big_t").reverse()).write_parquet(world.labels)
    assert world.fit(method, "third", settings=settings).read_bytes() != first


@pytest.mark.parametrize("method", networks.METHODS)
def test_the_batch_size_changes_nothing(world, method):
    predictor = world.fit(method, "batches", settings=QUICK)
    one, seven, many = (world.score(predictor, batch=batch) for batch in (1, 7, 256))
    for scores in (one, seven):
        for name in ("big_t", "slow"):
            np.testing.assert_allclose(scores[name], many[name], rtol=1e-5, atol=1e-5)


def test_the_network_of_a_probe_has_the_logits_of_the_probe(world, tmp_path):
    """Embeddings of `embed.main` by the probe's coefficients in float64 are what `score` writes."""
    path = tmp_path / "embeddings.parquet"
    cohort = world.cohort
    embed.main(world.checkpoint, cohort.recordings, cohort.strips, cohort.beats, path, config.Embed())
    table = pl.read_parquet(path)
    predictors = [world.fit("probe", "own"), world.fit("probe", "given", embeddings=path)]
    weights = [files.load(predictor)["weights"] for predictor in predictors]
    for name in ("head.weight", "head.bias"):
        np.testing.assert_allclose(weights[0][name], weights[1][name], atol=1e-5)
    expected = table.select("^e\\d+$").to_numpy().astype(float) @ weights[1]["head.weight"].numpy().astype(float).T
    expected += weights[1]["head.bias"].numpy()
    scores = world.score(predictors[1])
    assert scores["recording_id"].equals(table["recording_id"])
    np.testing.assert_allclose(scores.select("big_t", "slow").to_numpy(), expected, atol=1e-5)


def test_embeddings_of_another_encoder_are_not_used(world, tmp_path, capsys):
    """Such as means of blocks, which may be as wide."""
    path, cohort = tmp_path / "embeddings.parquet", world.cohort
    embed.main(world.checkpoint, cohort.recordings, cohort.strips, cohort.beats, path, config.Embed(layers=[2]))
    given, own = world.fit("probe", "layers", embeddings=path), world.fit("probe", "own")
    assert given.read_bytes() == own.read_bytes()
    assert "embeddings.parquet: not this encoder's own embedding; encoding anew" in capsys.readouterr().out


def test_fine_tuning_starts_from_the_probe(world):
    """No pass that is better than the start leaves the probe."""
    probe = world.score(world.fit("probe", "start"))
    tuned = world.score(world.fit("finetuned", "start", settings=predict(epochs=1, learning_rates=[1e-12])))
    for name in ("big_t", "slow"):
        np.testing.assert_allclose(tuned[name], probe[name], atol=1e-5)


def test_one_network_each_is_what_each_alone_would_be(world):
    apart = world.fit("attention", "apart", settings=predict(epochs=1, together=False))
    scores = world.score(apart)
    for name in ("big_t", "slow"):
        alone = QUICK.model_copy(update={"outcomes": {name: QUICK.outcomes[name]}})
        expected = world.score(world.fit("attention", f"only-{name}", settings=alone))
        np.testing.assert_allclose(scores[name], expected[name], atol=1e-6)
    assert set(files.load(apart)["chosen"]) == {"big_t", "slow"}


def test_rows_have_a_score_or_a_reason(small_world, tmp_path):
    """A recording of nothing, one that was not ingested, and an outcome that nobody has; the others have a score."""
    world = small_world
    labels = pl.read_parquet(world.labels).with_columns(pl.lit(0.0).alias("y:none"))
    labels.write_parquet(world.labels)
    settings = QUICK.model_copy(update={"outcomes": {**QUICK.outcomes, "none": config.Outcome(codes=["none"])}})
    predictor = world.fit("supervised", settings=settings)
    assert files.load(predictor)["unfitted"] == {"none": "0 cases and 24 controls to learn from"}
    table = pl.read_parquet(world.cohort.recordings)
    for paths in (world.cohort.strips, world.cohort.beats):
        signals = np.load(paths[0])
        signals[3] = -32768
        np.save(paths[0], signals)
    lost = (pl.col("shard") == 0) & (pl.col("row") == 3)
    table.with_columns(pl.when(lost).then(None).otherwise("rr_ms").alias("rr_ms")).write_parquet(
        world.cohort.recordings
    )
    row = labels.row(0, named=True) | {"recording_id": "elsewhere", "person_id": "p"}
    path = tmp_path / "more.parquet"
    pl.concat([labels, pl.DataFrame([row], schema=labels.schema)]).write_parquet(path)
    scores = world.score(predictor, labels=path)
    assert set(scores.columns) == {*tables.SCORES.columns, "big_t", "slow", "none"}
    assert scores["recording_id"].to_list() == [*labels["recording_id"], "elsewhere"]
    reasons = dict(scores.select("recording_id", "reason").drop_nulls().iter_rows())
    assert reasons == {"r0003": "nothing recorded", "elsewhere": "no signals"}
    assert scores["big_t"].null_count() == scores["slow"].null_count() == 2
    assert scores["none"].null_count() == scores.height


def test_a_share_of_the_labels_is_the_same_draw_for_every_method(world):
    """Fewer recordings are learnt from, all validation recordings are kept, and the draw is kept in the predictor."""
    sizes = [
        files.load(world.fit(method, f"share{draw}", settings=QUICK, label_share=0.2, label_draw=draw))["train"]
        for method in ("probe", "attention")
        for draw in (0, 1)
    ]
    assert sizes == [16] * 4
    probes = [files.load(world.folder / f"share{draw}-probe.pt")["weights"]["head.bias"] for draw in (0, 1)]
    assert not np.allclose(*probes)


def test_bad_inputs_end_with_a_word(world, tmp_path):
    with pytest.raises(UserError, match="method nonsense is none of"):
        world.fit("nonsense")
    with pytest.raises(UserError, match="reads strips, beats of a cohort; give --strips --beats"):
        world.fit("probe", strips=None, beats=None)
    with pytest.raises(UserError, match="give --checkpoint"):
        world.fit("probe", checkpoint=None)
    incident = predict().model_copy(update={"outcomes": {"x": config.Outcome(codes=["x"], kind="incident")}})
    with pytest.raises(UserError, match="no outcome of kind prevalent"):
        world.fit("probe", settings=incident)
    other = predict().model_copy(update={"outcomes": {"x": config.Outcome(codes=["x"])}})
    with pytest.raises(UserError, match="no columns for x"):
        world.fit("probe", settings=other)
    labels = pl.read_parquet(world.labels).with_columns(pl.lit("test").alias("split"))
    labels.write_parquet(tmp_path / "test.parquet")
    with pytest.raises(UserError, match="nobody of split train"):
        dataclasses.replace(world, labels=tmp_path / "test.parquet").fit("probe")
    with pytest.raises(UserError, match="no predictor; give what"):
        world.score(world.checkpoint)
