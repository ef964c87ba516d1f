"""HL7 aECG (annotated ECG, urn:hl7-org:v3) -> recordings: rhythm series, derived beat and annotations.

Sequences: GLIST_TS or GLIST_PQ (head, increment) is time, SLIST_PQ (origin, scale, digits) is a lead.
"""

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ecgwas.config import EcgSource
from ecgwas.ecg.canonical import apart
from ecgwas.ingest.readers import dates, privacy, xml
from ecgwas.ingest.readers.folder import check_shape
from ecgwas.signals.recording import FileBeat, Recording, Unreadable

SUFFIXES = (".xml",)
SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
MEASUREMENTS = {
    "MDC_ECG_HEART_RATE": "heart_rate_bpm",
    "MDC_ECG_TIME_PD_P": "p_duration_ms",
    "MDC_ECG_TIME_PD_PR": "pr_ms",
    "MDC_ECG_TIME_PD_QRS": "qrs_ms",
    "MDC_ECG_TIME_PD_QT": "qt_ms",
    "MDC_ECG_TIME_PD_QTc": "qtc_bazett_ms",
    "MDC_ECG_TIME_PD_QTcB": "qtc_bazett_ms",
    "MDC_ECG_ANGLE_P_FRONT": "p_axis_deg",
    "MDC_ECG_ANGLE_QRS_FRONT": "qrs_axis_deg",
    "MDC_ECG_ANGLE_T_FRONT": "t_axis_deg",
}
INTERPRETATIONS = {"MDC_ECG_INTERPRETATION", "MDC_ECG_INTERPRETATION_STATEMENT", "MDC_ECG_INTERPRETATION_COMMENT"}
PEOPLE = (".//assignedPerson", ".//subjectDemographicPerson", ".//investigatorPerson", ".//trialSubject")


class Part(NamedTuple):
    """One sequence set: leads recorded together."""

    start_s: float  # from the first part
    rate_hz: float
    leads: tuple[str, ...]
    units: tuple[str, ...]
    signal: np.ndarray  # float32 [lead, sample]
    timed: bool  # says when it starts


def parse(path: Path, source: EcgSource | None = None) -> Recording:
    """The rhythm series of one file, with the derived beat and the global measurements."""
    root = xml.read(path, "AnnotatedECG")
    every = root.findall("component/series")
    codes = [code.get("code", "") if (code := one.find("code")) is not None else "" for one in every]
    series = [one for one, code in zip(every, codes, strict=True) if code == "RHYTHM" or codes == [""]]
    if not series:
        raise Unreadable("unreadable", "no series of rhythm waveforms")
    series, began = series[0], head_time(series[0])
    parts = [sequence_set(part, began) for part in series.iterfind("component/sequenceSet")]
    leads, units, signal, rate_hz = joined(parts)
    derived = [d for d in series.iterfind("derivation/derivedSeries") if d.find("component/sequenceSet") is not None]
    secrets = [element.text or "" for tag in PEOPLE for part in root.iterfind(tag) for element in part.iter()]
    maker = series.find("author/seriesAuthor")
    model = " ".join(
        xml.text(maker, f"manufacturedSeriesDevice/{t}") for t in ("manufacturerModelName", "softwareName")
    )
    return Recording(
        leads,
        units,
        signal,
        rate_hz,
        signal.shape[1] / rate_hz,
        start_time=dates.of_digits(began),
        device=privacy.label(f"{xml.text(maker, 'manufacturerOrganization/name')} {model}", secrets),
        machine=measurements(derived[0] if derived else series),
        statements=privacy.statements(statements(root), secrets),
        median=median(derived[0]) if derived else None,
        simultaneous=len(parts) == 1 or (all(part.timed for part in parts) and not apart(signal)),
        bandwidth_hz=(cutoff(series, "HIGH"), cutoff(series, "LOW")),
    )


def head_time(series: ET.Element) -> str:
    """Start of the series, digits of a date and time."""
    low = series.find("effectiveTime/low")
    return (low.get("value") or "") if low is not None else ""


def since(time: str, began: str) -> float:
    """Seconds from `began` to `time`, both HL7 timestamps (YYYYMMDDhhmmss.fff); 0 where one is too short to say."""
    clock = [stamp[8:14] for stamp in (time, began)]
    if not all(len(c) == 6 and c.isdigit() for c in clock):
        return 0.0
    late, early = (int(c[:2]) * 3600 + int(c[2:4]) * 60 + int(c[4:]) for c in clock)
    fraction = [xml.as_number("0" + stamp[14:19]) if len(stamp) > 15 else 0.0 for stamp in (time, began)]
    return (late - early) % 86_400 + float(np.nan_to_num(fraction[0]) - np.nan_to_num(fraction[1]))


def sequence_set(block: ET.Element, began: str) -> Part:
    """Time and leads of one sequence set."""
    rate_hz, start_s, timed, leads, units, waves = np.nan, 0.0, False, [], [], []
    for sequence in block.iterfind("component/sequence"):
        code, value = xml.need(sequence, "code").get("code", ""), xml.need(sequence, "value")
        increment = value.find("increment")
        if increment is not None:
            step = xml.as_number(increment.get("value")) * SECONDS.get(increment.get("unit", ""), np.nan)
            rate_hz = 1 / step if step > 0 else np.nan
            head = value.find("head")
            timed = code == "TIME_ABSOLUTE" and head is not None
            start_s = since(head.get("value", ""), began) if timed else 0.0
        elif value.find("digits") is not None:
            leads.append(code.removeprefix("MDC_ECG_LEAD_")[:16])
            units.append(xml.need(value, "scale").get("unit", "")[:16])
            waves.append(lead_samples(value))
    if not np.isfinite(rate_hz):
        raise Unreadable("unreadable", "a sequence set gives no time between samples")
    check_shape(len(leads), len(waves[0]) if waves else 0, rate_hz)
    return Part(start_s, rate_hz, tuple(leads), tuple(units), xml.stacked(waves, "sequenceSet"), timed)


def lead_samples(value: ET.Element) -> np.ndarray:
    """[sample] origin + scale * digits; both must be in one unit."""
    origin, scale = xml.need(value, "origin"), xml.need(value, "scale")
    zero, size = xml.as_number(origin.get("value")), xml.as_number(scale.get("value"))
    if not np.isfinite(zero + size) or origin.get("unit") != scale.get("unit"):
        raise Unreadable("unreadable", "a lead without origin and scale in one unit")
    return np.float32(zero) + np.float32(size) * xml.integers(xml.text(value, "digits"), " ", "digits")


def joined(parts: list[Part]) -> tuple[tuple[str, ...], tuple[str, ...], np.ndarray, float]:
    """Leads, units, [lead, sample] and rate on one line of time; what a lead does not cover is NaN."""
    if not parts or len({part.rate_hz for part in parts}) != 1:
        raise Unreadable("unreadable", "no sequence set, or sets at different rates")
    rate_hz, first = parts[0].rate_hz, min(part.start_s for part in parts)
    starts = [round((part.start_s - first) * rate_hz) for part in parts]
    length = max(start + part.signal.shape[1] for start, part in zip(starts, parts, strict=True))
    names = list(dict.fromkeys(name for part in parts for name in part.leads))
    check_shape(len(names), length, rate_hz)
    signal, units = np.full((len(names), length), np.nan, np.float32), dict.fromkeys(names, "")
    for start, part in zip(starts, parts, strict=True):
        for name, unit, wave in zip(part.leads, part.units, part.signal, strict=True):
            signal[names.index(name), start : start + len(wave)], units[name] = wave, unit
    return tuple(names), tuple(units.values()), signal, rate_hz


def median(derived: ET.Element) -> FileBeat | None:
    """The representative beat; None where it is not whole."""
    try:
        part = sequence_set(xml.need(derived, "component/sequenceSet"), "")
    except Unreadable:
        return None
    return FileBeat(part.leads, part.units, part.signal, part.rate_hz)


def measurements(series: ET.Element) -> dict[str, float]:
    """Trait -> value of the annotations of `series`; the median where beats are annotated one by one."""
    found: dict[str, list[float]] = {}
    for annotation in series.iterfind("subjectOf/annotationSet//annotation"):
        code, value = annotation.find("code"), annotation.find("value")
        trait = MEASUREMENTS.get(code.get("code", "")) if code is not None and value is not None else None
        number = xml.as_number(value.get("value")) if trait else np.nan
        if np.isfinite(number):
            found.setdefault(trait, []).append(number)
    return {trait: float(np.median(values)) for trait, values in found.items()}


def statements(root: ET.Element) -> list[str]:
    """Texts of interpretations."""
    lines = []
    for annotation in root.iterfind(".//annotation"):
        code = annotation.find("code")
        if code is not None and code.get("code") in INTERPRETATIONS:
            lines.append(xml.text(annotation, "value"))
    return lines


def cutoff(series: ET.Element, side: str) -> float | None:
    """Cut-off frequency of the acquisition's HIGH or LOW pass filter, Hz."""
    for block in series.iterfind(".//controlVariable"):
        code = block.find("code")
        if code is not None and code.get("code", "").endswith(f"FILTER_{side}_PASS"):
            for value in block.iterfind("component/controlVariable/value"):
                if value.get("unit") == "Hz":
                    return xml.as_number(value.get("value")) or None
    return None
