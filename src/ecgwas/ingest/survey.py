"""Folders of ECG files -> a page that says of each file whether it is read and kept, and why not."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pydantic
import yaml

from ecgwas.cli import run
from ecgwas.config import EcgSource, Ingest
from ecgwas.ecg.quality import Excluded
from ecgwas.errors import UserError
from ecgwas.files import atomic
from ecgwas.ingest.process import process
from ecgwas.ingest.readers import open_source
from ecgwas.signals.recording import Unreadable

LISTED = 60  # sources with more recordings get one line a reason
HEAD = """# Files read

What the readers make of the public recordings, one line a file (one a reason where a source holds many). *Kept*: read,
and usable with the default settings. *Refused*: with the reason that stands in `excluded.parquet`. Written by
`python -m ecgwas.ingest.survey --sources config/survey.yaml --folder <data> --page_path docs/formats.md`.
"""


class Seen(NamedTuple):
    """What became of one recording."""

    name: str
    outcome: str  # kept, or the reason
    detail: str
    leads: str = ""
    rate: str = ""
    seconds: str = ""
    unit: str = ""


def survey(source: EcgSource, settings: Ingest) -> list[Seen]:
    """Every recording of one source."""
    reader, seen = open_source(source, settings.seconds), []
    for entry in reader.entries.iter_rows(named=True):
        name = entry["recording_id"]
        try:
            recording = reader.read(entry["key"])
        except Unreadable as fault:
            seen.append(Seen(name, fault.reason, fault.detail))
            continue
        units = ", ".join(dict.fromkeys(unit or "none given" for unit in recording.units))
        shape = (" ".join(recording.leads), f"{recording.rate_hz:g}", f"{recording.seconds:.2f}", units)
        try:
            process(recording, settings)
        except (Unreadable, Excluded) as fault:
            seen.append(Seen(name, fault.reason, fault.detail, *shape))
        else:
            seen.append(Seen(name, "kept", "", *shape))
    return seen


def lines(seen: list[Seen]) -> list[str]:
    """Rows of the table: one a recording, or one a reason."""
    if len(seen) <= LISTED:
        return [_line(one) for one in seen]
    outcomes = Counter(one.outcome for one in seen)
    first = {reason: next(one for one in seen if one.outcome == reason) for reason in outcomes}
    return [_line(first[reason]._replace(name=f"{n} recordings", detail="")) for reason, n in sorted(outcomes.items())]


def _line(one: Seen) -> str:
    detail = one.detail if len(one.detail) <= 70 else one.detail[:69] + "…"
    outcome = "kept" if one.outcome == "kept" else f"refused: {one.outcome}" + (f" ({detail})" if detail else "")
    cells = (one.name, outcome, one.leads, one.rate, one.seconds, one.unit)
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def page(found: dict[str, tuple[str, list[Seen]]]) -> str:
    """The page: a section a source."""
    parts = [HEAD]
    for name, (fmt, seen) in found.items():
        kept = sum(one.outcome == "kept" for one in seen)
        parts.append(f"## {name}\n\nFormat `{fmt}`; {kept} of {len(seen)} kept.\n")
        parts.append("| recording | outcome | leads | rate, Hz | length, s | unit |\n|---|---|---|---|---|---|")
        parts.append("\n".join(lines(seen)) + "\n")
    return "\n".join(parts)


def read_sources(path: Path, folder: Path) -> dict[str, EcgSource]:
    """Sources by name of the YAML file, their paths below `folder`."""
    values = yaml.safe_load(path.read_text())
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected folder names with keys of an `ecg` block")
    try:
        return {
            name: EcgSource(**keys | {"path": folder / name / keys.get("path", "")}) for name, keys in values.items()
        }
    except (pydantic.ValidationError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: {error}; see the keys of EcgSource in config/README.md") from error


def main(sources: Path, folder: Path, page_path: Path) -> None:
    """Read every recording of the sources and write the page.

    Args:
        sources: YAML: folder -> keys of an `ecg` block.
        folder: where the folders are.
        page_path: Markdown page, written.
    """
    found = {}
    for name, source in read_sources(sources, folder).items():
        found[name] = (source.format, survey(source, Ingest()))
        print(f"{name}: {Counter(one.outcome for one in found[name][1])}", flush=True)
    with atomic(page_path) as temporary:
        temporary.write_text(page(found))


if __name__ == "__main__":
    run(main)
