"""Optional fields of a format's standard: a file without them is read as the standard says."""

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import wfdb
from tests.unit.ingest import writers

from ecgwas.config import EcgSource
from ecgwas.ingest.readers import edf, open_source
from ecgwas.signals.recording import Recording, Unreadable

FORMATS = ["8", "16", "24", "32", "61", "80", "160", "212", "310", "311"]


def read(folder: Path, name: str, seconds: float = 1e3) -> Recording:
    return open_source(EcgSource(path=folder), seconds).read(name)


def without_length(folder: Path, name: str, length: str) -> None:
    """The record line of a header with another number of samples, or none, and neither date nor time."""
    path = folder / f"{name}.hea"
    first, _, rest = path.read_text().partition("\n")
    path.write_text(" ".join([*first.split()[:3], length]).strip() + "\n" + rest)


@pytest.mark.realdata
@pytest.mark.parametrize("length", ["", "0"])
@pytest.mark.parametrize("name", ["binformats", "flacformats", "test01_00s", "test01_00s_frame", "s0010_re", "100"])
def test_length_of_real_records_follows_from_their_files(
    realdata: Path, tmp_path: Path, name: str, length: str
) -> None:
    """Every storage format, several signal files, several samples a frame and FLAC: as the full header reads."""
    for path in (realdata / "ecg_wfdb_samples").glob(f"{name.removesuffix('_frame')}*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    whole = read(tmp_path, name)
    without_length(tmp_path, name, length)
    found = read(tmp_path, name)
    assert (found.leads, found.rate_hz) == (whole.leads, whole.rate_hz)
    n = whole.signal.shape[1]
    assert n <= found.signal.shape[1] <= n + 2  # bytes behind the last whole group of a packed format
    assert np.array_equal(found.signal[:, :n], whole.signal, equal_nan=True)


@pytest.mark.parametrize("length", ["", "0"])
@pytest.mark.parametrize("fmt", FORMATS)
def test_length_by_format(tmp_path: Path, fmt: str, length: str) -> None:
    """A file of 1,000 frames of three signals, 100 bytes in front: the length is 1,000, give or take a packed group."""
    taken = Fraction({"212": Fraction(3, 2), "310": Fraction(4, 3), "311": Fraction(4, 3)}.get(fmt, 0))
    taken = taken or Fraction({"8": 1, "80": 1, "16": 2, "61": 2, "160": 2, "24": 3, "32": 4}[fmt])
    (tmp_path / "x.dat").write_bytes(bytes(100) + bytes(range(256)) * 60)
    data = (tmp_path / "x.dat").read_bytes()[: 100 + int(1000 * 3 * taken)]
    (tmp_path / "x.dat").write_bytes(data)
    lines = [f"x.dat {fmt}+100 200/mV 12 0 0 0 0 {name}" for name in ("I", "II", "V1")]
    (tmp_path / "x.hea").write_text("\n".join([f"x 3 500 {length}".strip(), *lines]) + "\n")
    found = read(tmp_path, "x")
    assert found.signal.shape == (3, 1000)
    (tmp_path / "x.hea").write_text("\n".join(["x 3 500 1000", *lines]) + "\n")
    assert np.array_equal(found.signal, read(tmp_path, "x").signal, equal_nan=True)
    assert found.seconds == 2


def test_two_signal_files_and_the_shorter_one_decides(tmp_path: Path, sinus) -> None:
    counts = sinus[1][0][:2].astype("<i2")
    (tmp_path / "a.dat").write_bytes(counts[0].tobytes())
    (tmp_path / "b.dat").write_bytes(counts[1, :4000].tobytes() + b"\0")
    (tmp_path / "x.hea").write_text("x 2 500\na.dat 16 1000/mV 16 0 0 0 0 I\nb.dat 16 1000/mV 16 0 0 0 0 II\n")
    found = read(tmp_path, "x")
    assert np.allclose(found.signal, counts[:, :4000] / 1000, atol=1e-6)


def test_only_what_header_5_requires(tmp_path: Path) -> None:
    """No rate (250 Hz), no length, no gain (200 per mV), no names: the leads are those of the settings."""
    counts = np.random.default_rng(1).integers(-500, 500, (1000, 2)).astype("<i2")
    (tmp_path / "x.dat").write_bytes(counts.tobytes())
    (tmp_path / "x.hea").write_text("x 2\nx.dat 16\nx.dat 16\n")
    found = open_source(EcgSource(path=tmp_path, leads=["I", "II"]), 1e3).read("x")
    assert (found.leads, found.units, found.rate_hz, found.seconds) == (("I", "II"), ("mV", "mV"), 250, 4)
    assert np.allclose(found.signal, counts.T / 200)


def test_a_record_of_segments_without_a_length(tmp_path: Path, sinus, write_record) -> None:
    write_record(tmp_path, "s1", sinus[1][0])
    write_record(tmp_path, "s2", sinus[1][1])
    (tmp_path / "whole.hea").write_text("whole/3 12 500\ns1 5000\n~ 500\ns2 5000\n")
    without_length(tmp_path, "s2", "")
    found = read(tmp_path, "whole")
    expected = np.concatenate([sinus[1][0], np.full((12, 500), np.nan), sinus[1][1]], axis=1)
    assert np.allclose(found.signal * 1000, expected, atol=1e-3, equal_nan=True)
    assert found.seconds == 21


@pytest.mark.parametrize("length", ["-1", "0", "3", "99"])
def test_edf_blocks_that_are_not_known_follow_from_the_size(tmp_path: Path, sinus, length: str) -> None:
    """-1 by the standard; other numbers are taken at their word."""
    writers.write_edf(tmp_path, "x", sinus[1][0])
    path = tmp_path / "x.edf"
    whole = edf.parse(path).signal
    data = path.read_bytes()
    path.write_bytes(data[:236] + f"{length:<8}".encode() + data[244:] + b"\0" * (length == "-1"))
    if length in ("0", "99"):
        with pytest.raises(Unreadable):
            edf.parse(path)
    else:
        assert np.array_equal(edf.parse(path).signal, whole[:, : {"-1": 5000, "3": 1500}[length]])


NAMES = ["my rec", "rec (1)", "rec 1", "rec.v2", "a  b", "7 16 x"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", ["5000", ""])
def test_records_whose_names_hold_blanks(tmp_path: Path, sinus, write_record, name: str, length: str) -> None:
    """In the name of the file, of the record and of its signal file; listed, and named by a table."""
    write_record(tmp_path, "x", sinus[1][0])
    text = (tmp_path / "x.hea").read_text().replace("x.dat", f"{name}.dat").replace("x 12", f"{name} 12", 1)
    (tmp_path / f"{name}.hea").write_text(text.replace(" 500 5000", f" 500 {length}", 1))
    (tmp_path / "x.dat").rename(tmp_path / f"{name}.dat")
    (tmp_path / "x.hea").unlink()
    reader = open_source(EcgSource(path=tmp_path), 10.0)
    assert reader.entries["key"].to_list() == [name]
    assert np.allclose(reader.read(name).signal * 1000, sinus[1][0], atol=1e-3)


@pytest.mark.parametrize("written", ["sub/a_0", "sub/a_0.hea", "sub/a_0.dat", "./sub/a_0.hea"])
def test_a_table_may_name_a_record_by_its_files(tmp_path: Path, sinus, write_record, written: str) -> None:
    (tmp_path / "sub").mkdir()
    write_record(tmp_path / "sub", "a_0", sinus[1][0])
    table = tmp_path / "recordings.csv"
    table.write_text(f"recording_id,person_id,path\n1,1,{written}\n")
    reader = open_source(EcgSource(path=tmp_path, recordings=table), 10.0)
    assert reader.read(reader.entries["key"][0]).seconds == 10


def test_a_table_may_leave_out_the_suffix_of_a_file(tmp_path: Path, sinus) -> None:
    writers.write_edf(tmp_path, "x", sinus[1][0])
    table = tmp_path / "recordings.csv"
    table.write_text("recording_id,person_id,path\n1,1,x\n2,2,y\n")
    reader = open_source(EcgSource(format="edf", path=tmp_path, recordings=table), 10.0)
    assert reader.read("x").seconds == 10
    with pytest.raises(Unreadable, match="missing"):
        reader.read("y")


def test_a_date_that_is_none_is_null(tmp_path: Path, sinus, write_record) -> None:
    for name, date, expected in (
        ("a", "12:30:00 31/02/2011", None),
        ("b", "25:00:00 01/02/2011", None),
        ("c", "12:30:00 01/02/2011", "2011-02-01T12:30:00"),
        ("d", "12:30:00 00/00/0000", None),
        ("e", "12:30:00.250 01/02/2011", "2011-02-01T12:30:00"),
        ("f", "30:15 01/02/2011", "2011-02-01T00:30:15"),
    ):
        for fmt in ("16", "24"):
            write_record(tmp_path, name + fmt, sinus[1][0], fmt)
            path = tmp_path / f"{name}{fmt}.hea"
            path.write_text(path.read_text().replace(" 500 5000", f" 500 5000 {date}", 1))
            found = read(tmp_path, name + fmt)
            assert (found.start_time, found.seconds) == (expected, 10.0)


def test_a_folder_of_mat_files_alone_says_which_format_reads_them(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(b"x")
    with pytest.raises(Exception, match=r"no WFDB header .*ecg\.format: files"):
        _ = open_source(EcgSource(path=tmp_path), 10.0).entries


def test_the_package_agrees(tmp_path: Path, sinus, write_record) -> None:
    """What is read without a length is what wfdb.rdrecord reads with it."""
    write_record(tmp_path, "a", np.clip(sinus[1][0], -2000, 2000), "212")
    expected = wfdb.rdrecord(str(tmp_path / "a")).p_signal.T
    without_length(tmp_path, "a", "")
    assert np.allclose(read(tmp_path, "a").signal, expected)


OPTIONAL = {
    "muse": [
        r"<LeadSampleCountTotal>\d+</LeadSampleCountTotal>",
        r"<SampleExponent>0</SampleExponent>",
        r"<LeadSampleSize>2</LeadSampleSize>",
        r"<LeadAmplitudeUnits>MICROVOLTS</LeadAmplitudeUnits>",
        r"<LeadDataCRC32>\d+</LeadDataCRC32>",
    ],
    "cardiosoft": [r"<ChannelSampleCountTotal[^>]*>\d+</ChannelSampleCountTotal>"],
    "philips": [r'\sdurationperchannel="\d+"', r'\snumberofleads="\d+"', r'\sleadlabels="[^"]*"'],
    "aecg": [r"<head\s[^>]*/>"],
}


@pytest.mark.parametrize(("fmt", "field"), [(fmt, field) for fmt, fields in OPTIONAL.items() for field in fields])
def test_fields_of_xml_that_follow_from_the_samples(tmp_path: Path, sinus, fmt: str, field: str) -> None:
    """A count that is absent is what the samples say; one that is no number is refused."""
    writers.WRITERS[fmt][1](tmp_path, "7_x", sinus[1][0])
    path = tmp_path / "7_x.xml"
    reader = open_source(EcgSource(format=fmt, path=tmp_path), 10.0)
    encoding = "utf-16" if path.read_bytes()[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
    whole, text = reader.read("7_x.xml"), path.read_text(encoding=encoding)
    without, n = re.subn(field, "", text)
    assert n > 0
    path.write_text(without, encoding=encoding)
    found = reader.read("7_x.xml")
    assert np.array_equal(found.signal, whole.signal)
    assert (found.leads, found.rate_hz, found.seconds) == (whole.leads, whole.rate_hz, whole.seconds)
    if "Count" in field or "duration" in field:
        lie = re.sub(field, lambda match: re.sub(r"\d+(?=[<\"])", "many", match[0]), text)
        path.write_text(lie, encoding=encoding)
        with pytest.raises(Unreadable):
            reader.read("7_x.xml")
