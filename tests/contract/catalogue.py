"""Paths of results -> the entries of the catalogue that describe them."""

import re
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import tables

OWN = ("logs", "benchmarks", ".snakemake", "simulated")  # not read by a rule, or in the format of a user


def pattern(entry: tables.Entry) -> str:
    """Regular expression of an entry's paths; a wildcard is letters, digits, - and _, or nothing (of a bucket)."""
    return re.sub(r"\\\{\w+\\\}", r"[\\w-]*", re.escape(entry.path))


def entries_of(path: str) -> dict[str, tables.Entry]:
    """The entries that a path may be of, by name."""
    return {name: entry for name, entry in tables.entries().items() if re.fullmatch(pattern(entry), path)}


def described(root: Path) -> int:
    """The number of tables and arrays under a results folder, once each is found to be what its entry says."""
    found = 0
    for path in sorted([*root.rglob("*.parquet"), *root.rglob("*.np[yz]")]):
        name = path.relative_to(root).as_posix()
        if name.startswith(OWN) or "/exports/" in name or "/resume/" in name or ".mt/" in name:
            continue
        entries = entries_of(name)
        assert entries, f"{name} has no entry"
        check = _table if path.suffix == ".parquet" else _arrays
        assert any(check(path, entry) for entry in entries.values()), f"{name} is not what {[*entries]} say"
        found += 1
    return found


def _table(path: Path, table: tables.Table) -> bool:
    """Whether the fixed columns are there in their types, and every other fits a pattern and its type."""
    written = pl.read_parquet_schema(path)
    fixed = {column: kind for column, kind in written.items() if column in table.columns}
    others = {column: kind for column, kind in written.items() if column not in fixed}
    return fixed == dict(table.schema) and all(_declared(table, *other) for other in others.items())


def _declared(table: tables.Table, column: str, kind: pl.DataType) -> bool:
    loose = ("as read", "as listed")
    return table.is_declared(column) and any(
        words in loose or str(kind) in words.split(" or ")
        for pattern, (words, _) in table.further.items()
        if tables.Table("", {}, {pattern: (words, "")}).is_declared(column)
    )


def _arrays(path: Path, entry: tables.Array) -> bool:
    """Whether the arrays have the names, types and numbers of axes of the entry."""
    loaded = np.load(path, mmap_mode="r" if path.suffix == ".npy" else None)
    arrays = dict(loaded) if path.suffix == ".npz" else dict.fromkeys(entry.arrays, loaded)
    return all(name in entry.arrays and _array(array, *entry.arrays[name][:2]) for name, array in arrays.items())


def _array(array: np.ndarray, kind: str, axes: str) -> bool:
    return array.ndim == len(axes.split(", ")) and (array.dtype.kind == "U" if kind == "text" else array.dtype == kind)
