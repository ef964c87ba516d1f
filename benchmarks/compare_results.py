"""Do two results folders hold the same? `python benchmarks/compare_results.py BEFORE AFTER [--renamed OLD=NEW]`.

Files are compared by bytes; where these differ, by what they hold: tables by columns, arrays, JSON by keys, texts by
lines, checkpoints by tensors. Reported is the largest relative difference |a - b| / max(|a|, |b|) of each column,
infinite where a value, a type or the number of rows is another. Not compared: logs, benchmarks, state of unfinished
trainings, hidden files, Hail's tables (their parts are named at random), commits and times in texts, and columns of
`history.parquet` that measure speed and memory. Ends with status 1 where a difference is not explained: by a renamed
word (choose=validation), by `--tolerance`, or by `--expected`. The last line is one of JSON.
"""

import argparse
import fnmatch
import gzip
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

IGNORED = ("logs", "benchmarks", "resume")
MEASURED = {"history.parquet": ("recordings_per_s", "peak_memory_mb", "gflops_per_s", "flops_share")}
MADE_BY = ("git_commit",)
VARYING = re.compile(
    r"\b[0-9a-f]{40}(?:\+changes)?\b|\b[0-9a-f]{7,12}\+changes\b|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?"
)
INFINITE = float("inf")
OUTCOMES = ("identical", "equal", "renamed", "within_tolerance", "expected", "different", "missing")
Rename = Callable[[str], str]


@dataclass(frozen=True)
class Difference:
    """What differs in a file: a column, key or tensor, how, and the largest relative difference."""

    where: str
    what: str
    relative: float = INFINITE


@dataclass(frozen=True)
class Compared:
    """A file of either folder, its outcome (of OUTCOMES), and its differences."""

    path: str
    outcome: str
    differences: tuple[Difference, ...] = ()


def compare(
    before: Path, after: Path, renames: dict[str, str], tolerance: float, expected: list[str]
) -> list[Compared]:
    """Every file of two results folders, by path."""
    paths = sorted(files(before) | files(after))
    found = []
    for path in paths:
        one = _compare(before / path, after / path, path, renames, tolerance)
        if one.outcome in ("different", "missing") and any(fnmatch.fnmatch(path, each) for each in expected):
            one = Compared(path, "expected", one.differences)
        found.append(one)
    return found


def _compare(a: Path, b: Path, path: str, renames: dict[str, str], tolerance: float) -> Compared:
    if not a.exists() or not b.exists():
        return Compared(path, "missing", (Difference("", f"only in {'the second' if b.exists() else 'the first'}"),))
    if same_bytes(a, b):
        return Compared(path, "identical")
    plain = tuple(differences(a, b, str))
    if not plain:
        return Compared(path, "equal")
    renamed = tuple(differences(a, b, renaming(renames))) if renames else plain
    if not renamed:
        return Compared(path, "renamed", plain)
    within = max(each.relative for each in renamed) <= tolerance
    return Compared(path, "within_tolerance" if within else "different", renamed)


def files(folder: Path) -> set[str]:
    """Paths of the files that are compared, below a results folder."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) for path in found if not any(map(ignored, path.parts))}


def ignored(part: str) -> bool:
    """Whether a folder or file of this name is not compared."""
    return part in IGNORED or part.startswith(".") or part.endswith((".mt", "-resume"))


def renaming(renames: dict[str, str]) -> Rename:
    """Replaces whole words of a text, `_` and the like between words."""
    words = "|".join(map(re.escape, sorted(renames)))
    pattern = re.compile(f"(?<![A-Za-z0-9])(?:{words})(?![A-Za-z0-9])")
    return lambda text: pattern.sub(lambda match: renames[match[0]], text)


def same_bytes(a: Path, b: Path, size: int = 2**20) -> bool:
    """Whether two files hold the same bytes."""
    if a.stat().st_size != b.stat().st_size:
        return False
    with a.open("rb") as first, b.open("rb") as second:
        while block := first.read(size):
            if block != second.read(size):
                return False
    return True


def differences(a: Path, b: Path, rename: Rename) -> Iterator[Difference]:
    """Differences of what two files hold, the words of the first renamed; nothing where it is the same."""
    suffix = a.with_suffix("").suffix if a.suffix in (".gz", ".bgz") else a.suffix
    if suffix == ".parquet":
        yield from of_parquet(a, b, rename)
    elif suffix in (".tsv", ".csv"):
        yield from of_texts(a, b, "\t" if suffix == ".tsv" else ",", rename)
    elif suffix in (".npy", ".npz"):
        yield from of_values(arrays(a), arrays(b), rename)
    elif suffix == ".json":
        yield from of_values(flat(json.loads(a.read_text())), flat(json.loads(b.read_text())), rename)
    elif suffix in (".pt", ".safetensors"):
        yield from of_values(tensors(a), tensors(b), rename)
    elif suffix in (".html", ".md", ".txt", ".yaml", ".css", ".hea"):
        yield from of_lines(read(a).decode(), read(b).decode(), rename)
    elif read(a) != read(b):
        yield Difference("", "bytes differ")


def read(path: Path) -> bytes:
    """A file's bytes, decompressed where it is gzipped."""
    data = path.read_bytes()
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def of_parquet(a: Path, b: Path, rename: Rename) -> Iterator[Difference]:
    """Differences of two Parquet files, a column at a time."""
    measured = MEASURED.get(a.name, ())
    first, second = (
        {name: kind for name, kind in pl.read_parquet_schema(path).items() if name not in measured} for path in (a, b)
    )
    yield from of_names([rename(name) for name in first], list(second))
    for name in (name for name in first if rename(name) in second):
        one, other = (pl.read_parquet(path, columns=[n])[n] for path, n in ((a, name), (b, rename(name))))
        yield from of_column(name, one, other, rename)


def of_texts(a: Path, b: Path, separator: str, rename: Rename) -> Iterator[Difference]:
    """Differences of two tables of text: numbers where both columns are numbers."""
    first, second = (
        pl.read_csv(io.BytesIO(read(path)), separator=separator, infer_schema=False, quote_char=None) for path in (a, b)
    )
    yield from of_names([rename(name) for name in first.columns], second.columns)
    for name in (name for name in first.columns if rename(name) in second.columns):
        one, other = first[name], second[rename(name)]
        numbers = [series.cast(pl.Float64, strict=False) for series in (one, other)]
        both = zip((one, other), numbers, strict=True)
        if all(series.null_count() == number.null_count() for series, number in both):
            one, other = numbers
        yield from of_column(name, one, other, rename)


def of_names(first: list[str], second: list[str]) -> Iterator[Difference]:
    """Columns or keys that one side has alone, or in another order."""
    alone = [(name, "only in the first") for name in first if name not in second]
    alone += [(name, "only in the second") for name in second if name not in first]
    yield from (Difference(name, what) for name, what in alone)
    if not alone and first != second:
        yield Difference("", "columns in another order")


def of_column(name: str, a: pl.Series, b: pl.Series, rename: Rename) -> Iterator[Difference]:
    """Difference of two columns: none where types, rows, missing and other values are the same."""
    if a.dtype != b.dtype:
        yield Difference(name, f"{a.dtype} -> {b.dtype}")
    elif len(a) != len(b):
        yield Difference(name, f"{len(a)} -> {len(b)} rows")
    elif (changed := int((a.is_null() != b.is_null()).sum())) > 0:
        yield Difference(name, f"missing or not: {changed} of {len(a)} values")
    elif isinstance(a.dtype, pl.List | pl.Array):
        lists = [series.cast(pl.List(a.dtype.inner)) for series in (a, b)]
        lengths = [series.list.len() for series in lists]
        if not lengths[0].equals(lengths[1]):
            yield Difference(name, "lists of other lengths")
        else:
            yield from of_column(name, *(series.explode() for series in lists), rename)
    elif isinstance(a.dtype, pl.Struct):
        for part in a.struct.fields:
            yield from of_column(f"{name}.{part}", a.struct.field(part), b.struct.field(part), rename)
    elif a.dtype.is_numeric():
        yield from of_arrays(name, a.drop_nulls().to_numpy(), b.drop_nulls().to_numpy())
    else:
        yield from of_words(name, a.cast(pl.String), b.cast(pl.String), rename)


def of_words(name: str, a: pl.Series, b: pl.Series, rename: Rename) -> Iterator[Difference]:
    """Difference of two columns of text."""
    values = a.drop_nulls().unique().to_list()
    changed = a.replace({value: rename(value) for value in values}).ne_missing(b)
    if changed.any():
        where = int(changed.arg_max())
        yield Difference(name, f"{changed.sum()} of {len(a)} values, the first {a[where]!r} -> {b[where]!r}"[:160])


def of_arrays(name: str, a: np.ndarray, b: np.ndarray) -> Iterator[Difference]:
    """Difference of two arrays of numbers."""
    if a.shape != b.shape or a.dtype != b.dtype:
        yield Difference(name, f"{a.dtype} {a.shape} -> {b.dtype} {b.shape}")
    elif a.dtype.kind not in "fiub":
        if not np.array_equal(a, b):
            yield Difference(name, "values differ")
    elif (largest := relative(a, b)) > 0:
        changed = int(((a != b) & ~(np.isnan(a) & np.isnan(b))).sum())
        yield Difference(name, f"{changed} of {a.size} values", largest)


def relative(a: np.ndarray, b: np.ndarray) -> float:
    """Largest |a - b| / max(|a|, |b|); infinite where one is NaN or infinite and the other is not the same."""
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    x, y = a[~same].astype(np.float64), b[~same].astype(np.float64)
    if not len(x):
        return 0.0
    if not (np.isfinite(x) & np.isfinite(y)).all():
        return INFINITE
    # Unequal integers beyond 2^53 are equal as floats: they differ nevertheless.
    return max(float((abs(x - y) / np.maximum(abs(x), abs(y))).max()), np.finfo(float).eps / 2)


def of_values(a: dict[str, Any], b: dict[str, Any], rename: Rename) -> Iterator[Difference]:
    """Differences of two dicts of numbers, arrays and texts."""
    a = {rename(key): value for key, value in a.items()}
    yield from (each for each in of_names(list(a), list(b)) if each.where)
    for key in (key for key in a if key in b):
        one, other = rename(a[key]) if isinstance(a[key], str) else a[key], b[key]
        if all(isinstance(value, np.ndarray | float | int) and not isinstance(value, bool) for value in (one, other)):
            yield from of_arrays(key, np.asarray(one), np.asarray(other))
        elif type(one) is not type(other) or one != other:
            yield Difference(key, f"{one!r} -> {other!r}"[:160])


def arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a .npy or .npz file."""
    loaded = np.load(path, mmap_mode="r")
    return {"": loaded} if isinstance(loaded, np.ndarray) else dict(loaded)


def tensors(path: Path) -> dict[str, Any]:
    """What a checkpoint holds, by keys joined with /."""
    if path.suffix == ".safetensors":
        from safetensors.numpy import load_file

        return load_file(path)
    import torch

    return flat(torch.load(path, map_location="cpu", weights_only=True))


def flat(value: Any, key: str = "") -> dict[str, Any]:
    """Leaves of nested dicts and lists by their keys, joined with /, and without the commit that made them."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else None
    if inner is None:
        return {key: value.numpy() if hasattr(value, "numpy") else value}
    parts = [flat(each, f"{key}/{name}") for name, each in inner if name not in MADE_BY]
    return {name: leaf for part in parts for name, leaf in part.items()} or {key: str(value)}


def of_lines(a: str, b: str, rename: Rename) -> Iterator[Difference]:
    """Lines of two texts that one has alone, commits and times aside."""
    first, second = (VARYING.sub("…", text).splitlines() for text in (rename(a), b))
    alone = [Counter(first) - Counter(second), Counter(second) - Counter(first)]
    if first != second:
        example = next(iter(alone[0] or alone[1]), "the order of lines")
        yield Difference("", f"{alone[0].total()} -> {alone[1].total()} lines, the first: {example.strip()[:100]}")


def table(found: list[Compared]) -> Iterator[str]:
    """Lines to print: the differences of each file that is neither identical nor equal."""
    for one in found:
        for each in one.differences:
            largest = f"{each.relative:.1e}" if each.relative < INFINITE else ""
            yield f"{one.outcome:17} {one.path}  {each.where}  {each.what}  {largest}".rstrip()


def summary(found: list[Compared]) -> dict[str, Any]:
    """Number of files by outcome, the largest relative difference of numbers, and whether all is explained."""
    counts = Counter(one.outcome for one in found)
    finite = [d.relative for one in found for d in one.differences if d.relative < INFINITE]
    counted = {"files": len(found)} | {outcome: counts[outcome] for outcome in OUTCOMES}
    explained = not counts["different"] and not counts["missing"]
    return counted | {"largest_relative": max(finite, default=0.0), "explained": explained}


def main(arguments: list[str] | None = None) -> int:
    """Compare, print, and the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--renamed", action="append", default=[], metavar="OLD=NEW", help="a word that was renamed")
    parser.add_argument("--tolerance", type=float, default=0.0, help="largest relative difference that is accepted")
    parser.add_argument("--expected", action="append", default=[], metavar="GLOB", help="files that may differ")
    given = parser.parse_args(arguments)
    for folder in (given.before, given.after):
        if not folder.is_dir():
            parser.error(f"{folder} is not a folder; give two results folders, such as results/tiny")
    renames = dict(word.split("=", 1) for word in given.renamed)
    found = compare(given.before, given.after, renames, given.tolerance, given.expected)
    print(*table(found), sep="\n")
    total = summary(found)
    print(", ".join(f"{name.replace('_', ' ')} {total[name]}" for name in ("files", *OUTCOMES)))
    print(json.dumps(total))
    return 0 if total["explained"] else 1


if __name__ == "__main__":
    sys.exit(main())
