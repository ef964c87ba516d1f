"""The proof that no result holds an id: every kind of file is decoded, and only whole ids count."""

import gzip
import json
import os
import pickle
import zipfile

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from ecgwas.config import Ingest
from ecgwas.people import scan, withdrawn
from ecgwas.people.scan import Listed

LISTED = Listed(frozenset({"1000015", "P-7", "of three words", "Müller-1", "R&D/3", "李"}))


def hail_part(data):
    """A part of a Hail table of one short block."""
    block = len(data).to_bytes(4, "little") + pa.compress(data, codec="zstd", asbytes=True)
    return bytes([len(block)]) + block


def write_npz(path):
    np.savez(path, people=np.array(["x", "1000015"]))


def write_pickle(path, value):
    """As PyTorch saves one."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"ids": value, "more": value}, protocol=2))


HOLDING = {
    "a.parquet": lambda path: pl.DataFrame({"person_id": ["1", "P-7"]}).write_parquet(path),
    "people.parquet": lambda path: pl.DataFrame({"eid": [5, 1000015]}).write_parquet(path),
    "list.parquet": lambda path: pl.DataFrame({"ids": [["x"], ["1000015"]]}).write_parquet(path),
    "detail.parquet": lambda path: pl.DataFrame({"detail": ["duplicate_of xml/1000015-2"]}).write_parquet(path),
    "a.npz": write_npz,
    "a.json": lambda path: path.write_text(json.dumps({"ids": ["P-7"]})),
    "a.log": lambda path: path.write_text("read of three words, and more"),
    "a.tsv.gz": lambda path: path.write_bytes(gzip.compress(b"a\tb\n1000015\t2\n") + gzip.compress(b"")),
    "exports/a.txt": lambda path: path.write_text("SNP POS WHO\nrs1 5 1000015\n"),
    "p.mt/cols/rows/parts/part-0": lambda path: path.write_bytes(hail_part(b"\x05S0005\x03P-7\x00")),
    "broken.mt/part-0": lambda path: path.write_bytes(b"xxxxxxx"),
    "page.html": lambda path: path.write_text("<td>P-7</td>"),
    "xml/1000015.txt": lambda path: path.write_text("nothing"),
    "large.txt": lambda path: path.write_bytes(b"x " * (scan.BLOCK // 2 - 2) + b"1000015 "),
    "recordings.parquet": lambda path: pl.DataFrame({"recording_id": ["1000015_20205_2_0"]}).write_parquet(path),
    "1000015_20205_2_0.json": lambda path: path.write_text("{}"),
    "ids.log": lambda path: path.write_text("reads x_1000015, y"),
    "scale.json": lambda path: path.write_text(json.dumps({"ids": ["Müller-1"]})),
    "slash.json": lambda path: path.write_text('["R&D\\/3"]'),
    "script.json": lambda path: path.write_text(json.dumps(["id 李!"])),
    "umlaut.html": lambda path: path.write_text("<td>M&uuml;ller-1</td>"),
    "number.html": lambda path: path.write_text("<td>R&amp;D/3</td>"),
    "dash.html": lambda path: path.write_text("1000015\u20132"),
    "version.log": lambda path: path.write_text("xml/2.1000015.xml"),
    "year.log": lambda path: path.write_text("2020:1000015"),
    "underscore.log": lambda path: path.write_text("2_1000015_1.xml"),
    "text.npy": lambda path: np.save(path, np.array(["1000015"])),
    "model.pt": lambda path: write_pickle(path, ["P-7", 1]),
    "q.mt/cols/rows/parts/part-0": lambda path: path.write_bytes(hail_part(b"\x071000015" + b"7A")),
    ".snakemake/log/a.snakemake.log": lambda path: path.write_text("KeyError: 'P-7'"),
    ".snakemake/slurm_logs/rule_x/5.log": lambda path: path.write_text("KeyError: 'P-7'"),
    "broken.parquet": lambda path: path.write_text("PAR1 no table"),
}
CLEAN = {
    "a.parquet": lambda path: pl.DataFrame({"a": ["10000151", "XP-7", "1000015x_2"], "b": [1.0, 2, 3]}).write_parquet(
        path
    ),
    "a.npz": lambda path: np.savez(path, values=np.full(3, 1000015.0)),
    "variants.parquet": lambda path: pl.DataFrame({"position": [1000015], "id": ["1:1000015:A:G"]}).write_parquet(path),
    "exports/a.tsv.gz": lambda path: path.write_bytes(gzip.compress(b"chrom\tpos\tbeta\n1\t1000015\t0.1000015\n")),
    "p.mt/index/part-0.idx": lambda path: path.write_bytes(b"xxxxxxx"),
    "span.json": lambda path: path.write_text('{"region": "1:900000-1000015", "share": 0.1000015}'),
    "a.txt": lambda path: path.write_text("P-70 of three wordsmiths 0.1000015x"),
    "names.txt": lambda path: path.write_text(
        "1_1000015_A_G chrX_1000015_T chr2:5-1000015 = 12.1000015, XMüller-1 李雷"
    ),
    ".snakemake/conda/list.txt": lambda path: path.write_text("P-7"),
    ".snakemake/metadata/x": lambda path: path.write_text("P-7"),
    "simulated/truth.json": lambda path: path.write_text('["P-7"]'),
}


def written(root, name, write):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path)
    return path


@pytest.mark.parametrize("name", HOLDING)
def test_a_file_that_holds_an_id_is_named(tmp_path, name):
    path = written(tmp_path, name, HOLDING[name])
    assert withdrawn.offending(tmp_path, LISTED) == [path]


@pytest.mark.parametrize("name", CLEAN)
def test_part_of_a_word_is_no_id_and_inputs_are_not_looked_at(tmp_path, name):
    written(tmp_path, name, CLEAN[name])
    assert withdrawn.offending(tmp_path, LISTED) == []


def test_models_that_saw_a_person_are_named_until_they_are_trained_again(tmp_path):
    recordings = tmp_path / "cohorts/c/ecg/recordings.parquet"
    release = written(tmp_path, "models/m/release/model.safetensors", lambda path: path.write_bytes(b"x"))
    checkpoint = written(tmp_path, "models/m/checkpoint.pt", lambda path: path.write_bytes(b"x"))
    written(tmp_path, "cohorts/c/ecg/recordings.parquet", HOLDING["a.parquet"])
    os.utime(recordings, (50, 50))
    os.utime(checkpoint, (100, 100))
    assert withdrawn.models_that_saw(tmp_path, LISTED, ["c"]) == [release.parent]  # the table holds a person
    assert withdrawn.models_that_saw(tmp_path, LISTED, ["other"]) == []
    pl.DataFrame({"person_id": ["1"]}).write_parquet(recordings)
    os.utime(recordings, (200, 200))
    assert withdrawn.models_that_saw(tmp_path, LISTED, ["c"]) == [release.parent]  # trained before it was made anew
    os.utime(checkpoint, (300, 300))
    assert withdrawn.models_that_saw(tmp_path, LISTED, ["c"]) == []


def written_at(root, name, time):
    path = written(root, name, lambda path: path.write_bytes(b"x"))
    os.utime(path, (time, time))
    return path


def test_a_bundle_saw_whom_its_encoder_or_its_predictor_saw(tmp_path):
    bundle = written_at(tmp_path, "predict/m/bundle-finetune/model.safetensors", 100).parent
    written_at(tmp_path, "models/m/checkpoint.pt", 50)
    predictor = written_at(tmp_path, "predict/m/finetune.pt", 90)
    table = written(tmp_path, "cohorts/fitted/ecg/recordings.parquet", HOLDING["a.parquet"])
    os.utime(table, (60, 60))
    assert withdrawn.models_that_saw(tmp_path, LISTED, ["other"]) == []
    assert withdrawn.models_that_saw(tmp_path, LISTED, ["other"], ["fitted"]) == [bundle]  # the table holds a person
    pl.DataFrame({"person_id": ["1"]}).write_parquet(table)
    os.utime(table, (60, 60))  # later than the encoder, which has not seen this cohort
    assert withdrawn.models_that_saw(tmp_path, LISTED, ["other"], ["fitted"]) == []
    assert withdrawn.models_that_saw(tmp_path, LISTED, ["fitted"], ["other"]) == [bundle]
    os.utime(predictor, (55, 55))
    assert withdrawn.models_that_saw(tmp_path, LISTED, ["other"], ["fitted"]) == [bundle]


def test_signals_that_no_table_describes_are_named(tmp_path):
    ingest = Ingest(shards=2)
    kept = [f"shard-{k:03d}.{kind}.npy" for k in (0, 1) for kind in ("strip", *ingest.beat_files)]
    for name in [f"{stem}.npy" for stem in ("shard-002.strip", "shard-000.beat-64x", ".shard-000.beat.npy.5a")] + kept:
        written_at(tmp_path, f"cohorts/c/ecg/signals/{name}", 1)
    written_at(tmp_path, "cohorts/c/ecg/recordings.parquet", 1)
    written_at(tmp_path, "cohorts/old/ecg/signals/shard-000.strip.npy", 1)
    written_at(tmp_path, "cohorts/cut/ecg/signals/shard-000.strip.npy", 1)
    found = {
        str(path.relative_to(tmp_path / "cohorts")).replace("/ecg/signals", ""): todo
        for path, todo in withdrawn.unproven_signals(tmp_path, ["c", "cut"], ingest).items()
    }
    unfinished = found.pop("cut/shard-000.strip.npy")
    assert "run the study again" in unfinished
    names = ["c/shard-002.strip.npy", "c/shard-000.beat-64x.npy", "c/.shard-000.beat.npy.5a.npy"]
    assert found == dict.fromkeys([*names, "old/shard-000.strip.npy"], withdrawn.STALE)


@pytest.fixture
def simulated(tmp_path):
    """A study of a simulated cohort whose person p1, sample s1, withdrew; and its results."""
    written(tmp_path, "config/cohorts/c.yaml", lambda path: path.write_text(COHORT))
    written(tmp_path, "config/s.yaml", lambda path: path.write_text("study: s\ncohorts: [c]\nmodels: [intervals]\n"))
    written(tmp_path, "w.txt", lambda path: path.write_text("p1\n"))
    bridge = "results/s/simulated/c/id_bridge.csv"
    written(tmp_path, bridge, lambda path: path.write_text("person_id,sample_id\np1,s1\np2,s2\n"))
    return tmp_path


COHORT = "cohort: c\nwithdrawn: w.txt\nsimulate: {kind: cohort, seed: 1}\n"


def prove(root, capsys):
    """Standard output of the proof, and what it ends with."""
    try:
        withdrawn.main(root / "config/s.yaml", root=root)
        said = None
    except SystemExit as error:
        said = error.code
    return capsys.readouterr().out, said


def test_the_bridge_of_a_simulated_cohort_is_under_the_results(simulated, capsys):
    said, ended = prove(simulated, capsys)
    assert ended is None
    assert "no file holds any of the 1 ids" in said
    written(simulated, "results/s/a.log", lambda path: path.write_text("sample s1"))
    said, ended = prove(simulated, capsys)
    assert "1 files and models" in ended
    assert "a.log: holds an id" in said


@pytest.mark.parametrize(
    ("name", "todo"),
    [
        ("cohorts/c/people.txt", "run the study again; if it is named then too"),
        ("cohorts/c/gwas/intervals/x.txt", "run the study again; if it is named then too"),
        ("cohorts/c/gwas/old/x.txt", "no longer of the study: delete it"),
        ("cohorts/c/embeddings/old.windows.txt", "no longer of the study: delete it"),
        ("cohorts/c/predict/old/scores.txt", "no longer of the study: delete it"),
        ("cohorts/old/people.txt", "no longer of the study: delete it"),
        ("models/old/history.txt", "no longer of the study: delete it"),
        (".snakemake/log/x.log", "a log of Snakemake: delete it"),
        ("cohorts/c/ecg/parts/000/x.txt", "--notemp kept: delete it"),
    ],
)
def test_what_to_do_is_said_of_every_file(simulated, capsys, name, todo):
    path = written(simulated, f"results/s/{name}", lambda path: path.write_text("p1"))
    said, ended = prove(simulated, capsys)
    assert f"{path}: holds an id of a list of withdrawn people; " in said
    assert todo in said
    assert ended


def test_stale_signals_and_a_bundle_keep_the_proof_from_holding(simulated, capsys):
    signals = written_at(simulated, "results/s/cohorts/c/ecg/signals/shard-999.strip.npy", 1)
    bundle = written_at(simulated, "results/s/predict/old/bundle-x/model.safetensors", 1)
    table = simulated / "results/s/cohorts/c/ecg/recordings.parquet"
    pl.DataFrame({"person_id": ["p2"]}).write_parquet(table)
    said, ended = prove(simulated, capsys)
    assert f"{signals}: signals that no table of recordings describes; no longer of the study: delete it" in said
    assert f"{bundle.parent}: a model that was trained on recordings of a person" in said
    assert "2 files and models" in ended
