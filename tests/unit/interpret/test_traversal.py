"""Latent traversal: directions of whitened axes, exact components, no decoder, the decoder's own check."""

import numpy as np
import polars as pl
import torch

from ecgwas import config
from ecgwas.checkpoints import checkpoint as files
from ecgwas.config import LEADS
from ecgwas.encoder.statistics import statistics
from ecgwas.interpret.loci import traversal
from ecgwas.phenotypes import normalise
from ecgwas.pretrain import pca
from ecgwas.signals import data


def test_directions_of_whitened_axes_are_covariance_times_loadings():
    rng = np.random.default_rng(1)
    z, c = rng.normal(size=(300, 5)) @ rng.normal(size=(5, 5)), rng.normal(size=(300, 2))
    white = normalise.whiten(z, c, 3)
    resid = normalise.residual(z, c)
    middle, moves = traversal.directions(z, resid @ white.loadings)
    np.testing.assert_allclose(moves, (resid.T @ resid / 300 @ white.loadings).T, atol=1e-9)
    np.testing.assert_allclose(moves @ white.loadings, np.eye(3), atol=1e-9)  # one axis moves, the others stay
    np.testing.assert_allclose(middle, z.mean(0))


def test_limb_leads_are_sums_of_i_and_ii():
    beats = traversal.with_limb_leads({"I": np.array([[1.0]]), "II": np.array([[3.0]]), "V1": np.array([[0.5]])})
    assert list(beats) == ["I", "II", "III", "aVR", "aVL", "aVF", "V1"]
    assert [float(beats[k][0, 0]) for k in ("III", "aVR", "aVL", "aVF")] == [2.0, -2.0, -0.5, 2.5]


def components(tmp_path, cohort, count):
    """Checkpoint of a PCA, its embeddings and traits as files."""
    settings = config.Pca(kind="pca", components=count)
    pca.main([cohort.recordings], cohort.strips, cohort.beats, settings, config.Ingest(), tmp_path / "pca.pt")
    trained = files.load(tmp_path / "pca.pt")
    signals = data.open_signals([cohort.recordings], cohort.strips, cohort.beats)
    from ecgwas.embed.embed import embed, encoder_of, to_table

    z = to_table(signals, embed(encoder_of(trained), signals, 64))
    z.write_parquet(tmp_path / "z.parquet")
    names = [n for n in z.columns if n.startswith("e0")]
    people = z.select("person_id", sample_id="person_id")
    axes = z.select(
        (pl.col(n).cast(pl.Float64) / pl.col(n).std()).alias(f"axis{i + 1:02d}") for i, n in enumerate(names)
    )
    people.hstack(axes).write_parquet(tmp_path / "traits.parquet")
    return trained


def told(tmp_path, cohort, checkpoint):
    traversal.main(checkpoint, tmp_path / "z.parquet", tmp_path / "traits.parquet", cohort.recordings, cohort.beats,
                   tmp_path / "traversal.parquet")  # fmt: skip
    return pl.read_parquet(tmp_path / "traversal.parquet")


def test_components_decode_exactly_and_say_how_well(tmp_path, ecg_cohort):
    cohort = ecg_cohort(n=60)
    components(tmp_path, cohort, 12)
    found = told(tmp_path, cohort, tmp_path / "pca.pt")
    assert found.height == 12 * 5 * 12 * 220
    assert found["reason"].null_count() == found.height
    decoded = found.filter(pl.col("lead").is_in(data.MODEL_LEADS))  # limb leads of this toy are no sums
    assert decoded["r2"].min() > 0.8
    middle = found.filter(trait="axis01", sd=0.0, lead="II")["mv"].to_numpy()
    measured = np.concatenate([np.load(p) for p in cohort.beats])[:, LEADS.index("II")].mean(0) / 1000
    assert np.abs(middle - measured).max() < 0.05
    moved = {sd: found.filter(trait="axis01", sd=sd, lead="V3")["mv"].to_numpy() for sd in traversal.STEPS}
    np.testing.assert_allclose(moved[2.0] - moved[0.0], 2 * (moved[1.0] - moved[0.0]), atol=1e-6)  # linear


def test_a_bad_decoder_is_seen_to_be_bad(tmp_path, ecg_cohort):
    cohort = ecg_cohort(n=60)
    trained = components(tmp_path, cohort, 12)
    rng = np.random.default_rng(2)
    trained["weights"]["directions"] = torch.from_numpy(rng.permuted(trained["weights"]["directions"].numpy(), axis=1))
    files.save(trained, tmp_path / "bad.pt")
    assert told(tmp_path, cohort, tmp_path / "bad.pt")["r2"].max() < 0.2


def transformer(cohort, **settings):
    """A checkpoint of a small transformer with a decoder of zeros: it decodes the mean beat."""
    from ecgwas.encoder.backbones import make_encoder
    from ecgwas.encoder.decoder import Decoder
    from ecgwas.encoder.tokens import make_grid

    recipe = config.Transformer(width=16, depth=1, heads=2, embedding=4, **settings)
    signals = data.open_signals([cohort.recordings], cohort.strips, cohort.beats)
    values = {k: torch.from_numpy(np.asarray(v)) for k, v in statistics(signals, 1).items()}
    model = make_encoder(recipe, make_grid(recipe, config.Ingest()), values)
    decoder = Decoder(recipe, model.tokenizer)
    weights = {name: torch.zeros_like(w) for name, w in decoder.state_dict().items()}
    return {"kind": "transformer", "settings": recipe.model_dump(mode="json"), "ingest": config.Ingest().model_dump(),
            "statistics": values, "weights": model.state_dict(), "readout": weights}  # fmt: skip


def test_a_decoder_of_zeros_decodes_the_mean_in_millivolts(ecg_cohort):
    trained = transformer(ecg_cohort(n=24))
    decode, reason = traversal.decoder_of(trained)
    beats = decode(np.zeros((2, 4)))
    assert reason is None
    assert list(beats) == list(LEADS)
    np.testing.assert_allclose(beats["V1"][0], trained["statistics"]["beat_mean"][6].numpy(), rtol=1e-6)


def test_without_a_decoder_there_is_a_reason(tmp_path, ecg_cohort):
    cohort = ecg_cohort(n=24)
    components(tmp_path, cohort, 2)
    for name, trained in {"r": transformer(cohort, steps=0), "n": transformer(cohort) | {"readout": {}}}.items():
        files.save(trained, tmp_path / f"{name}.pt")
        found = told(tmp_path, cohort, tmp_path / f"{name}.pt")
        assert found["trait"].to_list() == ["axis01", "axis02"]
        assert found["reason"].null_count() == 0
