"""Every format: what is written is read, in our leads and millivolts; nothing that names a person comes out."""

import dataclasses
from pathlib import Path

import numpy as np
import polars as pl
import pydicom
import pyedflib
import pytest
import sierraecg
from tests.unit.ingest import writers
from tests.unit.ingest.writers import NAME, NUMBER, WRITERS

from ecgwas.config import LEADS, EcgSource, Ingest
from ecgwas.ecg.canonical import einthoven_residual, twelve_leads
from ecgwas.ingest import shard
from ecgwas.ingest.readers import cardiosoft, folder, open_source, privacy
from ecgwas.signals.recording import Recording, Unreadable

RATES = {"code15": 400.0, "mat": 400.0}


@pytest.fixture(scope="module")
def counts(sinus) -> np.ndarray:
    """[12, 4000] whole multiples of 5 µV that obey the sums of limb leads to within rounding."""
    return (np.rint(sinus[1][0][:, :4000] / 10) * 10).astype(int)


def written(kind: str, path: Path, counts: np.ndarray, **more) -> Recording:
    """The recording read from a file of `kind` that was just written."""
    fmt, write, settings = WRITERS[kind]
    write(path, "7_x", counts, **more)
    reader = open_source(EcgSource(format=fmt, path=path, **settings), 10.0)
    assert reader.entries.height == 1
    return reader.read(reader.entries["key"][0])


@pytest.mark.parametrize("kind", WRITERS)
def test_samples_come_back(tmp_path: Path, counts: np.ndarray, kind: str) -> None:
    recording = written(kind, tmp_path, counts)
    signal, unit = twelve_leads(recording)
    assert (unit, recording.rate_hz) == ("mV", RATES.get(kind, 500.0))
    assert recording.seconds == pytest.approx(4000 / recording.rate_hz)
    limit = 0.011 if kind == "muse" else 1e-4  # III and the augmented leads are made of I and II
    assert np.abs(signal * 1000 - counts).max() < 1000 * limit


@pytest.mark.parametrize("kind", WRITERS)
def test_rate_and_length_are_the_file_s(tmp_path: Path, counts: np.ndarray, kind: str) -> None:
    if kind in ("npy", "code15"):
        pytest.skip("the format has one rate")
    recording = written(kind, tmp_path, counts[:, :1000], rate_hz=250)
    assert (recording.rate_hz, recording.seconds) == (pytest.approx(250), pytest.approx(4.0))


@pytest.mark.parametrize("kind", ["philips", "scp"])
def test_without_compression(tmp_path: Path, counts: np.ndarray, kind: str) -> None:
    signal, _ = twelve_leads(written(kind, tmp_path, counts, compress=False))
    assert np.abs(signal * 1000 - counts).max() < 0.1


MACHINE = {
    "cardiosoft": {"heart_rate_bpm": 50, "pr_ms": 174, "qrs_ms": 92, "qt_ms": 440, "p_axis_deg": 56, "r_avr_mv": 0.103},
    "muse": {"heart_rate_bpm": 48, "pr_ms": 138, "qrs_ms": 96, "qt_ms": 452, "p_duration_ms": 106},
    "philips": {"heart_rate_bpm": 84, "pr_ms": 144, "qrs_ms": 84, "qt_ms": 352},
    "aecg": {"pr_ms": 148, "qrs_ms": 120},
    "dicom": {"pr_ms": 148, "qrs_ms": 96},
    "scp": {"p_duration_ms": 100, "pr_ms": 160, "qrs_ms": 96, "qt_ms": 440, "p_axis_deg": 40, "t_axis_deg": 60},
}
BANDWIDTHS = {"cardiosoft": (0.01, 100), "muse": (0.16, 150), "philips": (0.05, 150), "aecg": (None, 150)}
BANDWIDTHS |= {"dicom": (0.05, 150), "scp": (0.05, 150)}


@pytest.mark.parametrize("kind", MACHINE)
def test_what_the_machine_said(tmp_path: Path, counts: np.ndarray, kind: str) -> None:
    recording = written(kind, tmp_path, counts)
    assert {name: recording.machine[name] for name in MACHINE[kind]} == pytest.approx(MACHINE[kind])
    assert [line.lower().split(":")[0] for line in recording.statements] == ["sinus rhythm"]
    assert recording.bandwidth_hz == pytest.approx(BANDWIDTHS[kind])
    year = "2018-07-19T14:19:39" if kind == "cardiosoft" else "2010-01-19T15:19:22"
    assert recording.start_time == year


def test_an_empty_cell_of_the_lead_table_is_a_wave_that_is_not_there(tmp_path: Path, counts: np.ndarray) -> None:
    machine = written("cardiosoft", tmp_path, counts).machine
    assert "r_v5_mv" in machine
    assert "r_v6_mv" not in machine


@pytest.mark.parametrize("kind", ["cardiosoft", "dicom"])
def test_the_machine_s_median_beat(tmp_path: Path, counts: np.ndarray, kind: str) -> None:
    beat = written(kind, tmp_path, counts).median
    assert (beat.leads, beat.rate_hz) == (LEADS, 500)
    assert np.array_equal(beat.signal, counts[:, :600])


# ------------------------------------------------------------------------------------------------ people


@pytest.mark.parametrize("kind", WRITERS)
def test_no_name_leaves_a_reader(tmp_path: Path, counts: np.ndarray, kind: str) -> None:
    """Neither in the recording, nor in any table, nor in the detail of a fault of the damaged file."""
    there, out = tmp_path / "in", [tmp_path / f"{k}.npy" for k in range(6)]
    there.mkdir()
    recording = written(kind, there, counts)
    fields = [str(value) for name, value in dataclasses.asdict(recording).items() if name != "signal"]
    fmt, _, settings = WRITERS[kind]
    files = sorted(there.iterdir())
    assert any(NAME.encode() in data or NAME.encode("utf-16-le") in data for data in map(Path.read_bytes, files)) or (
        kind in ("parquet", "npy", "mat")  # compressed, or without a place for a name
    )
    for path in files:
        data = path.read_bytes()
        for damaged in (data, data[: len(data) // 2], data[:300], data.replace(b"500", b"5x0")):
            path.write_bytes(damaged)
            source = EcgSource(format=fmt, path=there, **settings)
            shard.main(source, 0, Ingest(shards=1), *out[:4], [out[4]], out[5])
            fields += [str(pl.read_parquet(table).to_dict(as_series=False)) for table in out[:4]]
            fields.append(str(pl.read_parquet(out[2])["detail"].to_list()))
        path.write_bytes(data)
    text = " ".join(fields).lower()
    assert not [secret for secret in (NAME.lower(), NUMBER, "19530508", "1953-05-08") if secret in text]


@pytest.mark.parametrize(
    "line",
    [
        "Confirmed by SMITH, JOHN (12) on 1/2/2010",
        "Reviewed: J. Smith MD",
        "When compared with ECG of 12-JAN-2010",
        "Referred by: Dr No",
        "Electronically signed",
        "MRN 1234567",
    ],
)
def test_lines_about_people_are_dropped(line: str) -> None:
    assert privacy.statements([line, "Sinus bradycardia", "QT 480 ms"]) == ("Sinus bradycardia", "QT 480 ms")


# --------------------------------------------------------------------------------- independent answers


def section_last(text: bytes, tag: bytes, end: bytes) -> tuple[bytes, ...]:
    """Pieces of the same file with one section moved behind all others."""
    start, stop = text.index(b"<" + tag), text.index(b"</" + tag + b">") + len(tag) + 3
    block, rest = text[start:stop], text[:start] + text[stop:]
    at = rest.index(end)
    return rest[:at], block, rest[at:]


def test_both_ways_through_cardiosoft_agree(tmp_path: Path, counts: np.ndarray) -> None:
    """Slices of bytes and the general parser: the same recording, also where a DTD or comment forces the latter."""
    plain = written("cardiosoft", tmp_path, counts)
    path = tmp_path / "7_x.xml"
    text = path.read_bytes()
    assert cardiosoft.fast(text) is not None
    variants = {
        "comment": text.replace(b"<StripData>", b"<!-- <StripData> --><StripData>"),
        "doctype": text.replace(b"<CardiologyXML>", b'<!DOCTYPE CardiologyXML SYSTEM "x.dtd"><CardiologyXML>'),
        "utf-16": text.decode("latin-1").replace("ISO-8859-1", "UTF-16").encode("utf-16"),
        "lines": text.replace(b"5,", b"5,\r\n\t\t"),
        "other case": text.replace(b"WaveformData lead=", b"WaveformData LEAD="),
        "order": b"".join(section_last(text, b"StripData", b"</CardiologyXML>")),
        "twice": text.replace(b"</CardiologyXML>", b"<CSWeb><StripData/></CSWeb></CardiologyXML>"),
    }
    assert len(variants["order"]) == len(text)
    assert variants["order"] != text
    for name, data in variants.items():
        path.write_bytes(data)
        if name in ("comment", "doctype", "utf-16", "order"):
            assert cardiosoft.fast(data) is None
        other = cardiosoft.parse(path)
        assert np.array_equal(other.signal, plain.signal), name
        assert (other.machine, other.statements) == (plain.machine, plain.statements)
        assert np.array_equal(other.median.signal, plain.median.signal)


def test_philips_compression_is_that_of_the_sierraecg_package(tmp_path: Path, counts: np.ndarray) -> None:
    recording = written("philips", tmp_path, counts)
    other = sierraecg.read_file(str(tmp_path / "7_x.xml"))
    assert np.array_equal(recording.signal / 5, [lead.samples for lead in other.leads])


def test_edf_is_that_of_the_edflib_package(tmp_path: Path, counts: np.ndarray) -> None:
    """Channels of two rates, and scales that are not one."""
    path = tmp_path / "7_x.edf"
    with pyedflib.EdfWriter(str(path), 2, pyedflib.FILETYPE_EDF) as file:
        for k, (label, rate) in enumerate((("EEG Fp1", 200), ("EMG chin", 100))):
            limit = 500 * (k + 1)
            file.setSignalHeader(k, pyedflib.highlevel.make_signal_header(label, "uV", rate, -limit, limit))
        file.writeSamples([counts[0, :2000] / 10.0, counts[1, :1000] / 10.0])
    reader = open_source(EcgSource(format="edf", path=tmp_path), 10.0)
    recording = reader.read("7_x.edf")
    with pyedflib.EdfReader(str(path)) as file:
        expected = [file.readSignal(k) for k in range(2)]
    assert (recording.leads, recording.rate_hz, recording.seconds) == (("Fp1", "chin"), 200, 10)
    assert np.allclose(recording.signal[0], expected[0], atol=1e-3)
    assert np.allclose(recording.signal[1, ::2], expected[1], atol=1e-3)


def test_dicom_samples_are_those_of_pydicom(tmp_path: Path, counts: np.ndarray) -> None:
    recording = written("dicom", tmp_path, counts)
    expected = pydicom.dcmread(tmp_path / "7_x.dcm").waveform_array(0).T
    assert np.array_equal(recording.signal, expected)


# ----------------------------------------------------------------------------------------------- traps


def test_zero_padding_and_the_dummy_row_of_code15(tmp_path: Path, counts: np.ndarray) -> None:
    recording = written("code15", tmp_path, counts[:, :2934])
    assert (recording.valid_from_s, recording.seconds) == (0.1, 2934 / 400)
    assert twelve_leads(dataclasses.replace(recording, units=("",) * 12))[1] == "unknown"
    source = EcgSource(format="code15", path=tmp_path)
    assert open_source(source, 10.0).entries["recording_id"].to_list() == ["1169160"]


def test_code15_by_its_table_of_exams(tmp_path: Path, counts: np.ndarray) -> None:
    writers.write_code15(tmp_path, "exams_part0", counts)
    table = tmp_path / "exams.csv"
    table.write_text("exam_id,patient_id,trace_file\n1169160,9,exams_part0.hdf5\n5,8,exams_part0.hdf5\n6,7,gone.hdf5\n")
    columns = {"recording_column": "exam_id", "person_column": "patient_id", "path_column": "trace_file"}
    reader = open_source(EcgSource(format="code15", path=tmp_path, recordings=table, **columns), 10.0)
    assert reader.entries["person_id"].to_list() == ["9", "8", "7"]
    found = []
    for key in reader.entries["key"]:
        try:
            found.append(reader.read(key).seconds)
        except Unreadable as fault:
            found.append(fault.detail)
    assert found == [10.0, "the file has no such exam", "file gone.hdf5 is missing"]


def test_a_print_of_leads_one_after_the_other_is_refused(tmp_path: Path, counts: np.ndarray) -> None:
    """4 groups of 3 leads x 2.5 s: no time is in all leads, so no sum of leads means anything."""
    one = written("dicom", tmp_path, counts, rate_hz=400, print_s=2.5)
    rows = {0: [0, 1, 2], 2: [3, 4, 5], 4: [6, 7, 8], 6: [9, 10, 11]}
    writers.write_aecg(tmp_path, "7_y", counts[:, :1000], starts=rows)
    other = open_source(EcgSource(format="aecg", path=tmp_path), 10.0).read("7_y.xml")
    for recording, length in ((one, 10.0), (other, 8.0)):
        assert (recording.simultaneous, recording.seconds) == (False, length)
        assert np.isfinite(recording.signal).mean() == pytest.approx(0.25)
        assert np.isnan(einthoven_residual(recording))
        with pytest.raises(Unreadable) as caught:
            twelve_leads(recording)
        assert caught.value.reason == "not_simultaneous"


def test_groups_that_do_not_say_when_they_start_are_not_taken_as_simultaneous(tmp_path: Path, counts) -> None:
    """Two groups of six leads: with one time offset they are one recording, without any nobody knows."""
    writers.write_dicom(tmp_path, "7_x", counts, print_s=2.0)
    data = pydicom.dcmread(tmp_path / "7_x.dcm")
    for offset, simultaneous in ((0, True), (None, False)):
        for group in data.WaveformSequence:
            group.MultiplexGroupTimeOffset = offset
        pydicom.dcmwrite(tmp_path / "7_x.dcm", data)
        assert open_source(EcgSource(format="dicom", path=tmp_path), 10.0).read("7_x.dcm").simultaneous is simultaneous


def test_a_wrong_checksum_is_refused(tmp_path: Path, counts: np.ndarray) -> None:
    for kind, suffix in (("muse", "xml"), ("scp", "scp")):
        written(kind, tmp_path, counts)
        path = tmp_path / f"7_x.{suffix}"
        data = bytearray(path.read_bytes())
        at = data.find(b"<WaveFormData>") + 500 if kind == "muse" else len(data) - 5000
        data[at] = ord("A") if data[at] != ord("A") else ord("B")
        path.write_bytes(bytes(data))
        with pytest.raises(Unreadable) as caught:
            open_source(EcgSource(format=kind, path=tmp_path), 10.0).read(path.name)
        assert caught.value.reason == "checksum"


def test_a_folder_is_listed_once_and_sorted(tmp_path: Path, counts: np.ndarray, monkeypatch) -> None:
    for name in ("b/2_x", "a/1_x", "c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.XML").write_text("<x/>")
    (tmp_path / ".hidden.xml").write_text("<x/>")
    listings = []
    scandir = folder.os.scandir
    monkeypatch.setattr(folder.os, "scandir", lambda path: listings.append(path) or scandir(path))
    reader = open_source(EcgSource(format="muse", path=tmp_path), 10.0)
    assert reader.entries.rows() == [("a/1_x", "1", "a/1_x.XML"), ("b/2_x", "2", "b/2_x.XML"), ("c", "c", "c.XML")]
    for key in reader.entries["key"]:
        with pytest.raises(Unreadable, match="wrong_format"):
            reader.read(key)
    assert len(listings) == 3
