"""Bytes of an XML file -> element tree without namespaces: no entities, no DTD, nothing fetched, bounded size."""

import contextlib
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path

import defusedxml
import numpy as np
from defusedxml.ElementTree import DefusedXMLParser

from ecgwas.signals.recording import Unreadable

MAX_ELEMENTS, MAX_DEPTH = 300_000, 64
LARGEST = 2**24  # counts; exact in float32


class _Bounded(ET.TreeBuilder):
    """Builds elements by their local names, as many and as deep as real files need."""

    elements = depth = 0

    def start(self, tag: str, attributes: dict[str, str]) -> ET.Element:
        self.elements, self.depth = self.elements + 1, self.depth + 1
        if self.elements > MAX_ELEMENTS or self.depth > MAX_DEPTH:
            raise Unreadable("unsafe_xml", f"more than {MAX_ELEMENTS} elements, or deeper than {MAX_DEPTH}")
        return super().start(_local(tag), {_local(name): value for name, value in attributes.items()})

    def end(self, tag: str) -> ET.Element:
        self.depth -= 1
        return super().end(_local(tag))


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def parse(data: bytes) -> ET.Element:
    """The root element. A DOCTYPE is read over (GE MUSE writes one), an entity of its own is refused."""
    parser = DefusedXMLParser(target=_Bounded(), forbid_dtd=False, forbid_entities=True, forbid_external=True)
    try:
        parser.feed(data)
        return parser.close()
    except defusedxml.DefusedXmlException as error:
        raise Unreadable("unsafe_xml", f"{type(error).__name__}: the file declares entities") from error
    except ET.ParseError as error:
        raise Unreadable("unreadable", f"not well-formed XML, line {error.position[0]}") from error


def read(path: Path, root_tag: str) -> ET.Element:
    """The root element of a file, which must be a `root_tag`."""
    root = parse(path.read_bytes())
    if root.tag != root_tag:
        raise Unreadable("wrong_format", f"the root element is not {root_tag}")
    return root


def need(element: ET.Element, path: str) -> ET.Element:
    """The descendant at `path`; raises `Unreadable` where there is none."""
    child = element.find(path)
    if child is None:
        raise Unreadable("unreadable", f"no element {path}")
    return child


def text(element: ET.Element | None, path: str = ".") -> str:
    """Text of the descendant at `path`, stripped; "" where there is none."""
    child = element.find(path) if element is not None else None
    return (child.text or "").strip() if child is not None else ""


def number(element: ET.Element | None, path: str = ".") -> float:
    """The number at `path`; NaN where there is none."""
    return as_number(text(element, path))


def as_number(value: str | None) -> float:
    """`value` as a finite number, else NaN."""
    try:
        found = float(value or "nan")
    except ValueError:
        return np.nan
    return found if np.isfinite(found) else np.nan


def numbers(element: ET.Element | None, names: dict[str, str]) -> dict[str, float]:
    """Trait -> number of the traits of `names` (trait -> path) that the element gives."""
    found = {trait: number(element, path) for trait, path in names.items()}
    return {trait: value for trait, value in found.items() if np.isfinite(value)}


def integers(values: str | bytes, separator: str, what: str) -> np.ndarray:
    """Float32 of a list of whole numbers in text."""
    try:
        found = np.fromstring(values, dtype=np.int64, sep=separator)
    except (ValueError, DeprecationWarning) as error:
        raise Unreadable("unreadable", f"{what} holds something that is no number") from error
    if len(found) and max(int(found.max()), -int(found.min())) > LARGEST:
        raise Unreadable("unreadable", f"{what} holds a sample beyond {LARGEST}")
    return found.astype(np.float32)


def table(waves: list[str | bytes], separator: str, what: str) -> np.ndarray:
    """Float32 [lead, sample] of whole numbers in text, a text a lead; raises as `integers` and `stacked` do."""
    comma = separator if isinstance(waves[0], str) else separator.encode()
    lengths = {wave.count(comma) + 1 for wave in waves}
    if len(lengths) == 1:  # numbers are read faster in one go
        with contextlib.suppress(Unreadable):
            found = integers(comma.join(waves), separator, what)
            if len(found) == len(waves) * lengths.pop():
                return found.reshape(len(waves), -1)
    return stacked([integers(wave, separator, what) for wave in waves], what)


def stacked(waves: Iterable[np.ndarray], what: str) -> np.ndarray:
    """Float32 [lead, sample] of leads of equal length; raises `Unreadable` where lengths differ or there is no lead."""
    waves = list(waves)
    lengths = sorted({len(wave) for wave in waves})
    if len(lengths) != 1:
        raise Unreadable("truncated", f"{what}: leads of {lengths or 'no'} samples")
    return np.stack(waves).astype(np.float32)
