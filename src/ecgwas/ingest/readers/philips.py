"""Philips Sierra XML 1.03 and 1.04 -> recordings: LZW and second differences; limb leads stored as residuals.

The compression (XLI) and the reconstruction of the limb leads follow the sierraecg project (Watford, MIT licence),
which the tests compare with.
"""

import base64
import binascii
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np

from ecgwas.config import LEADS, EcgSource
from ecgwas.ingest.readers import dates, privacy, xml
from ecgwas.ingest.readers.folder import check_shape
from ecgwas.signals.recording import FileBeat, Recording, Unreadable

SUFFIXES = (".xml",)
VERSIONS = ("1.03", "1.04", "1.04.01", "1.04.02")
LZW_BITS = 10
MAX_UNTOLD = 2**20  # samples of a lead, where the file does not say how many
# Names of 1.03 and 1.04 in turn; the first that is there counts.
MEASUREMENTS = {
    "heart_rate_bpm": ("heartrate", "meanventrate"),
    "pr_ms": ("print", "meanprint"),
    "p_duration_ms": ("pdur",),
    "qrs_ms": ("qrsdur", "meanqrsdur"),
    "qt_ms": ("qtint", "meanqtint"),
    "qtc_bazett_ms": ("qtcb", "meanqtc"),
    "p_axis_deg": ("pfrontaxis",),
    "qrs_axis_deg": ("qrsfrontaxis",),
    "t_axis_deg": ("tfrontaxis",),
}
BLOCKS = (".//interpretation/globalmeasurements", ".//interpretationmeasurements", ".//globalmeasurements")
AMPLITUDES = {"p": "pamp", "q": "qamp", "r": "ramp", "s": "samp", "t": "tamp"}
PEOPLE = ("patient", "orderinfo", "userdefines", "dataacquisition/acquirer")


def parse(path: Path, source: EcgSource | None = None) -> Recording:
    """The rhythm strip of one file, with the representative beat and the measurements of the machine."""
    root = xml.read(path, "restingecgdata")
    version = xml.text(root, "documentinfo/documentversion")
    if version not in VERSIONS:
        raise Unreadable("unsupported", "a document version other than " + ", ".join(VERSIONS))
    about = xml.need(root, "dataacquisition/signalcharacteristics")
    leads, counts, rate_hz = samples(xml.need(root, ".//parsedwaveforms"), about)
    microvolts = first_number(about, ("resolution", "signalresolution"))
    if not microvolts > 0:
        raise Unreadable("unreadable", "no signal resolution")
    acquired = xml.need(root, "dataacquisition")
    secrets = [element.text or "" for tag in PEOPLE for part in root.iterfind(tag) for element in part.iter()]
    device = f"Philips {xml.text(acquired, 'machine')} Sierra {version}"
    return Recording(
        leads,
        ("uV",) * len(leads),
        counts.astype(np.float32) * np.float32(microvolts),
        rate_hz,
        counts.shape[1] / rate_hz,
        start_time=start_time(acquired),
        device=privacy.label(device),
        machine=measurements(root),
        statements=privacy.statements(statements(root), secrets),
        median=median(root.find(".//repbeats")),
        bandwidth_hz=bandwidth(root, about),
    )


def lzw(data: bytes, limit: int) -> bytes:
    """Decompressed bytes, `limit` at most: codes of `LZW_BITS` bits, most significant first; the table fills once."""
    strings = [bytes([code]) for code in range(256)]
    largest, out, size, previous = (1 << LZW_BITS) - 2, [], 0, b""
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    bits = bits[: len(bits) // LZW_BITS * LZW_BITS].reshape(-1, LZW_BITS)
    for code in (bits @ (1 << np.arange(LZW_BITS)[::-1])).tolist():
        if code > largest or (code >= len(strings) and not previous) or code > len(strings):
            break
        entry = strings[code] if code < len(strings) else previous + previous[:1]
        if previous and len(strings) <= largest:
            strings.append(previous + entry[:1])
        out.append(entry)
        previous, size = entry, size + len(entry)
        if size > limit:
            raise Unreadable("unreadable", "a lead decompresses to more than its samples")
    return b"".join(out)


def undo_differences(values: np.ndarray, start: int) -> np.ndarray:
    """Int16 [sample] from what is stored: two samples, then second differences + 64, one late; `start` is the first."""
    bends = -np.concatenate([[start], values[2:-1].astype(np.int64) - 64])
    slopes = values[1].astype(np.int64) - values[0] + np.concatenate([[0], np.cumsum(bends)])
    return np.concatenate([[values[0]], values[0] + np.cumsum(slopes)]).astype(np.int16)


def decompress(data: bytes, samples: int) -> np.ndarray:
    """Int16 [lead, sample] of chunks: size, code, start (8 bytes), then LZW of the high and then the low bytes."""
    leads, at = [], 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "little", signed=True)
        start = int.from_bytes(data[at + 6 : at + 8], "little", signed=True)
        if size <= 0 or at + 8 + size > len(data) or len(leads) == 64:
            raise Unreadable("truncated", f"chunk {len(leads) + 1} of {size} bytes does not fit in the data")
        raw = np.frombuffer(lzw(data[at + 8 : at + 8 + size], 2 * samples + 4096), np.uint8)
        half = (len(raw) + 1) // 2
        if half < 3:
            raise Unreadable("truncated", f"chunk {len(leads) + 1} holds {half} samples")
        low = np.zeros(half, np.uint16)
        low[: len(raw) - half] = raw[half:]
        leads.append(undo_differences((raw[:half].astype(np.uint16) << 8 | low).view(np.int16), start))
        at += 8 + size
    return xml.stacked(leads, "parsedwaveforms").astype(np.int16)


def samples(waves: ET.Element, about: ET.Element) -> tuple[tuple[str, ...], np.ndarray, float]:
    """Lead names, int16 [lead, sample] and rate."""
    rate_hz, duration_ms = xml.number(about, "samplingrate"), xml.as_number(waves.get("durationperchannel"))
    names = tuple(waves.get("leadlabels", "").split()) or LEADS
    given = waves.get("numberofleads") or xml.text(about, "numberchannelsallocated")
    declared = xml.as_number(given) if given else float(len(names))
    if not np.isfinite(rate_hz + declared) or (waves.get("durationperchannel") and np.isnan(duration_ms)):
        raise Unreadable("unreadable", "no sampling rate, or a duration or number of leads that is no number")
    n = int(min(rate_hz * duration_ms / 1000, 2**31)) if waves.get("durationperchannel") else 0
    check_shape(int(min(declared, 2**31)), max(n, 1), rate_hz)
    method = waves.get("compressmethod", waves.get("compression", "Uncompressed"))
    if waves.get("dataencoding") != "Base64" or method not in ("XLI", "Uncompressed"):
        raise Unreadable("unsupported", "waveforms in an encoding other than Base64 with XLI or no compression")
    data = decoded(waves.text or "")
    if method == "XLI":
        counts = decompress(data, n or MAX_UNTOLD)
        n = n or counts.shape[1]
    else:
        counts = np.frombuffer(data[: len(data) // 2 * 2], "<i2")
        n = n or len(counts) // int(declared)
        if len(counts) < n * declared:
            raise Unreadable("truncated", f"{len(counts)} samples, declared {n * declared:.0f}")
        counts = counts[: n * int(declared)].reshape(int(declared), n)
    if len(counts) < declared or counts.shape[1] < n or len(names) < declared:
        raise Unreadable(
            "truncated", f"{len(counts)} leads of {counts.shape[1]} samples, declared {declared:.0f} of {n}"
        )
    counts, names = counts[: int(declared), :n].copy(), names[: int(declared)]
    if names[:6] == LEADS[:6] and (method == "XLI" or is_residual(counts)):
        counts[2:6] = limb_leads(*counts[:6].astype(np.int64))
    return names, counts, rate_hz


def is_residual(counts: np.ndarray) -> bool:
    """Whether row III of [lead, sample] is what is left of II - I and not III itself: the smaller of the two."""
    one, two, third = counts[:3].astype(np.float64)
    return third.std() < (two - one - third).std()


def limb_leads(one, two, three, avr, avl, avf) -> tuple[np.ndarray, ...]:
    """III, aVR, aVL and aVF [sample] from I, II and the residuals of the four."""
    three = (two - one - three).astype(np.int16).astype(np.int64)
    return three, -avr - (one + two) // 2, (one - three) // 2 - avl, (two + three) // 2 - avf


def decoded(text: str) -> bytes:
    """Bytes of base64 with line breaks."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable("unreadable", "waveforms are not base64") from error


def first_number(element: ET.Element, names: tuple[str, ...]) -> float:
    """The first of the numbers called `names` that is there; NaN where none is."""
    return next((value for value in (xml.number(element, name) for name in names) if np.isfinite(value)), np.nan)


def measurements(root: ET.Element) -> dict[str, float]:
    """Global measurements, and amplitudes per lead in mV (a wave that is not there is written as 0)."""
    block = next((found for found in map(root.find, BLOCKS) if found is not None), None)
    found = {}
    if block is not None:
        found = {trait: first_number(block, names) for trait, names in MEASUREMENTS.items()}
    for lead in root.iterfind(".//leadmeasurement"):
        name = (lead.get("leadname") or "").lower()
        for wave, tag in AMPLITUDES.items() if name.upper() in [known.upper() for known in LEADS] else ():
            value = xml.number(lead, tag) / 1000
            found[f"{wave}_{name}_mv"] = (abs(value) if wave in "qs" else value) or np.nan
    return {trait: value for trait, value in found.items() if np.isfinite(value)}


def median(block: ET.Element | None) -> FileBeat | None:
    """The representative beats; None where the file has none, or none with rate and resolution (1.03)."""
    beats = block.findall("repbeat") if block is not None else []
    rate_hz, microvolts = (xml.as_number(block.get(a)) if beats else np.nan for a in ("samplespersec", "resolution"))
    if not rate_hz > 0 or not microvolts > 0:
        return None
    try:
        raw = [decoded(xml.text(beat, "waveform") or beat.text or "") for beat in beats]
        signal = xml.stacked([np.frombuffer(data[: len(data) // 2 * 2], "<i2") for data in raw], "repbeats")
    except Unreadable:
        return None
    signal[signal == np.iinfo(np.int16).max] = np.nan  # written behind the end of the beat
    names = tuple((beat.get("leadname") or "")[:16] for beat in beats)
    return FileBeat(names, ("uV",) * len(names), signal * np.float32(microvolts), rate_hz)


def bandwidth(root: ET.Element, about: ET.Element) -> tuple[float | None, float | None]:
    """High-pass and low-pass of the acquisition, Hz."""
    high, low = xml.number(about, "hipass"), xml.number(about, "lowpass")
    if np.isnan(high + low) and xml.text(about, "signalbandwidth"):
        high, _, low = (xml.as_number(part) for part in xml.text(about, "signalbandwidth").partition("-"))
    return (high if high > 0 else None, low if low > 0 else None)


def statements(root: ET.Element) -> list[str]:
    """Lines of the interpretation: statement and its ground."""
    pairs = [(s, "leftstatement", "rightstatement") for s in root.iterfind(".//interpretation/statement")]
    pairs += [(s, "lhsstatement", "rhsstatement") for s in root.iterfind(".//codedstatement/unparsedstatement")]
    return [": ".join(part for part in (xml.text(s, left), xml.text(s, right)) if part) for s, left, right in pairs]


def start_time(acquired: ET.Element) -> str | None:
    """ISO 8601 from the attributes date and time."""
    date, time = acquired.get("date", "").split("-"), acquired.get("time", "").split(":")
    return dates.iso(*date, *time) if (len(date), len(time)) == (3, 3) else None
