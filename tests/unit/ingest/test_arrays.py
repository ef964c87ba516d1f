"""Arrays, CSV and MATLAB files: units and names by the settings, and faults named by line and column."""

from pathlib import Path

import h5py
import numpy as np
import pydantic
import pytest
import scipy.io
from tests.unit.ingest.test_shard import run

from ecgwas.config import LEADS, EcgSource, Ingest
from ecgwas.ecg.canonical import twelve_leads
from ecgwas.ingest.readers import dates, matlab, open_source
from ecgwas.signals.recording import Recording, Unreadable

CPSC = {"sex": "Male", "age": 61.0}


@pytest.fixture
def millivolts(sinus) -> np.ndarray:
    """[12, 5000] mV of sinus rhythm."""
    return sinus[1][0] / 1000.0


def read(source: EcgSource, key: str | int) -> Recording:
    return open_source(source, 1e3).read(key)


# ------------------------------------------------------------------------------------------------- units


@pytest.mark.parametrize(("unit", "scale"), [("mV", 1.0), ("uV", 1000.0)])
@pytest.mark.parametrize("fmt", ["array", "files"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_unit_of_the_settings_holds_for_arrays(
    tmp_path: Path, millivolts, unit: str, scale: float, fmt, dtype
) -> None:
    """Numbers in mV are mV, not counts: amplitudes come out as they went in."""
    array = (millivolts * scale).astype(dtype)
    (tmp_path / "f").mkdir()
    np.save(tmp_path / "x.npy", array[None])
    np.save(tmp_path / "f" / "1_a.npy", array)
    path, key = (tmp_path / "x.npy", 0) if fmt == "array" else (tmp_path / "f", "1_a.npy")
    found = twelve_leads(read(EcgSource(format=fmt, path=path, rate_hz=500, unit=unit), key))
    assert found[1] == "mV"
    assert np.allclose(found[0], millivolts, atol=1e-4)


@pytest.mark.parametrize("fmt", ["array", "files"])
@pytest.mark.parametrize(("dtype", "size"), [(np.int16, 1000), (np.float32, 1)])
def test_z_scores(tmp_path: Path, millivolts, fmt: str, dtype: type, size: float) -> None:
    """Floats are the scores, whole numbers thousandths of them."""
    array = np.rint(millivolts * size) if size > 1 else millivolts
    (tmp_path / "f").mkdir()
    np.save(tmp_path / "x.npy", array.astype(dtype)[None])
    np.save(tmp_path / "f" / "1_a.npy", array.astype(dtype))
    path, key = (tmp_path / "x.npy", 0) if fmt == "array" else (tmp_path / "f", "1_a.npy")
    found = twelve_leads(read(EcgSource(format=fmt, path=path, rate_hz=500, unit="sd"), key))
    assert found[1] == "sd"
    assert np.allclose(found[0], millivolts, atol=1e-3)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"format": "wfdb", "microvolts_per_count": 5}, "microvolts_per_count is for the formats array and files"),
        ({"format": "code15", "rate_hz": 400}, "rate_hz is for the formats array and files"),
        ({"format": "array", "microvolts_per_count": 5, "unit": "mV"}, "contradict each other"),
        ({"format": "files", "microvolts_per_count": 5, "unit": "sd"}, "contradict each other"),
    ],
)
def test_a_key_that_a_format_does_not_read_is_refused(keys: dict, message: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        EcgSource(path=Path("x"), **keys)


def test_z_scored_recordings_do_not_warn_of_their_unit(tmp_path: Path, sinus) -> None:
    """No amplitude can be judged; of recordings in mV that are a fifth of hearts every one still warns."""
    z = sinus[1][:6].astype(float)
    z = (z - z.mean(axis=2, keepdims=True)) / z.std(axis=2, keepdims=True)
    np.save(tmp_path / "z.npy", z.astype(np.float32))
    source = {"format": "array", "path": tmp_path / "z.npy", "rate_hz": 500}
    for unit, warned in (("sd", False), ("mV", True)):
        found = run(EcgSource(**source, unit=unit), tmp_path / unit, Ingest(shards=1))
        words = found["quality"].filter(found["quality"]["reason"].is_null())["warnings"].to_list()
        assert words
        assert all(("unit" in row) == warned for row in words)


def test_names_of_the_settings_stand_for_those_of_a_file(tmp_path: Path, millivolts, write_record) -> None:
    """In every format, as many as the file has channels."""
    write_record(tmp_path, "a", (millivolts * 1000).astype(int))
    order = [*LEADS[:4], "aVF", "aVL", *LEADS[6:]]
    found = read(EcgSource(path=tmp_path, leads=order), "a")
    assert found.leads == tuple(order)
    with pytest.raises(Unreadable, match=r"ecg\.leads names 2 channels, the file has 12"):
        read(EcgSource(path=tmp_path, leads=["I", "II"]), "a")


# ------------------------------------------------------------------------------------------------- CSV

CSV = "time,I,II\n" + "".join(f"{k / 500:.3f},{0.1 * k:.2f},{-0.1 * k:.2f}\n" for k in range(600))


def csv_folder(tmp_path: Path, text: str | bytes) -> EcgSource:
    data = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "7_x.csv").write_bytes(data)
    return EcgSource(format="files", path=tmp_path, unit="mV")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace("\n", ",\n"),
        lambda text: '"time","I","II"' + text[9:],
        lambda text: text.replace("I,II", "Lead I,Ableitung II", 1),
    ],
)
def test_csv_in_the_forms_that_programs_write(tmp_path: Path, change) -> None:
    found = read(csv_folder(tmp_path, change(CSV)), "7_x.csv")
    assert found.rate_hz == 500
    assert np.allclose(twelve_leads(found)[0][:2], np.outer([0.1, -0.1], np.arange(600)), atol=1e-4)


def with_commas(text: str, separator: str) -> str:
    head, _, rest = text.partition("\n")
    return head.replace(",", separator) + "\n" + rest.replace(",", separator).replace(".", ",")


BAD = {
    "semicolons": (with_commas(CSV, ";"), "line 2 has decimal commas; write numbers with a decimal point"),
    "tabs": (with_commas(CSV, "\t"), "line 2 has decimal commas"),
    "commas": (with_commas(CSV, ","), "line 2 has 6 cells, the first 3: as decimal commas leave behind"),
    "quoted": ('I,II\n"0,1","0,2"\n', "line 2 has decimal commas"),
    "ragged": (CSV.replace("0.200,10.00,-10.00", "0.200,10.00"), "line 102 has 2 cells, the first line 3"),
    "text in a lead": (CSV.replace("0.200,10.00", "0.200,off"), "column 'I', line 102: not a number"),
    "utf-16": (CSV.encode("utf-16"), "not UTF-8 text; save it as CSV in UTF-8"),
    "no names": ("0.1,0.2\n" * 600, "2 columns without names; name the leads in the first line"),
    "latin-1": ("time,derivación I\n".encode("latin-1") + b"0,1\n1,2\n", "line 1 is not UTF-8 text"),
}


@pytest.mark.parametrize("case", BAD)
def test_csv_that_cannot_be_read_names_the_line(tmp_path: Path, case: str) -> None:
    text, message = BAD[case]
    with pytest.raises(Unreadable, match=message):
        read(csv_folder(tmp_path, text), "7_x.csv")


def test_columns_without_names_are_the_leads_of_the_settings(tmp_path: Path) -> None:
    source = csv_folder(tmp_path, "0.1,0.2\n" * 600).model_copy(update={"leads": ["V1", "V2"], "rate_hz": 500})
    found = read(source, "7_x.csv")
    assert (found.leads, found.signal.shape) == (("V1", "V2"), (2, 600))


# ------------------------------------------------------------------------------------------------- MATLAB


def write_v73(path: Path, groups: dict[str, dict[str, np.ndarray]]) -> None:
    """A v7.3 file as MATLAB lays it out: HDF5 after 512 bytes, arrays with axes reversed, text as numbers."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, fields in groups.items():
            group = file.create_group(name) if name else file
            for field, value in fields.items():
                text = isinstance(value, str)
                values = np.array([[ord(letter)] for letter in value], np.uint16) if text else np.atleast_2d(value).T
                data = group.create_dataset(field, data=values)
                data.attrs["MATLAB_class"] = np.bytes_("char" if text else "double")


@pytest.mark.parametrize("version", ["v5", "v7", "v7.3"])
@pytest.mark.parametrize("turned", [False, True])
def test_cpsc_structs_are_arrays_at_500_hz(tmp_path: Path, millivolts, version: str, turned: bool) -> None:
    """ECG.data, ECG.sex and ECG.age of the China Physiological Signal Challenge, whichever MATLAB wrote it."""
    path, data = tmp_path / "A0001.mat", millivolts.T if turned else millivolts
    if version == "v7.3":
        write_v73(path, {"ECG": CPSC | {"data": data}})
    else:
        scipy.io.savemat(path, {"ECG": CPSC | {"data": data}}, do_compression=version == "v7")
    source = EcgSource(format="files", path=tmp_path, unit="mV")
    found = read(source, "A0001.mat")
    assert (found.leads, found.rate_hz, found.seconds) == (LEADS, 500, 10)
    assert np.allclose(twelve_leads(found)[0], millivolts, atol=1e-5)
    assert run(source, tmp_path / "out", Ingest(shards=1))["recordings"]["unit"].to_list() == ["mV"]


def test_arrays_of_v73_and_of_other_structs(tmp_path: Path, millivolts) -> None:
    source = {"format": "files", "path": tmp_path, "unit": "mV"}
    write_v73(tmp_path / "a.mat", {"": {"val": millivolts, "fs": np.array([[1.0]])}})
    assert np.allclose(read(EcgSource(**source, rate_hz=500), "a.mat").signal, millivolts, atol=1e-5)
    scipy.io.savemat(tmp_path / "b.mat", {"record": {"signal": millivolts}})
    with pytest.raises(Unreadable, match=r"does not give its sampling rate; set ecg\.rate_hz"):
        read(EcgSource(**source), "b.mat")
    scipy.io.savemat(tmp_path / "c.mat", {"ECG": {"sex": "Male", "name": "x"}})
    with pytest.raises(Unreadable, match=r"no array, and no struct that holds one such as ECG\.data"):
        read(EcgSource(**source), "c.mat")


def test_a_struct_that_unpacks_to_gigabytes_is_refused(tmp_path: Path, monkeypatch) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"ECG": {"data": np.zeros((12, 500_000))}}, do_compression=True)
    monkeypatch.setattr(matlab, "MAX_UNPACKED", 10**6)
    with pytest.raises(Unreadable, match="unpacks to more than"):
        read(EcgSource(format="files", path=tmp_path, rate_hz=500), "a.mat")


# ------------------------------------------------------------------------------------------------- dates


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((2011, 3, 29, 8, 30, 5), "2011-03-29T08:30:05"),
        (("2011", "03", "09", "08", "30", "05"), "2011-03-09T08:30:05"),
        ((2011, 2, 31, 8, 0, 0), None),
        ((2011, 2, 29, 8, 0, 0), None),
        ((0, 1, 1, 0, 0, 0), None),
        ((1900, 1, 1, 0, 0, 0), None),
        ((2011, 13, 1, 0, 0, 0), None),
        ((2011, 1, 0, 0, 0, 0), None),
        ((2011, 1, 1, 24, 0, 0), None),
        ((2011, 1, 1, 0, 61, 0), None),
        (("x", 1, 1, 0, 0, 0), None),
        ((float("nan"), 1, 1, 0, 0, 0), None),
        ((None, 1, 1, 0, 0, 0), None),
    ],
)
def test_a_day_that_is_none_is_null(parts: tuple, expected: str | None) -> None:
    assert dates.iso(*parts) == expected


@pytest.mark.parametrize(
    "stamp", ["20110231083000", "00000000000000", "20110301250000", "2011030108", "", "2011030108300x"]
)
def test_stamps_that_are_no_time_are_null(stamp: str) -> None:
    assert dates.of_digits(stamp) is None
    assert dates.of_digits("20110301083000.250+0100") == "2011-03-01T08:30:00"
