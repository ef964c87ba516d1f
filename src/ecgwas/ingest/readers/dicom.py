"""DICOM waveforms (12-lead, general and ambulatory ECG) -> recordings: the pydicom package.

Multiplex groups of rhythm samples are put on one line of time: some vendors write 4 groups of 3 leads x 2.5 s.
"""

import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from ecgwas.config import EcgSource
from ecgwas.ecg.canonical import apart
from ecgwas.ingest.readers import dates, privacy
from ecgwas.ingest.readers.folder import check_shape
from ecgwas.signals.recording import FileBeat, Recording, Unreadable

logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)  # its messages quote the file
SUFFIXES = (".dcm", ".dicom", ".ecg")
TYPES = {("SS", 16): "<i2", ("SB", 8): "i1", ("UB", 8): "u1", ("US", 16): "<u2", ("SL", 32): "<i4"}
# Channel source codes: the last number is the lead in both schemes (MDC "2:61", SCP-ECG "5.6.3-9-61").
LEAD_CODES = {1: "I", 2: "II", 61: "III", 62: "aVR", 63: "aVL", 64: "aVF", **{k + 2: f"V{k}" for k in range(1, 7)}}
MEASUREMENTS = {
    "VENTRICULAR HEART RATE": "heart_rate_bpm",
    "VENTRICULAR RATE": "heart_rate_bpm",
    "HEART RATE": "heart_rate_bpm",
    "PR INTERVAL": "pr_ms",
    "P DURATION": "p_duration_ms",
    "QRS DURATION": "qrs_ms",
    "QT INTERVAL": "qt_ms",
    "QTC INTERVAL": "qtc_bazett_ms",
    "P AXIS": "p_axis_deg",
    "QRS AXIS": "qrs_axis_deg",
    "T AXIS": "t_axis_deg",
}
PEOPLE = ("PatientName", "PatientID", "ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName")
PEOPLE += ("NameOfPhysiciansReadingStudy", "OtherPatientIDs", "InstitutionName", "AccessionNumber")


class Group(NamedTuple):
    """One multiplex group."""

    start_s: float
    rate_hz: float
    leads: tuple[str, ...]
    units: tuple[str, ...]
    signal: np.ndarray  # float32 [lead, sample]
    bandwidth_hz: tuple[float | None, float | None]
    timed: bool  # says when it starts


def parse(path: Path, source: EcgSource | None = None) -> Recording:
    """The rhythm of one file, with the median beat and the annotations of the machine."""
    data = load(path)
    items = list(data.get("WaveformSequence") or [])
    if not items:
        raise Unreadable("wrong_format", "a DICOM file without waveforms")
    beats = [item for item in items if is_beat(item, alone=len(items) == 1)]
    groups = of_one_rate([group(item) for item in items if item not in beats])
    leads, units, signal, rate_hz = joined(groups)
    secrets = [str(data.get(name, "")) for name in PEOPLE]
    model = " ".join(str(data.get(name, "")) for name in ("Manufacturer", "ManufacturerModelName", "SoftwareVersions"))
    notes = list(data.get("WaveformAnnotationSequence") or [])
    return Recording(
        leads,
        units,
        signal,
        rate_hz,
        signal.shape[1] / rate_hz,
        start_time=dates.of_digits(str(data.get("AcquisitionDateTime") or "")),
        device=privacy.label(model, secrets),
        machine=measurements(notes),
        statements=privacy.statements((str(note.get("UnformattedTextValue", "")) for note in notes), secrets),
        median=median(beats),
        simultaneous=len(groups) == 1 or (all(part.timed for part in groups) and not apart(signal)),
        bandwidth_hz=groups[0].bandwidth_hz,
    )


def load(path: Path) -> Dataset:
    """The data set of a file that is not compressed as a whole (a few bytes could unpack to any size)."""
    with path.open("rb") as file:
        if file.read(132)[128:] != b"DICM":
            raise Unreadable("wrong_format", "not a DICOM file")
    if pydicom.filereader.read_file_meta_info(path).get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        raise Unreadable("unsupported", "a deflated DICOM file")
    return pydicom.dcmread(path)


def is_beat(item: Dataset, alone: bool) -> bool:
    """Whether a group holds a derived median beat and not the recording; filtered samples are derived, too."""
    label = str(item.get("MultiplexGroupLabel", "")).upper()
    derived = str(item.get("WaveformOriginality", "")).upper() == "DERIVED" and "RHYTHM" not in label and not alone
    return "MEDIAN" in label or "AVERAGE" in label or derived


def of_one_rate(groups: list[Group]) -> list[Group]:
    """The groups at the rate that most leads have: a group of other signals beside the ECG has its own."""
    leads = {part.rate_hz: 0 for part in groups}
    for part in groups:
        leads[part.rate_hz] += len(part.leads)
    return [part for part in groups if part.rate_hz == max(leads, key=leads.get)]


def group(item: Dataset) -> Group:
    """Leads and samples of one multiplex group in its units."""
    rate_hz, n = float(item.SamplingFrequency), int(item.NumberOfWaveformSamples)
    channels = list(item.ChannelDefinitionSequence)
    check_shape(len(channels), n, rate_hz)
    kind = TYPES.get((str(item.WaveformSampleInterpretation), int(item.WaveformBitsAllocated)))
    if kind is None:
        raise Unreadable("unsupported", "samples that are not 8, 16 or 32-bit integers")
    needed, data = n * len(channels) * np.dtype(kind).itemsize, bytes(item.WaveformData)
    if len(data) < needed:
        raise Unreadable("truncated", f"{len(data)} bytes of waveform data, {needed} declared")
    counts = np.frombuffer(data[:needed], kind).reshape(n, len(channels)).T
    signal = counts.astype(np.float32)
    if "WaveformPaddingValue" in item:
        padding = np.frombuffer(bytes(item.WaveformPaddingValue)[: np.dtype(kind).itemsize], kind)
        signal[counts == padding[0]] = np.nan
    for row, channel in enumerate(channels):
        size = float(channel.get("ChannelSensitivity") or 1) * float(
            channel.get("ChannelSensitivityCorrectionFactor") or 1
        )
        signal[row] = signal[row] * np.float32(size) + np.float32(channel.get("ChannelBaseline") or 0)
    timed = item.get("MultiplexGroupTimeOffset") is not None
    start_s = float(item.MultiplexGroupTimeOffset) / 1000 if timed else 0.0
    edges = [channels[0].get(name) for name in ("FilterLowFrequency", "FilterHighFrequency")]
    bandwidth = tuple(float(edge) if edge is not None else None for edge in edges)
    return Group(
        start_s, rate_hz, tuple(map(lead_name, channels)), tuple(map(unit, channels)), signal, bandwidth, timed
    )


def lead_name(channel: Dataset) -> str:
    """Lead by the channel source's code, else by its meaning or label."""
    source = (channel.get("ChannelSourceSequence") or [Dataset()])[0]
    code = str(source.get("CodeValue", "")).replace(":", "-").rpartition("-")[2]
    if str(source.get("CodingSchemeDesignator", "")) in ("MDC", "SCPECG") and code.isdigit():
        return LEAD_CODES.get(int(code), str(source.get("CodeMeaning", ""))[:16])
    return str(source.get("CodeMeaning") or channel.get("ChannelLabel") or "")[:16].split(" (")[0]


def unit(channel: Dataset) -> str:
    """UCUM code of the channel's unit; "" where it has none."""
    units = channel.get("ChannelSensitivityUnitsSequence") or [Dataset()]
    return str(units[0].get("CodeValue", ""))[:16]


def joined(groups: list[Group]) -> tuple[tuple[str, ...], tuple[str, ...], np.ndarray, float]:
    """Leads, units, [lead, sample] and rate on one line of time; what a lead does not cover is NaN."""
    if not groups or len({part.rate_hz for part in groups}) != 1:
        raise Unreadable("unreadable", "no group of rhythm samples, or groups at different rates")
    rate_hz, first = groups[0].rate_hz, min(part.start_s for part in groups)
    starts = [round((part.start_s - first) * rate_hz) for part in groups]
    length = max(start + part.signal.shape[1] for start, part in zip(starts, groups, strict=True))
    leads = tuple(name for part in groups for name in part.leads)
    check_shape(len(leads), length, rate_hz)
    signal, row = np.full((len(leads), length), np.nan, np.float32), 0
    for start, part in zip(starts, groups, strict=True):
        signal[row : row + len(part.leads), start : start + part.signal.shape[1]] = part.signal
        row += len(part.leads)
    return leads, tuple(name for part in groups for name in part.units), signal, rate_hz


def median(items: list[Dataset]) -> FileBeat | None:
    """The machine's median beat; None where there is none that is whole."""
    if not items:
        return None
    try:
        beat = group(items[0])
    except (Unreadable, AttributeError, TypeError, ValueError):
        return None
    return FileBeat(beat.leads, beat.units, beat.signal, beat.rate_hz)


def measurements(notes: list[Dataset]) -> dict[str, float]:
    """Trait -> value of the numeric annotations, by the meaning of their concept."""
    found = {}
    for note in notes:
        concept = (note.get("ConceptNameCodeSequence") or [Dataset()])[0]
        trait, value = MEASUREMENTS.get(str(concept.get("CodeMeaning", "")).upper()), note.get("NumericValue")
        value = value[0] if isinstance(value, pydicom.multival.MultiValue) and value else value
        if trait and value is not None and np.isfinite(float(value)):
            found.setdefault(trait, float(value))
    return found
