"""One run of a study at a time: who holds the study, and which processes may still write its results.

A run is one execution of the workflow in a study's folder of results. It holds `.run/lock` for as long as its process
lives, and its id stands in `.run/id` until another run takes the study. Jobs get the id by the environment
(`ECGWAS_RUN`), on a cluster too, and show it each time that a result is given its name.
"""

import contextlib
import fcntl
import os
import re
import shutil
import socket
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ecgwas.errors import UserError

VARIABLE = "ECGWAS_RUN"
PLACE = ".run"  # in a study's folder of results
# What `files.atomic` and Hail leave behind when their process is killed.
TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}(\.[^.]+)?|\..+\.owner|ecgwas-hail-\w+")
WHOLE = (".mt", ".ht")  # folders of thousands of files, none of them ours by itself


class Superseded(UserError):
    """The result belongs to another process now; this one writes nothing."""


@dataclass(frozen=True)
class Run:
    """A study that this process holds; `lock` stays open until the process ends or `release` is called."""

    id: str
    lock: IO[str]

    def release(self) -> None:
        """Let another run take the study; jobs of this one may still end."""
        self.lock.close()


def start(study: Path) -> Run:
    """Take the study in this folder of results, for a run with an id of its own.

    From then on nothing that an earlier run started can write there. Raises `UserError` where a live run holds it.
    """
    place = study / PLACE
    place.mkdir(parents=True, exist_ok=True)
    with _opened(place / "id", "a+", fcntl.LOCK_EX) as file:
        lock = (place / "lock").open("a+")
        try:
            _flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"study '{study.name}' is being run by another process{holder(study)}; {REMEDY}") from None
        _write(lock, f"{os.getpid()} on {socket.gethostname()}")
        run = Run(uuid.uuid4().hex, lock)
        _write(file, run.id)
    return run


REMEDY = "wait for it or stop it"


def held(study: Path) -> bool:
    """Whether a live process runs the study in this folder."""
    lock = study / PLACE / "lock"
    if not lock.exists():
        return False
    with lock.open() as file:
        try:
            _flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def holder(study: Path) -> str:
    """` (process … on …)`: who holds the study, or held it last; empty where nobody has."""
    with contextlib.suppress(OSError):
        if who := (study / PLACE / "lock").read_text():
            return f" (process {who})"
    return ""


def check_held(study: Path) -> None:
    """Raise `UserError` where a live process runs the study in this folder."""
    if held(study):
        raise UserError(f"study '{study.name}' is being run by another process{holder(study)}; {REMEDY}")


def study_of(path: Path) -> Path | None:
    """The folder of results that `path` lies in; None where no run has been there."""
    places = dict.fromkeys([*Path(os.path.abspath(path)).parents, *path.resolve().parents])
    return next((parent for parent in places if (parent / PLACE / "id").is_file()), None)


@contextlib.contextmanager
def may_write(path: Path) -> Iterator[None]:
    """Hold off new runs while a result is given its name, if this process may write it.

    A job may as long as the run that started it is the study's last; a step that no run started, as long as no run
    is under way. Raises `Superseded`.
    """
    study = study_of(path)
    if study is None:
        yield
        return
    with _opened(study / PLACE / "id", "r", fcntl.LOCK_SH) as file:
        mine = os.environ.get(VARIABLE)
        if mine and mine != file.read():
            raise Superseded(
                f"{path}: nothing was written: the run that started this step is over and another has taken the study"
            )
        if not mine and held(study):
            raise Superseded(f"{path}: nothing was written: the study is being run{holder(study)}; {REMEDY}")
        yield


def check_current(study: Path) -> None:
    """Raise `Superseded` where this process was started by a run that is no longer the study's."""
    try:
        with may_write(study / PLACE / "id"):
            pass
    except Superseded:
        over = "the run that started this job is over and another has taken the study; nothing was changed"
        raise Superseded(f"study '{study.name}': {over}") from None


def this_python_first() -> None:
    """Let `python` of commands that are started be this one, whether its environment is activated or not."""
    folder, path = str(Path(sys.executable).parent), os.environ.get("PATH", "")
    if path.split(os.pathsep)[0] != folder:
        os.environ["PATH"] = os.pathsep.join(filter(None, [folder, path]))


def sweep(study: Path) -> int:
    """Remove the temporary files and folders of processes that were killed; how many there were."""
    found = 0
    for folder, folders, names in os.walk(study):
        here = Path(folder)
        for name in filter(TEMPORARY.fullmatch, [*folders, *names]):
            _remove(here / name)
            found += 1
        folders[:] = [f for f in folders if f[0] != "." and not f.endswith(WHOLE) and not TEMPORARY.fullmatch(f)]
    return found


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _opened(path: Path, mode: str, kind: int) -> Iterator[IO[str]]:
    with path.open(mode) as file:
        _flock(file, kind)
        file.seek(0)
        yield file


def _flock(file: IO[str], kind: int) -> None:
    """`flock`, with a message for file systems that have none."""
    try:
        fcntl.flock(file, kind)
    except BlockingIOError:
        raise
    except OSError as error:
        remedy = "keep results/ on one that has them (Lustre: mount it with -o flock)"
        raise UserError(f"{file.name}: the file system has no locks ({error.strerror}); {remedy}") from error


def _write(file: IO[str], text: str) -> None:
    """Replace the whole text of a file that others read under a lock."""
    file.seek(0)
    file.truncate()
    file.write(text)
    file.flush()
    os.fsync(file.fileno())
