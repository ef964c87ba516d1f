"""Real recordings: quality labels, manual marks, odd files."""

import re
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import wfdb
from ecgdatakit.parsing import FileParser
from tests import set_a

from ecgwas.config import LEADS, EcgSource, Ingest
from ecgwas.ecg.canonical import einthoven_residual, twelve_leads
from ecgwas.ecg.filters import Spectrum
from ecgwas.ecg.qrs import detect
from ecgwas.ecg.quality import Excluded
from ecgwas.ingest import survey
from ecgwas.ingest.process import process
from ecgwas.ingest.readers import open_source
from ecgwas.signals.recording import Recording, Unreadable

pytestmark = pytest.mark.realdata


def outcomes(source: EcgSource, settings: Ingest) -> dict[str, object]:
    """By recording: what is stored, or the exclusion."""
    reader, out = open_source(source, settings.seconds), {}
    for entry in reader.entries.iter_rows(named=True):
        try:
            out[entry["recording_id"]] = process(reader.read(entry["key"]), settings)
        except (Excluded, Unreadable) as fault:
            out[entry["recording_id"]] = fault
    return out


def test_each_window_of_half_an_hour_has_a_beat_and_the_annotators_rr(realdata: Path) -> None:
    name = str(realdata / "ecg_wfdb_samples/100")
    record, marks = wfdb.rdrecord(name), wfdb.rdann(name, "atr")
    recording = Recording(("II", "V5"), ("mV", "mV"), record.p_signal.T.astype(np.float32), record.fs, 1805.6)
    found = process(recording, Ingest(min_leads=1, doublings=8))
    assert found.window_beats.shape == (256, 12, 220)
    beats, whole = (x[..., [1, 10], :].astype(float) for x in (found.window_beats[:180], found.beat))
    assert min(np.corrcoef(beat.ravel(), whole.ravel())[0, 1] for beat in beats) > 0.97
    seconds = marks.sample[np.isin(marks.symbol, ["N", "A", "V"])] / record.fs
    rr = [np.median(np.diff(seconds[(seconds >= 10 * k) & (seconds < 10 * k + 10)])) for k in range(180)]
    error = found.window_rr_ms[:180] - 1000 * np.array(rr)
    assert np.median(np.abs(error)) < 4  # a sample is 2.8 ms
    assert np.abs(error).max() < 25


def test_exclusions_agree_with_the_quality_labels(realdata: Path) -> None:
    """All twelve leads asked for, as the annotators did: most of the bad go, nearly all of the good stay."""
    labels = set_a.labels(realdata)
    found = outcomes(set_a.source(realdata), Ingest(min_leads=12))
    total, excluded = Counter(labels["quality"]), Counter()
    for recording, quality in labels.select("record_id", "quality").iter_rows():
        excluded[quality] += isinstance(found[recording], Exception)
    assert excluded["unacceptable"] / total["unacceptable"] > 0.8
    assert excluded["acceptable"] / total["acceptable"] < 0.045
    rates = [r.intervals["heart_rate_bpm"] for r in found.values() if not isinstance(r, Exception)]
    assert 60 < np.median(rates) < 90


def test_three_sources_of_one_collection(realdata: Path) -> None:
    """Units written mV and mv, outliers of 11 mV, premature beats: all are kept and measured."""
    found = outcomes(EcgSource(path=realdata / "ecg_cinc2021"), Ingest())
    assert len(found) == 31
    assert all(r.recording["unit"] == "mV" for r in found.values())
    assert all(60 < r.intervals["qrs_ms"] < 180 and 240 < r.intervals["qt_ms"] < 500 for r in found.values())
    # The third source was chosen for atrial ectopy, where there need not be one P wave in front of the typical beat.
    assert all(90 < r.intervals["pr_ms"] < 220 for name, r in found.items() if not name.startswith("JS"))


def test_samples_are_those_of_the_wfdb_package(realdata: Path) -> None:
    reader = open_source(EcgSource(path=realdata / "ecg_cinc2021"), 10.0)
    for key in ("E07500", "HR06000", "JS20000"):
        expected = wfdb.rdrecord(str(realdata / "ecg_cinc2021" / key)).p_signal.T
        assert np.allclose(reader.read(key).signal, expected, atol=1e-4, equal_nan=True)


def test_records_that_are_no_twelve_lead_ecg_are_refused(realdata: Path) -> None:
    found = outcomes(EcgSource(path=realdata / "ecg_wfdb_samples"), Ingest())
    kept = [name for name, r in found.items() if not isinstance(r, Exception)]
    assert kept == ["s0010_re"]
    assert {r.reason for r in found.values() if isinstance(r, Exception)} <= {"missing_leads", "too_short", "gaps"}


def test_every_sample_record_is_read(realdata: Path) -> None:
    """All 20, whatever the storage, at the rate of the fastest signal; the samples are those of the wfdb package."""
    folder = realdata / "ecg_wfdb_samples"
    reader = open_source(EcgSource(path=folder), 10.0)
    assert reader.entries.height == 20
    for key in reader.entries["key"]:
        recording = reader.read(key)
        expected = wfdb.rdrecord(str(folder / key), return_res=32, smooth_frames=False)
        per_frame = max(expected.samps_per_frame)
        assert recording.rate_hz == pytest.approx(expected.fs * per_frame)
        for name, wave, n in zip(expected.sig_name, expected.e_p_signal, expected.samps_per_frame, strict=True):
            got = recording.signal[recording.leads.index(name)][:: per_frame // n]
            assert np.allclose(got, wave[: len(got)], rtol=1e-5, atol=1e-5, equal_nan=True), key


XML = {"muse": "ecg_muse_xml", "philips": "ecg_philips_xml", "aecg": "ecg_hl7_aecg_fda"}


@pytest.mark.parametrize("fmt", XML)
def test_xml_files_are_read_as_another_package_reads_them(realdata: Path, fmt: str) -> None:
    reader = open_source(EcgSource(format=fmt, path=realdata / XML[fmt]), 20.0)
    for key in reader.entries["key"]:
        recording = reader.read(key)
        other = FileParser().parse(realdata / XML[fmt] / key).leads
        assert [lead.label.upper() for lead in other] == [name.upper() for name in recording.leads]
        millivolts = recording.signal / 1000
        samples = np.array([lead.samples for lead in other])
        assert np.abs(millivolts[:, : samples.shape[1]] - samples[:, : millivolts.shape[1]]).max() < 1e-3
        assert (samples[:, millivolts.shape[1] :] == samples[:1, millivolts.shape[1] :]).all()  # Philips: calibration
        assert recording.rate_hz == other[0].sampling_rate


def test_cardiosoft_says_what_is_printed(realdata: Path) -> None:
    """UK Biobank's public file of field 20205: rate 50, PQ 174, QRS 92, QT 440, R in lead I 615 µV."""
    reader = open_source(EcgSource(format="cardiosoft", path=realdata / "ecg_ukb_cardiosoft"), 10.0)
    assert reader.entries["person_id"].to_list() == ["0000000001"]
    recording = reader.read(reader.entries["key"][0])
    expected = {"heart_rate_bpm": 50, "pr_ms": 174, "qrs_ms": 92, "qt_ms": 440, "qtc_bazett_ms": 401, "r_i_mv": 0.615}
    assert {name: recording.machine[name] for name in expected} == expected
    assert (len(recording.beat_times_s), recording.beat_times_s[0]) == (8, 0.8)
    assert recording.median.signal[0].max() == pytest.approx(615, abs=10)
    assert einthoven_residual(recording) < 5  # rounding to counts of 5 µV
    ours = process(recording, Ingest()).intervals
    assert ours["heart_rate_bpm"] == pytest.approx(50, abs=1)
    assert ours["r_i_mv"] == pytest.approx(0.615, abs=0.010)


def test_residual_of_real_recordings(realdata: Path) -> None:
    """A few counts where leads are true; null for z-scored ones."""
    reader = open_source(EcgSource(path=realdata / "ecg_cinc2021"), 10.0)
    assert max(einthoven_residual(reader.read(key)) for key in reader.entries["key"]) < 30
    path = realdata / "ecg_ptbxl_subset" / "signals_lead12_100hz_zscore_x1000_int16.npy.xz"
    recording = open_source(EcgSource(format="array", path=path, rate_hz=100, unit="sd"), 10.0).read(0)
    assert np.isnan(einthoven_residual(recording))
    assert twelve_leads(recording)[1] == "sd"


def test_survey_of_every_folder(realdata: Path, tmp_path: Path) -> None:
    """Each file is read, or refused with its reason; the page says so. The two large arrays are read elsewhere."""
    sources = survey.read_sources(Path(__file__).parents[3] / "config/survey.yaml", realdata)
    assert set(sources) == {path.name for path in realdata.glob("ecg_*")}
    found = {n: (s.format, survey.survey(s, Ingest())) for n, s in sources.items() if s.format != "array"}
    for name, (_, seen) in found.items():
        outcomes = Counter(one.outcome for one in seen)
        assert outcomes["kept"] == {"ecg_wfdb_samples": 1, "ecg_brugada": 9}.get(name, len(seen)), (name, outcomes)
    page = survey.page(found)
    assert "| 100 | refused: missing_leads (1 usable leads < 8: I absent" in page
    assert "| s0010_re | kept | i ii iii avr avl avf v1" in page


def manual_marks(record: Path) -> dict[str, tuple[float, float]]:
    """Onset and offset (ms from QRS mark) of P, QRS and T: medians over leads and beats of the annotators' marks."""
    marks = defaultdict(list)
    for lead in LEADS:
        annotation = wfdb.rdann(str(record), lead.lower())
        sample, symbol = annotation.sample * 2.0, annotation.symbol
        peaks = [k for k in range(1, len(symbol) - 1) if (symbol[k - 1], symbol[k + 1]) == ("(", ")")]
        r = [sample[k] for k in peaks if symbol[k] == "N"]
        for k in peaks:
            near = min(r, key=lambda at: abs(at - sample[k]))
            marks[symbol[k]].append((sample[k - 1] - near, sample[k + 1] - near))
    return {name: tuple(np.median(values, axis=0)) for name, values in marks.items()}


def test_limits_of_waves_are_near_the_manual_marks(realdata: Path, tmp_path: Path) -> None:
    for suffix in ("hea", "dat"):  # the header calls its signal file 1.dat
        shutil.copyfile(realdata / "ecg_ludb_one" / f"ludb-ecg.{suffix}", tmp_path / f"1.{suffix}")
    found = outcomes(EcgSource(path=tmp_path), Ingest())["1"].intervals
    manual = manual_marks(realdata / "ecg_ludb_one" / "ludb-ecg")
    (p_on, p_off), (qrs_on, qrs_off), (_, t_end) = manual["p"], manual["N"], manual["t"]
    assert found["qrs_ms"] == pytest.approx(qrs_off - qrs_on, abs=10)
    assert found["pr_ms"] == pytest.approx(qrs_on - p_on, abs=15)
    assert found["p_duration_ms"] == pytest.approx(p_off - p_on, abs=20)
    assert found["qt_ms"] == pytest.approx(t_end - qrs_on, abs=20)
    assert found["heart_rate_bpm"] == pytest.approx(45.4, abs=0.5)


def test_every_beat_of_record_100_is_found(realdata: Path) -> None:
    """Two leads, 30 minutes, against the annotators' beats."""
    path = str(realdata / "ecg_wfdb_samples" / "100")
    record, marks = wfdb.rdrecord(path), wfdb.rdann(path, "atr")
    beats = np.array([at for at, symbol in zip(marks.sample, marks.symbol, strict=True) if symbol in "NAVLR"]) / 360
    spectrum = Spectrum(record.p_signal.T.astype(np.float32), 360.0).without_mains()
    found = detect(spectrum, [0, 1], [0, 1]) / 360
    assert sum(np.abs(found - t).min() <= 0.15 for t in beats) >= 0.995 * len(beats)
    assert sum(np.abs(beats - t).min() <= 0.15 for t in found) >= 0.995 * len(found)


def test_measurements_agree_with_the_machine_that_made_the_recording(realdata: Path) -> None:
    """CardioSoft's rhythm strip measured by us, against the values the device printed."""
    text = (realdata / "ecg_ukb_cardiosoft" / "0000000001_20205_2_0.xml").read_text(encoding="latin-1")
    strip = text[text.index("<StripData>") : text.index("</StripData>")]
    leads = re.findall(r'<WaveformData lead="([^"]+)">([^<]+)<', strip)
    microvolts = np.array([np.fromstring(values, sep=",") for _, values in leads], dtype=np.float32) * 5
    recording = Recording(tuple(name for name, _ in leads), ("uV",) * 12, microvolts, 500.0, 10.0)
    found = process(recording, Ingest()).intervals
    printed = {
        name: float(re.search(rf"<{tag}[^>]*>(\d+)<", text)[1])
        for name, tag in {
            "heart_rate_bpm": "VentricularRate",
            "pr_ms": "PQInterval",
            "qrs_ms": "QRSDuration",
            "qt_ms": "QTInterval",
        }.items()
    }
    assert printed == {"heart_rate_bpm": 50, "pr_ms": 174, "qrs_ms": 92, "qt_ms": 440}
    for name, within in {"heart_rate_bpm": 1, "pr_ms": 12, "qrs_ms": 10, "qt_ms": 20}.items():
        assert found[name] == pytest.approx(printed[name], abs=within), name
    assert found["r_i_mv"] == pytest.approx(0.615, abs=0.010)


def test_the_score_ranks_recordings_as_annotators_do(realdata: Path) -> None:
    """The stored weights; benchmarks/quality.py says how well the fit does on recordings it has not seen."""
    labels = set_a.labels(realdata)["quality"][::3].to_list()
    scores = []
    for samples in set_a.counts(realdata, slice(None, None, 3)):
        signal = samples.astype(np.float32) * set_a.MICROVOLTS
        recording = Recording(tuple(set_a.ORDER), ("uV",) * 12, signal, set_a.RATE_HZ, 10.0)
        try:
            scores.append(process(recording, Ingest(min_leads=12)).quality["score"])
        except Excluded as fault:
            scores.append(fault.measures["score"])
    by_label = lambda label: np.array([s for s, q in zip(scores, labels, strict=True) if q == label])  # noqa: E731
    bad, good = by_label("unacceptable"), by_label("acceptable")
    assert (bad[:, None] < good).mean() > 0.95
