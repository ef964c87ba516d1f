"""main function -> command line: flags and help come from the signature."""

import sys
from collections.abc import Callable

import jsonargparse

from ecgwas.errors import UserError


def run(main: Callable[..., None]) -> None:
    """Expose `main` as a command: `--name value` per argument, settings as one JSON string.

    A `UserError` ends the process with status 1 and its message alone; any other exception keeps its
    traceback, since it is ours.
    """
    try:
        jsonargparse.auto_cli(main, as_positional=False)
    except UserError as error:
        sys.exit(f"error: {error}")
