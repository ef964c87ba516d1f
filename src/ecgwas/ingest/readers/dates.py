"""Parts of a date and time as a file writes them -> ISO 8601, or None where there is no such day or hour."""

import datetime as dt

FIRST_YEAR, LAST_YEAR = 1901, 2200  # Einthoven's first paper; placeholders such as year 0 and 1900 lie outside


def iso(
    year: object, month: object, day: object, hour: object = 0, minute: object = 0, second: object = 0
) -> str | None:
    """'2011-03-29T08:30:00' of whole numbers or their digits; None of a date that is none (31.02., year 0, 25 h)."""
    try:
        time = dt.datetime(*(int(part) for part in (year, month, day, hour, minute, second)))
    except (TypeError, ValueError, OverflowError):
        return None
    return time.isoformat() if FIRST_YEAR <= time.year <= LAST_YEAR else None


def of_digits(stamp: str) -> str | None:
    """ISO 8601 of YYYYMMDDhhmmss and whatever follows, as HL7 and DICOM write times; None of another form."""
    head = stamp[:14]
    if len(head) < 14 or not (head.isascii() and head.isdigit()):
        return None
    return iso(head[:4], head[4:6], head[6:8], head[8:10], head[10:12], head[12:14])
