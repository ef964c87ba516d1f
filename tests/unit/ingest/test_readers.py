"""Readers: what is written is read; a bad record is `Unreadable`, a bad source a `UserError` that says what to do."""

import lzma
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ecgwas.config import LEADS, EcgSource
from ecgwas.ecg.canonical import twelve_leads
from ecgwas.errors import UserError
from ecgwas.ingest.readers import open_source
from ecgwas.signals.recording import Unreadable


@pytest.mark.parametrize("fmt", ["16", "24", "32", "212"])
def test_wfdb_gives_back_what_was_written(tmp_path: Path, sinus, write_record, fmt: str) -> None:
    counts = np.clip(sinus[1][0], -2000, 2000)
    write_record(tmp_path, "x_1", counts, fmt)
    reader = open_source(EcgSource(path=tmp_path), 10.0)
    assert reader.entries.rows() == [("x_1", "x", "x_1")]
    signal, unit = twelve_leads(reader.read("x_1"))
    assert unit == "mV"
    assert np.abs(signal * 1000 - counts).max() < 1e-3


def test_only_the_beginning_of_a_long_record_is_read(folder: Path) -> None:
    recording = open_source(EcgSource(path=folder), 4.0).read("a_0")
    assert (recording.signal.shape[1], recording.seconds) == (2000, 10.0)


def test_table_names_records_and_people(folder: Path) -> None:
    table = folder / "recordings.csv"
    table.write_text("recording_id,person_id,path\n007,01,b_0\n003,02,a_0\n")
    reader = open_source(EcgSource(path=folder, recordings=table), 10.0)
    assert reader.entries.rows() == [("003", "02", "a_0"), ("007", "01", "b_0")]


def test_truncated_signal_file(folder: Path) -> None:
    data = folder / "a_0.dat"
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(Unreadable, match=r"119999 bytes, its header needs 120000") as caught:
        open_source(EcgSource(path=folder), 10.0).read("a_0")
    assert caught.value.reason == "truncated"


@pytest.mark.parametrize(
    "content", [b"", b"a_0 12 500 5000\n", b"\x00\xff\xfe\x81", b"a_0 two leads\n", b"a_0 0 500 0\n"]
)
def test_a_damaged_header_is_unreadable(folder: Path, content: bytes) -> None:
    (folder / "a_0.hea").write_bytes(content)
    with pytest.raises(Unreadable) as caught:
        open_source(EcgSource(path=folder), 10.0).read("a_0")
    assert caught.value.reason == "unreadable"


def test_a_missing_file_is_unreadable(folder: Path) -> None:
    reader = open_source(EcgSource(path=folder), 10.0)
    (folder / "a_0.dat").unlink()
    with pytest.raises(Unreadable, match="missing"):
        reader.read("a_0")
    with pytest.raises(Unreadable, match="missing"):
        reader.read("nowhere/z")


def test_a_renamed_record_is_read(folder: Path, tmp_path: Path) -> None:
    """Its header still calls the signal file by the old name."""
    expected = open_source(EcgSource(path=folder), 10.0).read("a_0").signal
    for suffix in ("hea", "dat"):
        (folder / f"a_0.{suffix}").rename(folder / f"z_9.{suffix}")
    assert np.array_equal(open_source(EcgSource(path=folder), 10.0).read("z_9").signal, expected)


def array_source(path: Path, array: np.ndarray, **settings) -> EcgSource:
    """`array` written to `path` (.npy or .npy.xz), as a source."""
    if path.suffix == ".xz":
        with lzma.open(path, "wb") as file:
            np.save(file, array)
    else:
        np.save(path, array)
    return EcgSource(format="array", path=path, **{"rate_hz": 500, "microvolts_per_count": 5} | settings)


@pytest.mark.parametrize("name", ["x.npy", "x.npy.xz"])
def test_array_gives_back_what_was_written(tmp_path: Path, sinus, name: str) -> None:
    array = (sinus[1][:3] // 5).astype(np.int16)
    reader = open_source(array_source(tmp_path / name, array), 10.0)
    assert reader.entries["recording_id"].to_list() == ["0", "1", "2"]
    signal, unit = twelve_leads(reader.read(1))
    assert unit == "mV"
    assert np.allclose(signal, array[1] * 0.005, atol=1e-5)


def test_missing_samples_at_the_end_are_not_length(tmp_path: Path) -> None:
    array = np.ones((1, 12, 5000), np.int16)
    array[:, :, 4000:] = -32768
    assert open_source(array_source(tmp_path / "x.npy", array), 10.0).read(0).seconds == 8.0


def test_array_without_count_size_has_unknown_unit(tmp_path: Path) -> None:
    source = array_source(tmp_path / "x.npy", np.ones((1, 12, 5000), np.int16), microvolts_per_count=None)
    assert twelve_leads(open_source(source, 10.0).read(0))[1] == "unknown"


TABLES = {
    "no columns": "id,person_id,path\n1,1,a\n",
    "repeated ids": "recording_id,person_id,path\n1,1,a\n1,2,b\n",
    "blank ids": "recording_id,person_id,path\n1,,a\n2,2,b\n",
    "empty table": "recording_id,person_id,path\n",
}
ARRAYS = {
    "wrong shape": {"array": np.zeros((12, 100), np.int16)},
    "wrong leads": {"leads": list(LEADS[:8])},
    "no rate": {"rate_hz": None},
}


def bad_source(case: str, path: Path) -> EcgSource:
    """A source with one fault."""
    table = path / "table.csv"
    if case in TABLES or case == "missing table":
        if case in TABLES:
            table.write_text(TABLES[case])
        return EcgSource(path=path, recordings=table)
    if case in ARRAYS:
        return array_source(path / "x.npy", **({"array": np.zeros((2, 12, 100), np.int16)} | ARRAYS[case]))
    if case == "wrong length":
        table.write_text("recording_id,person_id\n1,1\n")
        return array_source(path / "x.npy", np.zeros((2, 12, 100), np.int16), recordings=table)
    if case == "not an array":
        (path / "x.npy").write_text("hello")
        return EcgSource(format="array", path=path / "x.npy", rate_hz=500)
    return EcgSource(path=path / "absent" if case == "missing folder" else path)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("missing folder", "does not exist; give the folder"),
        ("empty folder", "has no WFDB header"),
        ("missing table", "no such file"),
        ("no columns", r"no column recording_id \(ecg.recording_column\)"),
        ("repeated ids", r"a recording appears more than once \(line 2 and line 3 have the same"),
        ("blank ids", r"line 2: no person_id"),
        ("empty table", "and no row"),
        ("wrong length", "has 1 rows but .* holds 2 recordings"),
        ("wrong shape", r"has shape \(12, 100\)"),
        ("wrong leads", "with the 8 leads of ecg.leads"),
        ("no rate", "ecg.rate_hz is missing"),
        ("not an array", "not a readable .npy"),
    ],
)
def test_bad_sources_say_what_to_do(tmp_path: Path, case: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        _ = open_source(bad_source(case, tmp_path), 10.0).entries


def test_parquet_table(folder: Path) -> None:
    pl.DataFrame({"eid": [5], "who": [9], "path": ["c_0"]}).write_parquet(folder / "t.parquet")
    source = EcgSource(path=folder, recordings=folder / "t.parquet", recording_column="eid", person_column="who")
    assert open_source(source, 10.0).entries.rows() == [("5", "9", "c_0")]
