"""SCP-ECG (EN 1064, ISO 11073-91064) -> recordings: the ecgdatakit package, after a look at what the file declares."""

import struct
import warnings
from pathlib import Path

import numpy as np
from ecgdatakit.exceptions import ChecksumWarning, ECGDataKitError
from ecgdatakit.models import ECGRecord, Lead
from ecgdatakit.parsing.parsers.scp_ecg import SCPECGParser

from ecgwas.config import EcgSource
from ecgwas.ingest.readers import dates, privacy
from ecgwas.ingest.readers.folder import check_shape
from ecgwas.signals.recording import FileBeat, Recording, Unreadable

SUFFIXES = (".scp", ".scpecg")
MEASUREMENTS = {
    "heart_rate_bpm": "heart_rate",
    "p_axis_deg": "p_axis",
    "qrs_axis_deg": "qrs_axis",
    "t_axis_deg": "t_axis",
    "qtc_bazett_ms": "qtc_bazett",
}
AMPLITUDES = {"p": "p_plus_amplitude", "q": "q_amplitude", "r": "r_amplitude", "s": "s_amplitude"}
AMPLITUDES |= {"j": "j_point_amplitude", "t": "t_plus_amplitude"}


def parse(path: Path, source: EcgSource | None = None) -> Recording:
    """The rhythm of one file, with the reference beat and the measurements of the machine."""
    check_declared(path.read_bytes())
    record = load(path)
    leads, units, signal, rate_hz = stacked(record.leads)
    patient, about = record.patient, record.recording
    secrets = [str(value) for value in (patient.last_name, patient.first_name, patient.patient_id)]
    secrets += [str(value) for value in (about.technician, about.referring_physician, about.device.serial_number)]
    device, filters = about.device, about.acquisition.filters
    found = [text for text, _ in record.interpretation.statements] if record.interpretation else []
    return Recording(
        leads,
        units,
        signal,
        rate_hz,
        signal.shape[1] / rate_hz,
        start_time=dates.iso(*about.date.timetuple()[:6]) if about.date else None,
        device=privacy.label(f"{device.manufacturer} {device.model} {device.software_version}", secrets),
        machine=measurements(record),
        statements=privacy.statements(found, secrets),
        median=median(record.median_beats),
        bandwidth_hz=(filters.highpass, filters.lowpass),
    )


def load(path: Path) -> ECGRecord:
    """The record; its checksums must be right."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", ChecksumWarning)
        try:
            return SCPECGParser().parse(path)
        except ChecksumWarning as error:
            raise Unreadable("checksum", "a section does not have the checksum that the file gives") from error
        except ECGDataKitError as error:
            raise Unreadable("unreadable", f"{type(error).__name__} in the SCP-ECG sections") from error


def check_declared(data: bytes) -> None:
    """Raise `Unreadable` where the sections declare more samples than their bytes can hold (a bit each, compressed)."""
    if len(data) < 32:
        raise Unreadable("truncated", f"{len(data)} bytes")
    size, length = struct.unpack_from("<I", data, 2)[0], struct.unpack_from("<I", data, 10)[0]
    if size > len(data):
        raise Unreadable("truncated", f"{len(data)} bytes, its header says {size}")
    for at in range(22, min(6 + length, len(data)) - 9, 10):
        section, n, index = struct.unpack_from("<HII", data, at)
        body = data[index + 15 : index - 1 + n] if index else b""
        if section == 3 and body:
            leads = [struct.unpack_from("<II", body, 2 + 9 * k) for k in range(min(body[0], (len(body) - 2) // 9))]
            longest = max((stop - start + 1 for start, stop in leads), default=0)
            check_shape(max(len(leads), 1), max(longest, 1), 500.0)
            if longest > 8 * len(data):
                raise Unreadable("truncated", f"leads of {longest} samples in {len(data)} bytes")
        if section == 4 and len(body) >= 6 and struct.unpack_from("<H", body, 4)[0] > 2000:
            raise Unreadable("unreadable", "more than 2,000 QRS complexes")


def stacked(leads: list[Lead]) -> tuple[tuple[str, ...], tuple[str, ...], np.ndarray, float]:
    """Names, units, float32 [lead, sample] and rate; NaN before a lead that starts later and behind a shorter one."""
    if not leads or len({lead.sampling_rate for lead in leads}) != 1:
        raise Unreadable("unreadable", "no leads, or leads at different rates")
    starts = [int(lead.annotations.get("start_sample", 1)) - 1 for lead in leads]
    length = max(start + len(lead.samples) for start, lead in zip(starts, leads, strict=True))
    check_shape(len(leads), length, leads[0].sampling_rate)
    signal = np.full((len(leads), length), np.nan, np.float32)
    for row, (start, lead) in enumerate(zip(starts, leads, strict=True)):
        signal[row, start : start + len(lead.samples)] = lead.samples * lead.resolution
    units = tuple("uV" if lead.resolution_unit == "uV" else "" for lead in leads)
    return tuple(lead.label for lead in leads), units, signal, float(leads[0].sampling_rate)


def median(leads: list[Lead]) -> FileBeat | None:
    """The reference beat; None where there is none."""
    if not leads:
        return None
    try:
        return FileBeat(*stacked(leads))
    except Unreadable:
        return None


def measurements(record: ECGRecord) -> dict[str, float]:
    """Trait -> value: global numbers, intervals of the first block's on- and offsets, and amplitudes per lead in mV."""
    found = {trait: getattr(record.measurements, name, None) for trait, name in MEASUREMENTS.items()}
    on = {name: record.annotations.get(f"median_{name}_ms") for name in ("p_onset", "p_offset", "qrs_onset")}
    on |= {name: record.annotations.get(f"median_{name}_ms") for name in ("qrs_offset", "t_offset")}
    pairs = {"p_duration_ms": ("p_onset", "p_offset"), "pr_ms": ("p_onset", "qrs_onset")}
    pairs |= {"qrs_ms": ("qrs_onset", "qrs_offset"), "qt_ms": ("qrs_onset", "t_offset")}
    for trait, (start, stop) in pairs.items():
        if on[start] and on[stop] and int(on[stop]) > int(on[start]):
            found[trait] = int(on[stop]) - int(on[start])
    for lead, values in record.raw_metadata.get("lead_measurements", {}).items():
        for wave, name in AMPLITUDES.items():
            value = values.get(name)
            found[f"{wave}_{lead.lower()}_mv"] = (abs(value) if wave in "qs" else value) / 1000 if value else None
    return {trait: float(value) for trait, value in found.items() if value is not None}
