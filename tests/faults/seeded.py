"""Do the tests see faults? `python tests/faults/seeded.py [--only WORDS] [--passing]` seeds those of seeded.toml.

One after the other, in a copy of the project: the tests that a fault names are run without it, where they must pass,
and with it, where they must fail. A fault is found by its text, which stands once in src/, so that it survives moves
of modules. Prints a line a fault, with the test that failed, and as the last line one of JSON; ends with status 1 where
a fault was missed or could not be tried.
"""

import argparse
import contextlib
import importlib.util
import json
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
TABLE = Path(__file__).with_suffix(".toml")
# Imported once, before processes are forked for the tests: half of their time otherwise.
PRELOADED = ["numpy", "scipy.stats", "polars", "pyarrow.parquet", "pytest", "torch", "pydantic", "statsmodels.api"]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".snakemake", "results", "__pycache__", "*.egg-info", "shared")
PASSED, FAILED = 0, 1  # exit codes of pytest; others: no test was run to its end


@dataclass(frozen=True)
class Fault:
    """A text of the code and the wrong one in its place; the tests that must fail."""

    what: str
    old: str
    new: str
    tests: tuple[str, ...]  # ends of paths below tests/
    only: str = ""  # as `pytest -k`


@dataclass(frozen=True)
class Outcome:
    """What became of a fault: caught, missed, or why it was not tried."""

    fault: Fault
    module: str
    result: str
    seconds: float = 0.0
    by: str = ""  # the first test that failed


class Misplaced(Exception):
    """A text or test of the table that is not there, or not once."""


def read(table: Path = TABLE) -> list[Fault]:
    """The faults of the table."""
    listed = tomllib.loads(table.read_text())["fault"]
    return [Fault(**{**each, "tests": tuple(each["tests"])}) for each in listed]


def module_of(fault: Fault, root: Path) -> Path:
    """The one module that holds the fault's text; `Misplaced` where there is none, or more places."""
    places = [path for path in (root / "src").rglob("*.py") for _ in range(path.read_text().count(fault.old))]
    if len(places) != 1:
        raise Misplaced(f"{fault.what}: {fault.old!r} stands {len(places)} times in src/; correct seeded.toml")
    return places[0]


def tests_of(fault: Fault, root: Path) -> list[str]:
    """Paths of the fault's tests; `Misplaced` where one is not there, or there are several of its name."""
    files = {
        name: [p for p in (root / "tests").rglob("test_*.py") if f"/{p}".endswith(f"/{name}")] for name in fault.tests
    }
    for name, found in files.items():
        if len(found) != 1:
            raise Misplaced(f"{fault.what}: {len(found)} files end in tests/…/{name}; correct seeded.toml")
    return [str(found[0]) for found in files.values()]


@contextlib.contextmanager
def seeded(fault: Fault, path: Path) -> Iterator[None]:
    """The fault is in the file meanwhile; no compiled module outlives it, whose time and size may be the same."""
    text = path.read_text()
    try:
        _write(path, text.replace(fault.old, fault.new))
        yield
    finally:
        _write(path, text)


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)


def run(root: str, arguments: list[str], log: str) -> None:
    """Run pytest on the copy in `root`, its output to `log`; ends the process with its exit code."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(root)
    sys.path[:0] = [f"{root}/src", root]
    os.environ["PYTHONPATH"] = f"{root}/src"
    import pytest

    code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *arguments])
    sys.stdout.flush()
    os._exit(int(code))


class Runner:
    """Runs tests of a copy of the project, each time in a process of its own."""

    def __init__(self, root: Path, preloaded: list[str], timeout_s: float, passing: bool) -> None:
        """passing: tests are known to pass without faults, and are not run without them."""
        self.root, self.log, self.timeout_s, self.passing = root, root / "tests.log", timeout_s, passing
        self.passed: dict[tuple[tuple[str, ...], str], bool] = {}
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(preloaded)

    def code(self, fault: Fault) -> int:
        """Exit code of pytest on the fault's tests, -1 where they do not end in time."""
        arguments = [*tests_of(fault, self.root), *(["-k", fault.only] if fault.only else [])]
        process = self.context.Process(target=run, args=(str(self.root), arguments, str(self.log)))
        process.start()
        process.join(self.timeout_s)
        if process.is_alive():
            process.kill()
            process.join()
            return -1
        return process.exitcode

    def passes(self, fault: Fault) -> bool:
        """Whether the fault's tests pass without it; each set of tests is run once."""
        key = fault.tests, fault.only
        if key not in self.passed:
            self.passed[key] = self.code(fault) == PASSED
        return self.passed[key]

    def outcome(self, fault: Fault) -> Outcome:
        """What becomes of a fault."""
        started = time.monotonic()
        try:
            path = module_of(fault, self.root)
            if not (self.passing or self.passes(fault)):
                return Outcome(fault, path.stem, "not tried: its tests do not pass without it")
            with seeded(fault, path):
                code = self.code(fault)
        except Misplaced as error:
            return Outcome(fault, "", f"not tried: {error}")
        result = {PASSED: "missed", FAILED: "caught"}.get(code, f"not tried: pytest ended with {code}")
        failed = re.search(r"^(?:FAILED|ERROR) \S*?(test_\w+\.py\S*)", self.log.read_text(), re.MULTILINE)
        return Outcome(fault, path.stem, result, time.monotonic() - started, failed[1] if failed else "")


def check(
    project: Path,
    faults: list[Fault],
    say: Callable[[Outcome], None],
    preloaded: list[str] = PRELOADED,
    timeout_s: float = 600,
    passing: bool = False,
) -> list[Outcome]:
    """Seed each fault in a copy of the project; `say` each outcome when it is known."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        shutil.copytree(project, root, ignore=LEFT_OUT)
        runner, found = Runner(root, preloaded, timeout_s, passing), []
        for fault in faults:
            found.append(runner.outcome(fault))
            say(found[-1])
    return found


def said(one: Outcome) -> None:
    """Print an outcome."""
    print(f"{one.result:8} {one.fault.what}  ({one.module}, {one.seconds:.0f} s)  {one.by}".rstrip(), flush=True)


def main() -> int:
    """Seed the faults, print, and the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="faults whose description holds these words")
    parser.add_argument("--timeout", type=float, default=600, help="seconds that tests of a fault may take")
    parser.add_argument("--passing", action="store_true", help="the tests are known to pass without faults")
    given = parser.parse_args()
    faults = [fault for fault in read() if given.only.lower() in fault.what.lower()]
    found = check(PROJECT, faults, said, timeout_s=given.timeout, passing=given.passing)
    counts = {name: [one.fault.what for one in found if one.result == name] for name in ("caught", "missed")}
    others = {one.fault.what: one.result for one in found if one.result not in counts}
    total = {"faults": len(found), "caught": len(counts["caught"]), "missed": counts["missed"], "not_tried": others}
    print(json.dumps(total, ensure_ascii=False))
    return 0 if len(counts["caught"]) == len(found) else 1


if __name__ == "__main__":
    sys.exit(main())
