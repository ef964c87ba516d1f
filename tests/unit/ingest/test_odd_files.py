"""Files that are odd, but that cohorts have: read as meant, or refused with a reason; never misread in silence."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.unit.ingest import writers
from tests.unit.ingest.test_shard import run

from ecgwas.config import LEADS, EcgSource, Ingest
from ecgwas.ecg.canonical import einthoven_residual
from ecgwas.ecg.leads import lead_row
from ecgwas.ecg.quality import Excluded
from ecgwas.errors import UserError
from ecgwas.ingest.process import process
from ecgwas.ingest.readers import cardiosoft, dicom, edf, files, open_source
from ecgwas.ingest.readers.folder import scan
from ecgwas.signals.recording import Recording, Unreadable

ONE = Ingest(shards=1, min_leads=1)


@pytest.fixture
def counts(sinus) -> np.ndarray:
    """[12, 5000] microvolts of sinus rhythm."""
    return sinus[1][0]


def as_recording(counts: np.ndarray, unit: str = "uV", leads: tuple[str, ...] = LEADS) -> Recording:
    signal = counts.astype(np.float32)
    return Recording(leads, (unit,) * len(leads), signal, 500.0, signal.shape[1] / 500)


# ------------------------------------------------------------------------------------------- CardioSoft


def test_cardiosoft_with_the_strip_before_the_measurements(tmp_path: Path, counts: np.ndarray) -> None:
    writers.write_cardiosoft(tmp_path, "7_x", counts)
    path = tmp_path / "7_x.xml"
    text = path.read_bytes()
    expected = cardiosoft.parse(path)
    start, stop = text.index(b"<StripData"), text.index(b"</StripData>") + len(b"</StripData>")
    at = text.index(b"<RestingECGMeasurements")
    moved = text[:at] + text[start:stop] + text[at:start] + text[stop:]
    cut = moved.index(b"<FullDisclosure>"), moved.index(b"</FullDisclosure>") + len(b"</FullDisclosure>")
    path.write_bytes(moved[: cut[0]] + moved[cut[1] :])
    found = cardiosoft.parse(path)
    assert np.array_equal(found.signal, expected.signal)
    assert np.array_equal(found.median.signal, expected.median.signal)


def test_cardiosoft_with_a_comma_behind_the_last_sample(tmp_path: Path, counts: np.ndarray) -> None:
    writers.write_cardiosoft(tmp_path, "7_x", counts)
    path = tmp_path / "7_x.xml"
    expected = cardiosoft.parse(path).signal
    path.write_bytes(path.read_bytes().replace(b"</WaveformData>", b",</WaveformData>"))
    assert np.array_equal(cardiosoft.parse(path).signal, expected)


# ------------------------------------------------------------------------------------------- units, leads


@pytest.mark.parametrize("unit", ["", "adu", "microvolts"])
def test_counts_that_do_not_fit_are_refused(counts: np.ndarray, unit: str) -> None:
    recording = as_recording(counts, unit)
    if unit == "microvolts":
        assert process(recording, ONE).recording["unit"] == "mV"
    else:
        with pytest.raises(Excluded, match=r"unit unknown.*ecg\.unit") as caught:
            process(recording, ONE)
        assert caught.value.reason == "implausible_amplitude"


def test_inverted_leads_are_not_the_leads() -> None:
    assert [lead_row(name) for name in ("-aVR", "MDC_ECG_LEAD_-aVR", "aVR", "V-1", "DII", "I (mV)", "MLII")] == [
        None, None, 3, 6, 1, 0, None
    ]  # fmt: skip


def test_einthoven_is_checked_without_the_augmented_leads(counts: np.ndarray) -> None:
    three = counts[:3].copy()
    assert einthoven_residual(as_recording(three, leads=LEADS[:3])) < 2
    three[2] *= -1
    found = process(as_recording(three, leads=LEADS[:3]), ONE)
    assert found.recording["einthoven_uv"] > 100
    assert "limb_leads_disagree" in found.quality["warnings"]


def test_a_lone_third_lead_stays(counts: np.ndarray) -> None:
    found = process(as_recording(counts[2:3], leads=("III",)), ONE)
    assert [LEADS[k] for k in np.flatnonzero((found.strip != -32768).any(axis=1))] == ["III"]


def test_an_infinite_sample_is_a_missing_one(counts: np.ndarray) -> None:
    recording = as_recording(counts)
    expected = process(recording, ONE)
    signal = recording.signal.copy()
    signal[7, 1000] = np.inf
    found = process(dataclasses.replace(recording, signal=signal), ONE)
    assert np.abs(found.strip.astype(int) - expected.strip).max() < 60
    assert np.isinf(signal).sum() == 1  # the reader's array is as it was


def test_a_gap_that_may_hide_a_beat_is_refused(counts: np.ndarray) -> None:
    for samples, refused in ((20, False), (95, True)):
        signal = counts.astype(np.float32)
        signal[:, 2000 : 2000 + samples] = np.nan
        if refused:
            with pytest.raises(Excluded, match=r"0\.19 s missing in all leads"):
                process(as_recording(signal), ONE)
        else:
            process(as_recording(signal), ONE)


# ------------------------------------------------------------------------------------------- rates


def test_times_rounded_to_a_millisecond_give_the_rate(tmp_path: Path) -> None:
    n = np.arange(3600)
    assert files.rate_of(np.round(n / 360, 3)) == 360
    assert files.rate_of(n / 62.4725) == pytest.approx(62.4725, rel=1e-4)
    uneven = n / 360 + np.where(n > 1800, 0.5, 0)
    with pytest.raises(Unreadable, match="not even"):
        files.rate_of(uneven)


def test_a_fast_channel_beside_the_ecg_is_left_out(tmp_path: Path, counts: np.ndarray) -> None:
    writers.write_edf(tmp_path, "p", counts, 500)
    header = (tmp_path / "p.edf").read_bytes()
    texts = with_channel(header, counts, "Audio", 8000)
    (tmp_path / "q.edf").write_bytes(texts)
    plain, beside = edf.parse(tmp_path / "p.edf"), edf.parse(tmp_path / "q.edf")
    assert (beside.leads, beside.rate_hz) == (plain.leads, 500)
    assert np.array_equal(beside.signal, plain.signal)


def with_channel(edf_file: bytes, counts: np.ndarray, label: str, rate: int) -> bytes:
    """The EDF file of 12 channels with another one, of zeros at `rate` samples a second."""
    widths = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
    fields, at = [], 256
    added = (label, "", "uV", "-32768", "32767", "-32768", "32767", "", str(rate), "")
    for width, text in zip(widths, added, strict=True):
        fields.append(edf_file[at : at + 12 * width] + f"{text:{width}}".encode())
        at += 12 * width
    head = edf_file[:184] + f"{256 * 14:<8}".encode() + edf_file[192:252] + b"13  "
    blocks = np.frombuffer(edf_file[at:], "<i2").reshape(-1, 12 * 500)
    return head + b"".join(fields) + b"".join(block.tobytes() + bytes(2 * rate) for block in blocks)


def test_a_lone_derived_group_is_the_recording(tmp_path: Path, counts: np.ndarray) -> None:
    writers.write_dicom(tmp_path, "x", counts)
    path = next(tmp_path.glob("*.dcm"))
    data = dicom.load(path)
    expected = dicom.parse(path)
    data.WaveformSequence = [item for item in data.WaveformSequence if not dicom.is_beat(item, alone=False)]
    data.WaveformSequence[0].WaveformOriginality = "DERIVED"
    data.save_as(path)
    assert np.array_equal(dicom.parse(path).signal, expected.signal)


# ------------------------------------------------------------------------------------------- tables, folders


def test_a_row_without_a_path_costs_that_row_only(folder: Path, tmp_path: Path) -> None:
    table = folder / "table.csv"
    table.write_text("recording_id,person_id,path\na,a,a_0\nb,b,\n")
    found = run(EcgSource(path=folder, recordings=table), tmp_path / "out", Ingest(shards=1))
    assert found["recordings"]["recording_id"].to_list() == ["a"]
    assert found["excluded"].rows() == [("b", "b", "unreadable", "the table of recordings names no file for it")]


def test_an_unreadable_table_is_named(folder: Path) -> None:
    contents = {
        b"": r"the file is empty",
        b"recording_id,person_id,path\n\xe9,a,a_0\n": r"line 2: byte 0xe9 is not UTF-8",
    }
    for content, words in contents.items():
        (folder / "table.csv").write_bytes(content)
        with pytest.raises(UserError, match=rf"table\.csv: {words}"):
            _ = open_source(EcgSource(path=folder, recordings=folder / "table.csv"), 10.0).entries


def test_links_in_circles_are_listed_once(folder: Path) -> None:
    expected = scan(folder, (".hea",))
    (folder / "sub").mkdir()
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "self").symlink_to(folder / "self")
    assert scan(folder, (".hea",)) == expected
    (Path(os.fsdecode(os.fsencode(folder) + b"/\xe9.hea"))).write_bytes(b"x")
    with pytest.raises(UserError, match=r"'\\udce9\.hea' is not UTF-8; rename the file"):
        scan(folder, (".hea",))


def test_a_cohort_in_a_wrong_unit_warns_in_every_row(folder: Path, tmp_path: Path) -> None:
    for path in folder.glob("*.hea"):
        path.write_text(path.read_text().replace("1000.0(0)/mV", "5000.0(0)/mV").replace("1000(0)/mV", "5000(0)/mV"))
    found = run(EcgSource(path=folder), tmp_path / "out", Ingest(shards=1))
    kept = found["quality"].filter(pl.col("reason").is_null())
    assert kept.height > 2
    assert all("unit" in words for words in kept["warnings"])
