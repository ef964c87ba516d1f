"""GE MUSE XML -> recordings: base64 of 16-bit samples of eight leads; the other four are made of I and II later."""

import base64
import binascii
import xml.etree.ElementTree as ET
import zlib
from pathlib import Path

import numpy as np

from ecgwas.config import EcgSource
from ecgwas.ingest.readers import dates, privacy, xml
from ecgwas.ingest.readers.folder import check_shape
from ecgwas.signals.recording import FileBeat, Recording, Unreadable

SUFFIXES = (".xml",)
MEASUREMENTS = {
    "heart_rate_bpm": "VentricularRate",
    "pr_ms": "PRInterval",
    "qrs_ms": "QRSDuration",
    "qt_ms": "QTInterval",
    "qtc_bazett_ms": "QTCorrected",
    "p_axis_deg": "PAxis",
    "qrs_axis_deg": "RAxis",
    "t_axis_deg": "TAxis",
}
PEOPLE = ("PatientDemographics", "TestDemographics", "Order", "ExtraQuestions")
DEVICE = ("MuseInfo/MuseVersion", "TestDemographics/AcquisitionDevice", "TestDemographics/AcquisitionSoftwareVersion")


def parse(path: Path, source: EcgSource | None = None) -> Recording:
    """The rhythm strip of one file, with the median beat and the measurements of the machine."""
    root = xml.read(path, "RestingECG")
    waves = {xml.text(wave, "WaveformType").lower(): wave for wave in root.iterfind("Waveform")}
    if "rhythm" not in waves:
        raise Unreadable("unreadable", "no waveform of type Rhythm")
    leads, signal, rate_hz = samples(waves["rhythm"])
    measured = root.find("RestingECGMeasurements")
    secrets = [element.text or "" for tag in PEOPLE for part in root.iterfind(tag) for element in part.iter()]
    device = "MUSE " + " ".join(text for text in (xml.text(root, path) for path in DEVICE) if text)
    return Recording(
        leads,
        ("uV",) * len(leads),
        signal,
        rate_hz,
        signal.shape[1] / rate_hz,
        start_time=start_time(root.find("TestDemographics")),
        device=privacy.label(device),
        machine=xml.numbers(measured, MEASUREMENTS) | p_duration(measured),
        statements=privacy.statements(statements(root), secrets),
        median=median(waves.get("median")),
        beat_times_s=tuple(xml.number(time) / 1000 for time in root.iterfind("QRSTimesTypes/QRS/Time")),
        bandwidth_hz=bandwidth(waves["rhythm"]),
    )


def samples(wave: ET.Element) -> tuple[tuple[str, ...], np.ndarray, float]:
    """Lead names, float32 [lead, sample] in µV and rate of one waveform."""
    exponent = xml.number(wave, "SampleExponent") if xml.text(wave, "SampleExponent") else 0.0
    rate_hz, leads = xml.number(wave, "SampleBase") * 10 ** min(exponent, 6), wave.findall("LeadData")
    counts = [xml.number(lead, "LeadSampleCountTotal") for lead in leads if xml.text(lead, "LeadSampleCountTotal")]
    if not np.isfinite([rate_hz, *counts]).all():
        raise Unreadable("unreadable", "a waveform gives no rate, or a sample count that is no number")
    check_shape(len(leads), max(counts, default=1), rate_hz)
    names = tuple(xml.text(lead, "LeadID")[:16] for lead in leads)
    return names, xml.stacked([lead_samples(lead) for lead in leads], "Waveform"), rate_hz


def lead_samples(lead: ET.Element) -> np.ndarray:
    """[sample] of one lead in µV; its length and its checksum must be what the file says, where it says them."""
    units = xml.text(lead, "LeadAmplitudeUnits")
    if xml.text(lead, "LeadSampleSize") not in ("2", "") or units not in ("MICROVOLTS", ""):
        raise Unreadable("unsupported", "lead data that are not 16-bit microvolts")
    try:
        data = base64.b64decode("".join(xml.text(lead, "WaveFormData").split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable("unreadable", "lead data are not base64") from error
    given, declared = xml.text(lead, "LeadSampleCountTotal"), xml.text(lead, "LeadDataCRC32")
    count = int(xml.as_number(given)) if given else len(data) // 2
    if len(data) != 2 * count:
        raise Unreadable("truncated", f"a lead has {len(data)} bytes, its {count} samples need {2 * count}")
    if declared and declared != str(zlib.crc32(data)):
        raise Unreadable("checksum", "the samples of a lead do not have the checksum that the file gives")
    microvolts = xml.number(lead, "LeadAmplitudeUnitsPerBit")
    if not microvolts > 0:
        raise Unreadable("unreadable", "no LeadAmplitudeUnitsPerBit")
    return np.frombuffer(data, "<i2").astype(np.float32) * np.float32(microvolts)


def median(wave: ET.Element | None) -> FileBeat | None:
    """The machine's median beat; None where the file has none that is whole."""
    if wave is None:
        return None
    try:
        leads, signal, rate_hz = samples(wave)
    except Unreadable:
        return None
    return FileBeat(leads, ("uV",) * len(leads), signal, rate_hz)


def p_duration(measured: ET.Element | None) -> dict[str, float]:
    """P duration from its on- and offset, which are samples of the median beat."""
    on, off = xml.number(measured, "POnset"), xml.number(measured, "POffset")
    rate_hz = xml.number(measured, "ECGSampleBase")
    return {"p_duration_ms": 1000 * (off - on) / rate_hz} if rate_hz > 0 and 0 < on < off else {}


def bandwidth(wave: ET.Element) -> tuple[float | None, float | None]:
    """High-pass (written in hundredths of a hertz) and low-pass, Hz."""
    high, low = xml.number(wave, "HighPassFilter") / 100, xml.number(wave, "LowPassFilter")
    return (high if high > 0 else None, low if low > 0 else None)


def statements(root: ET.Element) -> list[str]:
    """Lines of the diagnosis: statements up to each that ends a line."""
    lines, line = [], []
    for statement in root.iterfind("Diagnosis/DiagnosisStatement"):
        line.append(xml.text(statement, "StmtText"))
        if any(xml.text(flag).upper() == "ENDSLINE" for flag in statement.iterfind("StmtFlag")):
            lines, line = [*lines, " ".join(line)], []
    return [*lines, " ".join(line)]


def start_time(test: ET.Element | None) -> str | None:
    """ISO 8601 from a date written month-day-year and a time."""
    date, time = xml.text(test, "AcquisitionDate").split("-"), xml.text(test, "AcquisitionTime")
    clock = time.split(":")
    if len(date) != 3 or len(clock) not in (2, 3):
        return None
    return dates.iso(date[2], date[0], date[1], *clock)
