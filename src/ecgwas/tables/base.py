"""Entries of the catalogue of files: where a file lies under a study's results, and what it holds.

Types are words (`"Float64"`), and Polars and PyArrow are imported where a table is read or written: rules, documents
and the command line use the entries without them.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgwas.errors import UserError

if TYPE_CHECKING:
    import polars as pl
    import pyarrow.parquet as pq

Columns = Mapping[str, tuple[str, str]]  # name -> type (of Polars), meaning and unit
WILDCARD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, eq=False)
class Entry:
    """A file that one rule writes and others read; `path` is relative to the study's results and has wildcards."""

    path: str

    @property
    def wildcards(self) -> list[str]:
        """Names of the wildcards, in their order."""
        return WILDCARD.findall(self.path)

    def of(self, **wildcards: str) -> str:
        """The path with these wildcards filled in; others stay."""
        unknown = wildcards.keys() - set(self.wildcards)
        if unknown:
            raise ValueError(f"{self.path} has no wildcard {', '.join(sorted(unknown))}")
        return WILDCARD.sub(lambda found: str(wildcards.get(found[1], found[0])), self.path)

    def at(self, root: Path | str, **wildcards: str) -> Path:
        """The file under the results folder `root`; every wildcard must be given."""
        path = self.of(**wildcards)
        if missing := WILDCARD.findall(path):
            raise ValueError(f"{self.path}: wildcards {', '.join(missing)} are not given")
        return Path(root) / path

    def all_at(self, root: Path | str, **wildcards: str) -> list[Path]:
        """The files under `root` that there are, sorted, whatever the wildcards that are not given."""
        return sorted(Path(root).glob(WILDCARD.sub("*", self.of(**wildcards))))


@dataclass(frozen=True, eq=False)
class Document(Entry):
    """A file, or a folder, that is no table and no array: JSON, HTML, text, a trained model."""

    meaning: str


@dataclass(frozen=True, eq=False)
class Array(Entry):
    """One NumPy array (.npy) or several (.npz): name -> type, axes, meaning and unit."""

    arrays: Mapping[str, tuple[str, str, str]]


@dataclass(frozen=True, eq=False)
class Table(Entry):
    """A Parquet table: the columns that it always has, first and in this order, and patterns of the others.

    A name in `further` is a pattern: `t:{trait}` is a column for each trait.
    """

    columns: Columns
    further: Columns = field(default_factory=dict)

    @property
    def schema(self) -> pl.Schema:
        """Names and Polars types of the columns that it always has."""
        import polars as pl

        return pl.Schema({name: dtype(kind) for name, (kind, _) in self.columns.items()})

    def empty(self) -> pl.DataFrame:
        """A table of no rows."""
        return self.schema.to_frame()

    def from_rows(self, rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
        """Rows, each of which has the fixed columns, as a table of these columns."""
        import polars as pl

        return pl.DataFrame([{name: row[name] for name in self.columns} for row in rows], schema=self.schema)

    def typed(self, table: pl.DataFrame) -> pl.DataFrame:
        """`table` with the fixed columns first, cast to their types; further columns follow as they are.

        Raises `UserError` where a fixed column is missing.
        """
        import polars as pl

        missing = [name for name in self.columns if name not in table.columns]
        if missing:
            raise UserError(f"columns {missing} are missing; the table has {table.columns}")
        fixed = [pl.col(name).cast(kind) for name, kind in self.schema.items()]
        return table.select(*fixed, *(name for name in table.columns if name not in self.columns))

    def is_declared(self, column: str) -> bool:
        """Whether a column is one of the fixed ones, or fits a pattern of the others."""
        patterns = (WILDCARD.sub("\0", name).split("\0") for name in self.further)
        return column in self.columns or any(
            re.fullmatch(".+".join(map(re.escape, parts)), column, re.DOTALL) for parts in patterns
        )

    def scan(self, path: Path | str, columns: Iterable[str] | None = None) -> pl.LazyFrame:
        """The file, lazily: `columns`, or all that it has; the fixed ones among them in their types.

        Raises `UserError` where the file is not there, cannot be read, or lacks one of `columns`.
        """
        import polars as pl

        try:
            lazy = self._lazy(path)
            found = lazy.collect_schema()
        except FileNotFoundError:
            raise UserError(f"{path}: no such file; run the step that makes it, or the study again") from None
        except (pl.exceptions.ComputeError, pl.exceptions.NoDataError) as error:
            raise UserError(f"{path}: cannot be read as a table ({error}); make it again") from None
        wanted = found.names() if columns is None else list(columns)
        if missing := [name for name in wanted if name not in found]:
            raise UserError(f"{path}: columns {missing} are missing; the table has {found.names()}; make it again")
        differ = [name for name in wanted if name in self.columns and found[name] != dtype(self.columns[name][0])]
        return lazy.select(wanted).with_columns(pl.col(name).cast(dtype(self.columns[name][0])) for name in differ)

    def _lazy(self, path: Path | str) -> pl.LazyFrame:
        import polars as pl

        if Path(path).suffix == ".tsv":
            return pl.scan_csv(path, separator="\t", schema_overrides=self.schema)
        return pl.scan_parquet(path)

    def read(self, path: Path | str, columns: Iterable[str] | None = None) -> pl.DataFrame:
        """The file, or some columns of it, as `scan` gives them; also `UserError` where a value is of no such type."""
        import polars as pl

        try:
            return self.scan(path, columns).collect()
        except pl.exceptions.InvalidOperationError as error:
            raise UserError(f"{path}: {str(error).splitlines()[0]}; make it again") from None

    def read_whole(self, path: Path | str) -> pl.DataFrame:
        """The file with every fixed column, these first; `UserError` where one is missing."""
        missing = [name for name in self.columns if name not in self.scan(path).collect_schema()]
        if missing:
            raise UserError(f"{path}: columns {missing} are missing; it is of an older version: make it again")
        return self.typed(self.read(path))

    def batches(self, path: Path | str, columns: Iterable[str] | None = None) -> Iterator[pl.DataFrame]:
        """The file a row group at a time, so that memory holds no more; at least one batch, which may be empty."""
        import polars as pl
        import pyarrow.parquet as pq

        wanted = None if columns is None else list(columns)
        with pq.ParquetFile(path) as file:
            for number in range(file.num_row_groups):
                yield pl.from_arrow(file.read_row_group(number, wanted))
            if not file.num_row_groups:
                yield pl.from_arrow(file.schema_arrow.empty_table()).select(wanted or pl.all())

    def write(self, table: pl.DataFrame, path: Path | str) -> None:
        """Write the table whole, atomically, the fixed columns first and in their types; equal tables, equal bytes."""
        from ecgwas.files import write_parquet

        write_parquet(self.typed(table), path)

    @contextlib.contextmanager
    def writer(self, path: Path | str) -> Iterator[Writer]:
        """Write the fixed columns piece by piece; the file is there, whole, once the block has ended without an error.

        Without a row it is an empty table.
        """
        import pyarrow.parquet as pq

        from ecgwas.files import atomic

        schema = self.empty().to_arrow().schema
        with atomic(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as file:
            yield Writer(file)


@dataclass(frozen=True)
class Writer:
    """A table that is being written."""

    file: pq.ParquetWriter

    def write(self, table: pl.DataFrame) -> None:
        """Write rows as one row group; the columns must be those of the table, in any order."""
        if table.height:
            self.file.write_table(table.select(self.file.schema.names).to_arrow().cast(self.file.schema))


def dtype(kind: str) -> pl.DataType:
    """The Polars type of a word: Float64, or List(String)."""
    import polars as pl

    inner = re.fullmatch(r"List\((\w+)\)", kind)
    return pl.List(dtype(inner[1])) if inner else getattr(pl, kind)()
