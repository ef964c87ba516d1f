"""Files of earlier stages -> arrays of the people analysed and statistics of the scan."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from ecgwas.errors import UserError
from ecgwas.genotype_files import contigs

VARIANT = ["contig", "position", "ref", "alt"]
# What the numbers of column test:{trait} mean.
TESTS = ("none", "score", "firth", "saddlepoint", "failed", "wald", "lrt")
EVERY = "all"  # predictions from every chromosome: for contigs that step 1 does not use


@dataclass(frozen=True)
class People:
    """Traits [n, T] (NaN missing), covariates [n, c] and sample positions [n] of the people analysed, in one order."""

    y: np.ndarray
    c: np.ndarray
    traits: list[str]
    samples: np.ndarray
    loco: Path | None = None
    order: np.ndarray | None = None  # [n] rows of the trait table; None: as they are there
    binary: bool = False  # the traits are 0/1

    def in_file_order(self) -> "People":
        """The same people in the order of the genotype files, which saves reordering every genotype."""
        order = np.argsort(self.samples, kind="stable")
        return replace(self, y=self.y[order], c=self.c[order], samples=self.samples[order], order=order)

    def on(self, contig: str) -> np.ndarray:
        """Traits [n, T] to be tested on `contig`: less their prediction from all other chromosomes, if there is one.

        0/1 traits stay as they are: their predictions are covariates.
        """
        predicted = None if self.binary else self.predictions(contig)
        return self.y if predicted is None else self.y - predicted

    def predictions(self, contig: str) -> np.ndarray | None:
        """Predictions [n, T] of the traits from all chromosomes but `contig`, where there are any."""
        if self.loco is None:
            return None
        whole = pl.scan_parquet(self.loco)
        named = whole.filter(contig=contig).collect()
        predicted = named if named.height else whole.filter(contig=EVERY).collect()
        if predicted.height != len(self.y) or predicted.columns != ["contig", *self.traits]:
            raise UserError(
                f"{self.loco}: predictions of {predicted.height} people for {predicted.width - 1} traits, but the trait"
                f" table has {len(self.y)} and {len(self.traits)}; run step 1 again"
            )
        offset = predicted.drop("contig").to_numpy()
        return offset if self.order is None else offset[self.order]


def read_people(traits: Path, covariates: Path, samples: Path, loco: Path | None = None) -> People:
    """People of the trait table, with covariates and the rows of their samples in the genotype files."""
    y, c, known = pl.read_parquet(traits), pl.read_parquet(covariates), pl.read_parquet(samples)
    joined = y.select("sample_id").join(
        known.select("sample_id", "index"), on="sample_id", how="left", maintain_order="left"
    )
    lost = joined["index"].null_count()
    if lost or y.is_empty():
        raise UserError(
            f"{traits}: {y.height} people with traits, {known.height} samples in {samples},"
            f" {y.height - lost} in both; all must have a sample: make the traits again from these samples"
        )
    if y["sample_id"].to_list() != c["sample_id"].to_list():
        raise UserError(
            f"{covariates}: rows are not the {y.height} people of {traits} in the same order; make both again"
        )
    names = [name for name in y.columns if name not in ("person_id", "sample_id")]
    columns = c.drop("person_id", "sample_id")
    return People(
        y.select(pl.col(names).cast(pl.Float64).fill_null(float("nan"))).to_numpy(),
        columns.to_numpy() if columns.width else np.zeros((y.height, 0)),
        names,
        joined["index"].to_numpy().astype(np.int64),
        loco,
        binary=is_binary(traits, y.select(names)),
    )


def is_binary(path: Path, traits: pl.DataFrame) -> bool:
    """Whether the traits are 0/1: boolean columns, all or none."""
    kinds = {dtype == pl.Boolean for dtype in traits.dtypes}
    if len(kinds) > 1:
        raise UserError(f"{path}: boolean and other traits in one table; give 0/1 outcomes a model of their own")
    return kinds == {True}


def read_variants(variants: Path) -> pl.DataFrame:
    """Kept variants in genome order."""
    table = pl.read_parquet(variants)
    order = [contigs.genome_order(), pl.col("position"), pl.col("source"), pl.col("source_index")]
    return table.sort(order)


def read_part(variants: Path, build: str, part: int, parts: int) -> pl.DataFrame:
    """Kept variants, in genome order, in span `part` of `parts` equal spans of the genome of `build`.

    A span is fixed by the build: a variant more on one chromosome moves no other part's variants.
    """
    span = (contigs.place(build) - 1) * parts // (contigs.total(build) + 1)
    table = pl.scan_parquet(variants).filter(span == part)
    known = table.collect_schema().names()
    info = pl.lit(None, pl.Float64) if "info" not in known else pl.col("info").cast(pl.Float64)
    places = [name for name in ("source", "source_index", "flipped") if name in known]  # what the reader goes by
    found = table.select(*VARIANT, "rsid", *places, info.alias("info")).collect()
    return found.sort(contigs.genome_order(), "position", "source", "source_index")


def contigs_of(variants: Path) -> list[str]:
    """Contigs of the kept variants, in genome order."""
    names = pl.scan_parquet(variants).select("contig").unique().collect()
    return names.sort(contigs.genome_order(), "contig")["contig"].to_list()


def same_rows(variants: pl.DataFrame, scanned: pl.DataFrame) -> pl.DataFrame:
    """`variants`, once they are known to be those of the scan, row by row."""
    if not variants.select(VARIANT).equals(scanned.select(VARIANT)):
        raise UserError(
            f"the scan's {scanned.height} variants are not the {variants.height} kept ones, row by row;"
            " give all its parts in order, or scan again"
        )
    return variants


@dataclass(frozen=True)
class Scan:
    """Statistics of all parts; t, which may be large, stays on disk until rows or traits of it are asked for."""

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
        return as_floats(pl.concat([pl.read_parquet(path, columns=names) for path in self.parts]).select(names))

    def t_at(self, rows: np.ndarray) -> np.ndarray:
        """[V', T] of some variants, in ascending order; only row groups that hold one of them are read."""
        names, found, first = [f"t:{name}" for name in self.names], [np.empty((0, len(self.names)))], 0
        for file, number, size in row_groups(self.parts):
            here = rows[(rows >= first) & (rows < first + size)] - first
            if len(here):
                found.append(as_floats(pl.from_arrow(file.read_row_group(number, names))[here].select(names)))
            first += size
        return np.concatenate(found)

    def beyond(self, bounds: np.ndarray) -> np.ndarray:
        """[V] whether |t| of any trait is at or above its bound [T]; a row group at a time."""
        names, found = [f"t:{name}" for name in self.names], [np.empty(0, bool)]
        for file, number, _ in row_groups(self.parts):
            t = as_floats(pl.from_arrow(file.read_row_group(number, names)).select(names))
            found.append((np.abs(t) >= bounds).any(axis=1))
        return np.concatenate(found)

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
    return table.select(pl.all().cast(pl.Float64).fill_null(float("nan"))).to_numpy().reshape(table.height, -1)


def row_groups(parts: list[Path]) -> Iterator[tuple[pq.ParquetFile, int, int]]:
    """File, number and rows of each row group, in genome order."""
    for path in parts:
        with pq.ParquetFile(path) as file:
            for number in range(file.num_row_groups):
                yield file, number, file.metadata.row_group(number).num_rows


def read_scan(sumstats: list[Path], trait_table: Path) -> Scan:
    """Parts of a scan, in the order given, which is genome order; the trait table of any part."""
    small = [name for name in pl.read_parquet_schema(sumstats[0]) if not name.startswith("t:")]
    table = pl.concat([pl.read_parquet(path, columns=small) for path in sumstats])
    lengths = pl.read_parquet(trait_table)
    per_trait = lengths.unique("trait", keep="first", maintain_order=True).drop("contig", "yy")
    return Scan(table, list(sumstats), per_trait, lengths.select("trait", "contig", "yy"))


def lengths_at(lengths: pl.DataFrame, variants: pl.DataFrame, trait: str) -> np.ndarray:
    """[V] squared length of the residual trait tested at each of `variants`, from a table of trait, contig, yy."""
    mine = lengths.filter(trait=trait)
    if mine["contig"].null_count():
        return np.full(variants.height, mine["yy"][0])
    known = mine.select("contig", "yy")
    return variants.select("contig").join(known, on="contig", how="left", maintain_order="left")["yy"].to_numpy()


def effects(t: np.ndarray, gg: np.ndarray, yy: np.ndarray, df: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """beta and standard error per ALT allele: beta = t sqrt(yy/(gg (df + t^2))), se = sqrt(yy/(gg (df + t^2))).

    Where df is infinite t is a z, gg its information, and se = 1/sqrt(gg).
    """
    share = np.where(np.isinf(df), 1.0, yy / (np.where(np.isinf(df), 1.0, df) + t**2))
    se = np.sqrt(share / gg)
    return t * se, se
