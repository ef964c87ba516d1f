"""GE CardioSoft XML (UK Biobank field 20205) -> recordings: slices of bytes for samples, a small tree for the rest.

The samples are 95 % of a file and are text in two blocks, so they are cut out and parsed as numbers; what is left is
an XML tree of some hundred elements. A file with a DTD, comments or an encoding that is not one byte a character
goes through the general XML parser instead; both ways give the same recording.
"""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np

from ecgwas.config import EcgSource
from ecgwas.ingest.readers import dates, privacy, xml
from ecgwas.ingest.readers.folder import check_shape
from ecgwas.signals.recording import FileBeat, Recording, Unreadable

SUFFIXES = (".xml",)
ENCODINGS = (b"iso-8859-1", b"utf-8", b"us-ascii", b"windows-1252")
WAVE = re.compile(rb"<WaveformData\b[^>]*?\blead\s*=\s*[\"']([^\"'<>]{1,16})[\"'][^>]*>([^<]*)</WaveformData\s*>", re.I)
# Sections that hold samples or repeat what other sections say, in the order of the files; of two the samples are read.
SECTIONS = (b"MedianSamples", b"VectorLoops", b"StripData", b"FullDisclosure", b"CSWeb")
SAMPLES = (b"MedianSamples", b"StripData")
MAX_REST = 2**18  # bytes of a file without its samples
Waves = list[tuple[str, str | bytes]]

MEASUREMENTS = {
    "heart_rate_bpm": "VentricularRate",
    "pr_ms": "PQInterval",
    "p_duration_ms": "PDuration",
    "qrs_ms": "QRSDuration",
    "qt_ms": "QTInterval",
    "qtc_bazett_ms": "QTCInterval",
    "p_axis_deg": "PAxis",
    "qrs_axis_deg": "RAxis",
    "t_axis_deg": "TAxis",
}
# Rows of the measurement table, µV; Q and S are written as positive depths, as in our traits.
AMPLITUDES = {"p": "PAmplitude", "q": "QAmplitude", "r": "RAmplitude", "s": "SAmplitude", "j": "JAmplitude"}
AMPLITUDES |= {"t": "TAmplitude"}
PEOPLE = ("PatientInfo", "PatientVisit", "ClinicalInfo/Technician")


def parse(path: Path, source: EcgSource | None = None) -> Recording:
    """The rhythm strip of one file, with the median beat, measurements and beat times of the machine."""
    data = path.read_bytes()
    root, blocks = fast(data) or general(data)
    if root.tag != "CardiologyXML":
        raise Unreadable("wrong_format", "the root element is not CardiologyXML")
    strip = xml.need(root, ".//StripData")
    leads, signal, rate_hz = samples(strip, blocks["StripData"], "StripData")
    measured, filters = root.find(".//RestingECGMeasurements"), root.find("FilterSetting")
    secrets = [element.text or "" for tag in PEOPLE for part in root.iterfind(tag) for element in part.iter()]
    device = " ".join(
        xml.text(root, f"ClinicalInfo/DeviceInfo/{tag}") for tag in ("Desc", "SoftwareVer", "AnalysisVer")
    )
    bandwidth = [xml.number(filters, tag) for tag in ("HighPass", "LowPass")]
    return Recording(
        leads,
        ("uV",) * len(leads),
        signal,
        rate_hz,
        signal.shape[1] / rate_hz,
        start_time=start_time(root.find("ObservationDateTime")),
        device=privacy.label(device),
        machine=xml.numbers(measured, MEASUREMENTS) | lead_table(measured),
        statements=privacy.statements(statements(root), secrets),
        median=median(measured, blocks["MedianSamples"]),
        beat_times_s=tuple(xml.number(time) / 1000 for time in strip.iterfind("ArrhythmiaResults/Time")),
        bandwidth_hz=tuple(None if np.isnan(value) else value for value in bandwidth),
    )


def is_plain(data: bytes) -> bool:
    """One byte a character, so that slices of bytes are what they look like."""
    declared = re.match(rb"\s*<\?xml[^>]*?encoding\s*=\s*[\"']([\w.-]+)[\"']", data[:200])
    return (declared[1].lower() if declared else b"utf-8") in ENCODINGS and b"\0" not in data[:200]


def fast(data: bytes) -> tuple[ET.Element, dict[str, Waves]] | None:
    """Tree without the samples, and lead names and samples as text of the two blocks.

    None where what is left holds a declaration (a DTD, an entity, a comment that may hide a block), a namespace, a
    section out of order, or is not well-formed. Without a declaration there is nothing that the plain parser could
    expand or fetch.
    """
    if not is_plain(data):
        return None
    blocks, rest, done, seen = {}, [], 0, set()
    for tag in SECTIONS:
        start, stop = span(data, tag, done)
        if stop > start:
            seen.add(tag)
        rest.append(data[done:start])
        done = stop
        if tag in SAMPLES:
            between, blocks[tag.decode()] = split(data[start:stop])
            rest += between
    data = b"".join([*rest, data[done:]])
    unclear = b"<!" in data or b"xmlns" in data or len(data) > MAX_REST
    unclear |= any(data.count(b"<" + tag) != (tag in SAMPLES and tag in seen) for tag in SECTIONS)
    try:
        return None if unclear else (ET.fromstring(data), blocks)
    except ET.ParseError:
        return None


def split(block: bytes) -> tuple[list[bytes], Waves]:
    """What is between the samples, and lead names and samples, of the text of one block."""
    pieces = WAVE.split(block)  # what is between, lead, samples, what is between, …
    waves = [(lead.decode("latin-1"), wave) for lead, wave in zip(pieces[1::3], pieces[2::3], strict=True)]
    return pieces[::3], waves


def span(data: bytes, tag: bytes, at: int) -> tuple[int, int]:
    """Where the first element `tag` from `at` on starts and ends; (at, at) where there is none."""
    start = found(data, b"<" + tag, at)
    stop = found(data, b"</" + tag, start) if start >= 0 else -1
    return (start, data.find(b">", stop) + 1) if stop >= 0 else (at, at)


def found(data: bytes, opening: bytes, at: int) -> int:
    """Where `opening` stands from `at` on as a whole name (FullDisclosure is not FullDisclosureData); -1 if nowhere."""
    at = data.find(opening, at)
    while at >= 0 and data[at + len(opening) : at + len(opening) + 1] not in (b">", b" ", b"\t", b"\r", b"\n"):
        at = data.find(opening, at + 1)
    return at


def general(data: bytes) -> tuple[ET.Element, dict[str, Waves]]:
    """The same from the whole tree."""
    root = xml.parse(data)
    blocks = {}
    for tag in (name.decode() for name in SAMPLES):
        block = root.find(f".//{tag}")
        waves = [] if block is None else [wave for wave in block.iter() if wave.tag.lower() == "waveformdata"]
        blocks[tag] = [(lead_name(wave), wave.text or "") for wave in waves]
    return root, blocks


def lead_name(wave: ET.Element) -> str:
    """The attribute `lead`, in whatever case it is written."""
    return next((value[:16] for name, value in wave.attrib.items() if name.lower() == "lead"), "")


def samples(block: ET.Element, waves: Waves, what: str) -> tuple[tuple[str, ...], np.ndarray, float]:
    """Lead names, float32 [lead, sample] in µV and rate of one block; every lead as long as declared."""
    rate_hz, given = xml.number(block, "SampleRate"), bool(xml.text(block, "ChannelSampleCountTotal"))
    count, microvolts = xml.number(block, "ChannelSampleCountTotal"), xml.number(block, "Resolution")
    if not np.isfinite(rate_hz) or not microvolts > 0 or given != np.isfinite(count):
        raise Unreadable("unreadable", f"{what} gives no rate or resolution, or a sample count that is no number")
    check_shape(len(waves), count if given else 1, rate_hz)
    signal = xml.table([wave for _, wave in waves], ",", what)
    if given and signal.shape[1] != count:
        raise Unreadable("truncated", f"{what} has {signal.shape[1]} samples a lead, declared {count:.0f}")
    signal *= np.float32(microvolts)
    return tuple(name for name, _ in waves), signal, rate_hz


def median(measured: ET.Element | None, waves: Waves) -> FileBeat | None:
    """The machine's median beat; None where the file has none that is whole."""
    block = measured.find(".//MedianSamples") if measured is not None else None
    if block is None or not waves:
        return None
    try:
        leads, signal, rate_hz = samples(block, waves, "MedianSamples")
    except Unreadable:
        return None
    return FileBeat(leads, ("uV",) * len(leads), signal, rate_hz)


def lead_table(measured: ET.Element | None) -> dict[str, float]:
    """Amplitudes per lead, mV: rows of twelve cells in the order the table gives; an empty cell is a wave not found."""
    table = measured.find("MeasurementTable") if measured is not None else None
    order = [name.strip().lower() for name in xml.text(table, "LeadOrder").split(",")]
    found = {}
    for wave, tag in AMPLITUDES.items():
        cells = xml.text(table, tag).split(",")
        if len(cells) == len(order):
            values = {f"{wave}_{lead}_mv": xml.as_number(cell) / 1000 for lead, cell in zip(order, cells, strict=True)}
            found |= {name: value for name, value in values.items() if np.isfinite(value)}
    return found


def statements(root: ET.Element) -> list[str]:
    """Lines of the diagnosis, up to the separator before the counts of the full disclosure."""
    lines = [(line.text or "").strip() for line in root.iterfind("Interpretation/Diagnosis/DiagnosisText")]
    return lines[: lines.index("---")] if "---" in lines else lines


def start_time(element: ET.Element | None) -> str | None:
    """ISO 8601 from Year, Month, Day, Hour, Minute, Second."""
    parts = [xml.number(element, tag) for tag in ("Year", "Month", "Day", "Hour", "Minute", "Second")]
    return dates.iso(*parts)
