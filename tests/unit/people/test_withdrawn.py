"""The proof that no result holds an id: every kind of file is decoded, and only whole ids count."""

import gzip
import json
import os

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from ecgwas.people import scan, withdrawn
from ecgwas.people.scan import Listed

LISTED = Listed(frozenset({"1000015", "P-7", "of three words"}))


def hail_part(data):
    """A part of a Hail table of one short block."""
    block = len(data).to_bytes(4, "little") + pa.compress(data, codec="zstd", asbytes=True)
    return bytes([len(block)]) + block


def write_npz(path):
    np.savez(path, people=np.array(["x", "1000015"]))


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
    "broken.parquet": lambda path: path.write_text("PAR1 no table"),
}
CLEAN = {
    "a.parquet": lambda path: pl.DataFrame({"a": ["10000151", "XP-7", "1000015_2"], "b": [1.0, 2, 3]}).write_parquet(
        path
    ),
    "a.npz": lambda path: np.savez(path, values=np.full(3, 1000015.0)),
    "variants.parquet": lambda path: pl.DataFrame({"position": [1000015], "id": ["1:1000015:A:G"]}).write_parquet(path),
    "exports/a.tsv.gz": lambda path: path.write_bytes(gzip.compress(b"chrom\tpos\tbeta\n1\t1000015\t0.1000015\n")),
    "p.mt/index/part-0.idx": lambda path: path.write_bytes(b"xxxxxxx"),
    "span.json": lambda path: path.write_text('{"region": "1:900000-1000015", "share": 0.1000015}'),
    "a.txt": lambda path: path.write_text("P-70 of three wordsmiths 0.1000015x"),
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
