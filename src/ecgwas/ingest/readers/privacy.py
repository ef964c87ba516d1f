"""Text of a file -> text that names nobody: statements of a machine without the lines about people."""

import re
from collections.abc import Iterable

MAX_LINES, MAX_LENGTH = 40, 200
# What is written about who read, ordered or had the recording, and dates of earlier ones.
_ABOUT_PEOPLE = re.compile(
    r"\b(confirm|review|overread|over-read|edited|read by|interpreted by|signed|signature|electronic|technician|"
    r"physician|doctor|cardiologist|dr|md|prof|mr|mrs|refer|order|request|patient|name|mrn|ssn|dob|born|birth|"
    r"compared|comparison|when compared|since last|tracing of|ecg of|ekg of|phone|address|room|by)\b"
    r"|confirmed|reviewed|referred|ordered|requested|unconfirmed|@|\d{5,}|\d{1,4}[-/.]\w{2,3}[-/.]\d{2,4}",
    re.IGNORECASE,
)


def statements(lines: Iterable[str], secrets: Iterable[str] = ()) -> tuple[str, ...]:
    """Lines without those about people, dates, long numbers, or with one of `secrets` (names and ids of the file)."""
    hidden = words(secrets)
    clean = [" ".join(line.split())[:MAX_LENGTH] for line in lines]
    kept = [line for line in clean if line and not _ABOUT_PEOPLE.search(line) and not hidden & words([line])]
    return tuple(dict.fromkeys(kept))[:MAX_LINES]


def words(texts: Iterable[str]) -> set[str]:
    """Lower-case words of three letters or digits and more."""
    return {word for text in texts for word in re.findall(r"\w{3,}", text.lower())}


def label(text: str, secrets: Iterable[str] = ()) -> str | None:
    """`text` of a device as one short line; None where it is empty or holds a secret."""
    line = " ".join(text.split())[:64]
    return line if line and not words(secrets) & words([line]) else None
