"""Parts of a scan -> association statistics: per variant in memory, t of each trait read on demand."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from ecgwas import tables
from ecgwas.errors import UserError
from ecgwas.genotype_files.variants import VARIANT

# What the numbers of column test:{trait} mean.
TESTS = ("none", "score", "firth", "saddlepoint", "failed", "wald", "lrt")


def same_rows(variants: pl.DataFrame, scanned: pl.DataFrame) -> pl.DataFrame:
    """`variants`, checked to be those of the scan, row by row."""
    if not variants.select(VARIANT).equals(scanned.select(VARIANT)):
        raise UserError(
            f"the scan's {scanned.height} variants are not the {variants.height} kept ones, row by row;"
            " give all its parts in order, or scan again"
        )
    return variants


@dataclass(frozen=True)
class Scan:
    """Statistics of all parts; t, which may be large, stays on disk until rows or traits of it are read."""

    variants: pl.DataFrame  # all columns but those of t
    parts: list[Path]
    traits: pl.DataFrame  # one row a trait: trait, group, n, df
    lengths: pl.DataFrame  # trait, contig (null: any), yy

    @property
    def names(self) -> list[str]:
        """The traits."""
        return self.traits["trait"].to_list()

    @property
    def t(self) -> np.ndarray:
        """[V, T]: everything; NaN where not tested."""
        return self.t_of(self.names)

    def t_of(self, traits: list[str]) -> np.ndarray:
        """[V, T'] of some traits."""
        names = [f"t:{name}" for name in traits]
        return as_floats(pl.concat([tables.SUMSTATS.read(path, names) for path in self.parts]))

    def t_at(self, rows: np.ndarray) -> np.ndarray:
        """[V', T] of some variants, in ascending order; only row groups that hold one of them are read."""
        names, blocks, first = [f"t:{name}" for name in self.names], [np.empty((0, len(self.names)))], 0
        for file, number, size in row_groups(self.parts):
            here = rows[(rows >= first) & (rows < first + size)] - first
            if len(here):
                blocks.append(as_floats(pl.from_arrow(file.read_row_group(number, names))[here].select(names)))
            first += size
        return np.concatenate(blocks)

    def beyond(self, bounds: np.ndarray) -> np.ndarray:
        """[V] whether |t| of any trait is at or above its bound [T]; a row group at a time."""
        names, blocks = [f"t:{name}" for name in self.names], [np.empty(0, bool)]
        for part in self.parts:
            for batch in tables.SUMSTATS.batches(part, names):
                blocks.append((np.abs(as_floats(batch.select(names))) >= bounds).any(axis=1))
        return np.concatenate(blocks)

    def yy(self, rows: np.ndarray) -> np.ndarray:
        """[V', T] squared length of the residual trait that was tested at each of `rows`."""
        at = self.variants[rows].select("contig")
        return np.stack([lengths_at(self.lengths, at, name) for name in self.names], axis=1)

    def gg(self, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """[V', T] squared length of the genotype's residual in each trait's people; of a 0/1 trait, its information."""
        table = self.variants[rows]
        columns = {name: table[name].to_numpy() for name in set(self._gg_names())}
        return np.stack([columns[name] for name in self._gg_names()], axis=1).astype(float)

    def _gg_names(self) -> list[str]:
        return [gg_name(trait) for trait in self.traits.iter_rows(named=True)]

    @property
    def df(self) -> np.ndarray:
        """[T] degrees of freedom of t; infinite for the z of a 0/1 trait."""
        return degrees(self.traits)


def degrees(traits: pl.DataFrame) -> np.ndarray:
    """[T] degrees of freedom in a trait table; null, which is infinite, for the z of a 0/1 trait."""
    return traits["df"].cast(pl.Float64).fill_null(np.inf).to_numpy()


def gg_name(trait: dict) -> str:
    """Column with the information about the effect on a trait, given its row of the trait table."""
    if trait["df"] is None:
        return f"v:{trait['trait']}"
    return "gg" if trait["group"] == "all" else f"gg:{trait['group']}"


def test_name(trait: dict) -> str | None:
    """Column with the test that a 0/1 trait had, given its row of the trait table; others have none."""
    return f"test:{trait['trait']}" if trait["df"] is None else None


def as_floats(table: pl.DataFrame) -> np.ndarray:
    """Columns of t as float64 [V, T], NaN where null."""
    return table.select(pl.all().cast(pl.Float64).fill_null(float("nan"))).to_numpy().reshape(table.shape)


def row_groups(parts: list[Path]) -> Iterator[tuple[pq.ParquetFile, int, int]]:
    """File, number and rows of each row group, in genome order."""
    for path in parts:
        with pq.ParquetFile(path) as file:
            for number in range(file.num_row_groups):
                yield file, number, file.metadata.row_group(number).num_rows


def read_scan(sumstats: list[Path], trait_table: Path) -> Scan:
    """Parts of a scan, in the order given, which is genome order; the trait table of any part."""
    small = [name for name in tables.SUMSTATS.scan(sumstats[0]).collect_schema() if not name.startswith("t:")]
    table = pl.concat([tables.SUMSTATS.read(path, small) for path in sumstats])
    lengths = tables.SCAN_TRAITS.read(trait_table)
    per_trait = lengths.unique("trait", keep="first", maintain_order=True).drop("contig", "yy")
    return Scan(table, list(sumstats), per_trait, lengths.select("trait", "contig", "yy"))


def lengths_at(lengths: pl.DataFrame, variants: pl.DataFrame, trait: str) -> np.ndarray:
    """[V] squared length of the residual trait tested at each of `variants`, from a table of trait, contig, yy."""
    of_trait = lengths.filter(trait=trait)
    if of_trait["contig"].null_count():
        return np.full(variants.height, of_trait["yy"][0])
    known = of_trait.select("contig", "yy")
    return variants.select("contig").join(known, on="contig", how="left", maintain_order="left")["yy"].to_numpy()


def effects(t: np.ndarray, gg: np.ndarray, yy: np.ndarray, df: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """beta and standard error per ALT allele: beta = t sqrt(yy/(gg (df + t^2))), se = sqrt(yy/(gg (df + t^2))).

    Where df is infinite t is a z, gg its information, and se = 1/sqrt(gg).
    """
    share = np.where(np.isinf(df), 1.0, yy / (np.where(np.isinf(df), 1.0, df) + t**2))
    se = np.sqrt(share / gg)
    return t * se, se
