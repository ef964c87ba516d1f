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


class Superseded(RuntimeError):
    """Another job has started to write the same result; this one must leave it alone."""


@contextlib.contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Yield a temporary sibling of `path` (file or directory); rename it to `path` on success.

    A job that outlives its scheduler must not write over the job started in its place: the last one to enter
    owns the name (recorded in `.{name}.owner`), an earlier one ends with `Superseded`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    token = uuid.uuid4().hex
    temporary = path.with_name(f".{path.name}.{token}{path.suffix}")
    owner = path.with_name(f".{path.name}.owner")
    owner.write_text(token)
    try:
        yield temporary
        if not owner.exists() or owner.read_text() != token:
            raise Superseded(f"{path}: another job took over this result; nothing was written")
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(temporary, path)
        owner.unlink()
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)


def write_json(value: Any, path: Path | str) -> None:
    """Write `value` as indented JSON, atomically, keys in the order given."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n")


def write_parquet(table: pl.DataFrame, path: Path | str) -> None:
    """Write one Parquet file (zstd), atomically; equal tables give equal bytes."""
    with atomic(path) as temporary:
        table.write_parquet(temporary, compression="zstd", statistics=True)
