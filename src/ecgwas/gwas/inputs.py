"""Files of earlier stages -> arrays of the people analysed and statistics of the scan."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas.errors import UserError
from ecgwas.genotypes import contigs

VARIANT = ["contig", "position", "ref", "alt"]


@dataclass(frozen=True)
class People:
    """Traits [n, T] (NaN missing), covariates [n, c] and sample positions [n] of the people analysed, in one order."""

    y: np.ndarray
    c: np.ndarray
    traits: list[str]
    samples: np.ndarray


def read_people(traits: Path, covariates: Path, samples: Path) -> People:
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
    )


def read_variants(variants: Path) -> pl.DataFrame:
    """Kept variants in genome order."""
    table = pl.read_parquet(variants)
    order = [contigs.genome_order(), pl.col("position"), pl.col("source"), pl.col("source_index")]
    return table.sort(order)


def part_of(n: int, part: int, parts: int) -> tuple[int, int]:
    """Start and stop of one of `parts` contiguous, even slices of n rows."""
    return n * part // parts, n * (part + 1) // parts


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
    """Statistics of all parts: variants with joint test, t [V, T], and per trait its group, n, df, yy."""

    variants: pl.DataFrame
    t: np.ndarray
    traits: pl.DataFrame

    @property
    def names(self) -> list[str]:
        """The traits."""
        return self.traits["trait"].to_list()

    def gg(self) -> np.ndarray:
        """[V, T] squared length of the genotype's residual in each trait's people."""
        columns = {
            g: self.variants["gg" if g == "all" else f"gg:{g}"].to_numpy() for g in self.traits["group"].unique()
        }
        return np.stack([columns[g] for g in self.traits["group"]], axis=1)


def read_scan(sumstats: list[Path], trait_table: Path) -> Scan:
    """Concatenated parts of a scan, in the order given, which is genome order; the trait table of any part."""
    table = pl.concat([pl.read_parquet(path) for path in sumstats])
    per_trait = pl.read_parquet(trait_table)
    names = [f"t:{name}" for name in per_trait["trait"]]
    t = table.select(pl.col(names).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
    return Scan(table.drop(names), t, per_trait)


def effects(t: np.ndarray, gg: np.ndarray, yy: np.ndarray, df: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """beta and standard error per ALT allele: beta = t sqrt(yy/(gg (df + t^2))), se = sqrt(yy/(gg (df + t^2)))."""
    se = np.sqrt(yy / (gg * (df + t**2)))
    return t * se, se
