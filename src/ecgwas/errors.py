"""The one exception of ecgwas that a user is meant to read, and what turns exceptions of libraries into it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

OURS = (MemoryError, AssertionError, NameError, NotImplementedError)  # never the fault of a file
LONGEST = 300  # characters of a library's own words


class UserError(Exception):
    """Bad input or configuration. The message names the file, the value and the remedy."""


def cause(error: BaseException) -> str:
    """The library's own words on one line: of Java's the summary at the root, of others the first line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    summary = [line.partition(":")[2].strip() for line in lines if line.startswith("Error summary:")]
    text = (summary or lines or [type(error).__name__])[-1 if summary else 0]
    named = type(error).__name__ if isinstance(error, KeyError | StopIteration) else ""
    return f"{named} {text}".strip()[:LONGEST]


@contextlib.contextmanager
def reading(
    path: Path | str, what: str, remedy: str = "the file may be truncated or of another kind"
) -> Iterator[None]:
    """Inside, exceptions that a user's file causes in the library reading it become a `UserError` of one line.

    Libraries raise what they like on bad bytes (ValueError, RuntimeError, struct.error, PolarsError, OSError, …), so
    everything but a `UserError` and what only a fault of ours raises is turned; the original stays as its cause.
    `what` is the kind of file that was expected.
    """
    try:
        yield
    except (UserError, *OURS):
        raise
    except FileNotFoundError as error:
        raise UserError(f"{error.filename or path}: no such file; correct the path") from error
    except PermissionError as error:
        raise UserError(f"{error.filename or path}: may not be read; change its permissions") from error
    except Exception as error:
        raise UserError(f"{path}: cannot be read as {what} ({cause(error)}); {remedy}") from error
