"""Damaged and hostile files: each ends as an exclusion with its reason; nothing else is opened, memory is bounded."""

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pydicom
import pytest
import scipy.io
from tests.conftest import PROJECT
from tests.unit.ingest import writers
from tests.unit.ingest.writers import WRITERS

from ecgwas.config import EcgSource, Ingest
from ecgwas.ingest import shard
from ecgwas.ingest.readers import files, open_source
from ecgwas.signals.recording import Unreadable


def test_mutated_files_of_every_format(tmp_path: Path) -> None:
    """In a process of its own, since what it watches for cannot be unwatched."""
    command = [sys.executable, "-m", "benchmarks.fuzz", "--n", "400", "--seed", "11"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["files"], found["crashes"], found["outside"]) == (400, 0, 0), done.stdout[-2000:]
    assert found["slowest_s"] < 20
    assert found["memory_growth_mb"] < 500
    assert len(found["reasons"]) > 8


XML = {
    "laughs": '<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>',
    "outside file": '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/hostname">]>',
    "outside address": '<!DOCTYPE r [<!ENTITY a SYSTEM "http://127.0.0.1:9/">]>',
    "parameter entity": '<!DOCTYPE r [<!ENTITY % a SYSTEM "file:///etc/hostname"> %a;]>',
}


@pytest.mark.parametrize("kind", ["cardiosoft", "muse", "philips", "aecg"])
def test_entities_are_refused_and_a_million_elements_too(tmp_path: Path, sinus, kind: str) -> None:
    fmt, write, _ = WRITERS[kind]
    write(tmp_path, "7_x", sinus[1][0])
    path = tmp_path / "7_x.xml"
    data = path.read_bytes()
    text = data.decode("utf-16" if kind == "philips" else "latin-1")
    body = text[text.index("<", text.index("?>")) if "?>" in text else 0 :].removeprefix(
        '<!DOCTYPE RestingECG SYSTEM "restecg.dtd">'
    )
    hostile = {name: start + body for name, start in XML.items()}
    hostile["many"] = body.replace("><", ">" + "<a/>" * 400_000 + "<", 1)
    hostile["deep"] = body.replace("><", ">" + "<a>" * 1000 + "<", 1)
    for name, content in hostile.items():
        (tmp_path / f"{name}.xml").write_text(content)
    path.unlink()
    out = [tmp_path / f"{k}.npy" for k in range(6)]
    shard.main(EcgSource(format=fmt, path=tmp_path), 0, Ingest(shards=1), *out[:4], [out[4]], out[5])
    excluded = pl.read_parquet(out[2])
    assert excluded["recording_id"].to_list() == sorted(hostile)
    assert set(excluded["reason"]) == {"unsafe_xml"}


def reason(fmt: str, path: Path, **settings) -> str:
    """Why the one file of a folder cannot be read."""
    reader = open_source(EcgSource(format=fmt, path=path, **settings), 10.0)
    with pytest.raises(Unreadable) as caught:
        reader.read(reader.entries["key"][0])
    return caught.value.reason


def test_declared_sizes_take_no_memory(tmp_path: Path, sinus, monkeypatch) -> None:
    """Files that say they hold 10 GB and more."""
    counts, found = sinus[1][0], {}
    for kind in ("wfdb", "muse", "philips", "cardiosoft", "edf", "npy", "scp", "mat"):
        fmt, write, settings = WRITERS[kind]
        folder = tmp_path / kind
        folder.mkdir()
        write(folder, "7_x", counts)
        path = next(p for p in sorted(folder.iterdir()) if p.suffix != ".dat")
        data = path.read_bytes()
        if kind == "philips":
            data = data.decode("utf-16").replace('perchannel="10000"', 'perchannel="10000000000000"').encode("utf-16")
        n, huge = str(counts.shape[1]).encode(), b"5000000000"
        places = {"wfdb": (b" 500 5000", b" 500 5000000000"), "edf": (b"10      1       12", b"999999991       12")}
        places |= {"npy": (b"(5000, 12)", b"(5000000000, 12)"), "muse": (b">5000<", b">5000000000<")}
        old, new = places.get(kind, (b">" + n + b"<", b">" + huge + b"<"))
        data = data.replace(old, new)
        if kind == "scp":
            data = data.replace((5000).to_bytes(4, "little"), (4_000_000_000).to_bytes(4, "little"))
        path.write_bytes(data)
        if kind == "mat":
            monkeypatch.setattr(scipy.io, "whosmat", lambda path: [("feats", (12, 10**9), "single")])
        found[kind] = reason(fmt, folder, **settings)
    assert found.pop("npy") == "unreadable"  # the memory map is longer than the file
    assert set(found.values()) <= {"truncated", "too_large", "unreadable"}, found


def test_an_hdf5_link_to_another_file_is_not_followed(tmp_path: Path) -> None:
    writers.write_code15(tmp_path, "other", np.ones((12, 400)))
    (tmp_path / "in").mkdir()
    other = str(tmp_path / "other.hdf5")
    with h5py.File(tmp_path / "in/a.hdf5", "w") as file:
        file["exam_id"] = np.array([5, 0])
        file["tracings"] = h5py.ExternalLink(other, "tracings")
    assert reason("code15", tmp_path / "in") == "wrong_format"
    with h5py.File(tmp_path / "in/a.hdf5", "w") as file:
        file["exam_id"] = np.array([5, 0])
        layout = h5py.VirtualLayout((2, 4096, 12), np.float32)
        layout[:] = h5py.VirtualSource(other, "tracings", (2, 4096, 12))
        file.create_virtual_dataset("tracings", layout)
    assert reason("code15", tmp_path / "in") == "wrong_format"


def test_a_header_that_names_a_file_elsewhere_is_refused(tmp_path: Path, sinus, write_record) -> None:
    write_record(tmp_path, "secret", sinus[1][0])
    (tmp_path / "in").mkdir()
    header = (tmp_path / "secret.hea").read_text()
    for elsewhere in ("../secret.dat", str(tmp_path / "secret.dat")):
        (tmp_path / "in/x.hea").write_text(header.replace("secret.dat", elsewhere).replace("secret 12", "x 12"))
        assert reason("wfdb", tmp_path / "in") in ("unreadable", "unsafe_path")  # wfdb refuses some of them itself


def test_a_deflated_dicom_file_is_not_unpacked(tmp_path: Path, sinus) -> None:
    writers.write_dicom(tmp_path, "7_x", sinus[1][0])
    data = pydicom.dcmread(tmp_path / "7_x.dcm")
    data.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    pydicom.dcmwrite(tmp_path / "7_x.dcm", data, enforce_file_format=True)
    assert reason("dicom", tmp_path) == "unsupported"


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "x.npy").open("wb") as file:
        file.truncate(10 * 2**30)
    assert reason("files", tmp_path, rate_hz=500) == "too_large"


def test_memory_that_is_not_there_is_one_exclusion(tmp_path: Path, sinus, monkeypatch) -> None:
    writers.write_npy(tmp_path, "7_x", sinus[1][0])
    monkeypatch.setattr(files, "load", lambda path: (_ for _ in ()).throw(MemoryError))
    assert reason("files", tmp_path, rate_hz=500) == "too_large"
