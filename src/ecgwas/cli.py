"""main function -> command line: flags and help come from the signature."""

import os
import select
import signal
import sys
from collections.abc import Callable
from types import FrameType

import jsonargparse

from ecgwas.errors import UserError

BROKEN_PIPE = 128 + signal.SIGPIPE  # what a shell reports of a program that such a pipe ended


def run(main: Callable[..., None]) -> None:
    """Expose `main` as a command: `--name value` per argument, settings as one JSON string.

    A `UserError` ends the process with status 1 and its message alone; any other exception keeps its
    traceback, since it is ours. SIGTERM, by which schedulers end jobs, ends it as an exception would, so that
    temporary files are removed. A reader that closes the pipe (`| head`) ends it without a word.
    """
    signal.signal(signal.SIGTERM, _exit)
    try:
        try:
            jsonargparse.auto_cli(main, as_positional=False)
        finally:
            sys.stdout.flush()
    except UserError as error:
        sys.exit(f"error: {error}")
    except BrokenPipeError:
        if not _pipe_closed():
            raise
        sys.exit(BROKEN_PIPE)


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _pipe_closed() -> bool:
    """Whether nobody reads the standard output any more; what is left of it then goes nowhere."""
    output = sys.stdout.fileno()
    poll = select.poll()
    poll.register(output, 0)  # errors and hang-ups are reported unasked
    if not poll.poll(0):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), output)
    return True
