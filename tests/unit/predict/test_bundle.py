"""The bundle: what is exported is what scores, deterministic, refused when damaged; files mixed in one folder."""

import json
import shutil

import numpy as np
import polars as pl
import pytest

from ecgwas import config
from ecgwas.config import EcgSource, Ingest
from ecgwas.errors import UserError
from ecgwas.ingest import shard
from ecgwas.predict import score
from ecgwas.predict.methods import networks
from ecgwas.predict.release import apply, bundle

LICENCE = config.Release(licence="CC0-1.0")
FOLDERS = {"ecg_muse_xml": "muse", "ecg_philips_xml": "philips", "ecg_ukb_cardiosoft": "cardiosoft",
           "ecg_hl7_aecg_fda": "aecg", "ecg_cinc2021": "wfdb"}  # fmt: skip


def judged(folder):
    """Tables of the evaluation with one threshold and one calibration."""
    who = {"cohort": "toy", "method": "probe", "outcome": "big_t", "split": "test"}
    numbers = {"low": 0.1, "high": 0.9, "n": 9, "n_cases": 5}
    rows = [who | numbers | {"metric": m, "value": v, "label_share": 1.0}
            for m, v in (("auroc", 0.8125), ("platt_slope", 2.0), ("platt_intercept", -1.0))]  # fmt: skip
    pl.DataFrame(rows).write_parquet(folder / "performance.parquet")
    row = who | numbers | {"metric": "sensitivity", "value": 0.7, "threshold": -50.0}
    pl.DataFrame([row]).write_parquet(folder / "thresholds.parquet")
    return {name: folder / f"{name}.parquet" for name in ("performance", "thresholds")}


def test_the_folder_holds_all_and_is_the_same_again(world):
    predictor, tables = world.fit("probe"), judged(world.folder)
    for name in ("one", "two"):
        bundle.main(predictor, "Toy", LICENCE, world.folder / name, **tables)
    for name in (bundle.MODEL, bundle.CONFIG, bundle.CARD_FILE):
        assert (world.folder / "one" / name).read_bytes() == (world.folder / "two" / name).read_bytes()
    found, settings = bundle.load(world.folder / "one")
    again, first = networks.from_dict(found).state_dict(), networks.load(predictor).state_dict()
    assert all(again[name].equal(w) for name, w in first.items())
    entry = settings["outcomes"][0]
    assert entry["name"] == "big_t"
    assert entry["threshold"] == -50.0
    assert entry["calibration"] == {"slope": 2.0, "intercept": -1.0}
    assert Ingest(**settings["preprocessing"]) == Ingest()
    card = (world.folder / "one" / bundle.CARD_FILE).read_text()
    assert "0.812" in card
    assert "Not a medical device" in card


def test_damaged_and_foreign_bundles_are_refused(world):
    predictor, folder = world.fit("probe"), world.folder / "b"
    bundle.main(predictor, "Toy", LICENCE, folder)
    with pytest.raises(UserError, match="licence"):
        bundle.main(predictor, "Toy", config.Release(), folder)
    data = bytearray((folder / bundle.MODEL).read_bytes())
    data[-3] ^= 1
    (folder / bundle.MODEL).write_bytes(data)
    with pytest.raises(UserError, match="sha256"):
        bundle.load(folder)
    settings = json.loads((folder / bundle.CONFIG).read_text())
    (folder / bundle.CONFIG).write_text(json.dumps(settings | {"format": 99}))
    with pytest.raises(UserError, match="99"):
        bundle.load(folder)
    with pytest.raises(UserError, match="readable"):
        bundle.load(world.folder)


def through_the_pipeline(world, predictor, source):
    """{recording_id: logits} of a source by ingestion to files and predict.score."""
    folder = world.folder / source.format
    (folder / "signals").mkdir(parents=True)
    tables = {n: folder / f"{n}.parquet" for n in ("recordings", "excluded", "intervals", "quality")}
    strip, beat = (folder / "signals" / f"shard-000.{kind}.npy" for kind in ("strip", "beat"))
    shard.main(source, 0, Ingest(shards=1), strips=[strip], beat=beat, **tables)
    score.main(predictor, tables["recordings"], folder / "scores.parquet", [strip], [beat])
    return {r["recording_id"]: r for r in pl.read_parquet(folder / "scores.parquet").iter_rows(named=True)}


@pytest.mark.realdata
def test_real_files_of_many_formats_and_junk(world, realdata, tmp_path):
    predictor = world.fit("probe")
    bundle.main(predictor, "Toy", LICENCE, world.folder / "b", **judged(world.folder))
    mixed = tmp_path / "mixed"
    for name in FOLDERS:
        shutil.copytree(realdata / name, mixed / name)
    (mixed / "note.txt").write_text("hello")
    (mixed / "empty.xml").write_bytes(b"")
    (mixed / "other.xml").write_text("<recipe/>")
    (mixed / "broken.xml").write_text("<RestingECG><Waveform>")
    (mixed / "lost.hea").write_text("lost 12 500 5000\n")
    apply.main(world.folder / "b", mixed, tmp_path / "scores.csv")
    found = pl.read_csv(tmp_path / "scores.csv")
    by_file = {row["file"]: row for row in found.iter_rows(named=True)}
    for name in ("note.txt", "empty.xml", "other.xml", "broken.xml", "lost.hea"):
        assert by_file[name]["reason"]
        assert by_file[name]["big_t"] is None
    assert "unknown_format" in by_file["other.xml"]["reason"]
    scored = found.filter(pl.col("reason").is_null())
    for name in FOLDERS:
        assert scored["file"].str.starts_with(name).any(), name
    assert scored["above_threshold:big_t"].all()  # the threshold is far below
    assert scored["above_threshold:slow"].null_count() == scored.height  # it has none
    assert scored["big_t"].is_between(0, 1).all()
    for name, kind in FOLDERS.items():
        wanted = through_the_pipeline(world, predictor, EcgSource(format=kind, path=realdata / name))
        mine = scored.filter(pl.col("file").str.starts_with(name + "/"))
        assert set(mine["recording_id"].str.strip_prefix(name + "/")) == set(wanted), name
        for row in mine.iter_rows(named=True):
            logits = wanted[row["recording_id"].removeprefix(name + "/")]
            for outcome in ("slow", "big_t"):
                np.testing.assert_allclose(row[f"logit:{outcome}"], logits[outcome], atol=1e-5, rtol=1e-5)
            np.testing.assert_allclose(row["big_t"], 1 / (1 + np.exp(1 - 2 * logits["big_t"])), atol=1e-5)
