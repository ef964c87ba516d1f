"""Results that are either whole or absent: write to a temporary name, then rename."""

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from ecgwas import runs
from ecgwas.runs import Superseded


@contextlib.contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Yield a temporary sibling of `path` (file or directory); rename it to `path` on success.

    A job that outlives the run that started it writes nothing over what a later run made (`runs.may_write`). Of two
    jobs of one run that make the same result, as where a cluster starts one again, the last one to enter owns the name
    (recorded in `.{name}.owner`). The other ends with `Superseded`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    token = uuid.uuid4().hex
    temporary = path.with_name(f".{path.name}.{token}{path.suffix}")
    owner = path.with_name(f".{path.name}.owner")
    with runs.may_write(path):  # a job that is superseded already takes no name away
        owner.write_text(token)
    try:
        yield temporary
        with runs.may_write(path):
            if not owner.exists() or owner.read_text() != token:
                raise Superseded(f"{path}: nothing was written: another job took over this result")
            if path.is_dir():
                shutil.rmtree(path)
            os.replace(temporary, path)
            owner.unlink()
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)


def remove_folder(path: Path) -> None:
    """Remove a folder that is no rule's output, such as the state of a training, unless it is a later run's."""
    with runs.may_write(path):
        shutil.rmtree(path, ignore_errors=True)


def write_json(value: Any, path: Path | str) -> None:
    """Write `value` as indented JSON, atomically, keys in the order given."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n")


def write_parquet(table: pl.DataFrame, path: Path | str) -> None:
    """Write one Parquet file (zstd), atomically; equal tables give equal bytes."""
    with atomic(path) as temporary:
        table.write_parquet(temporary, compression="zstd", statistics=True)
