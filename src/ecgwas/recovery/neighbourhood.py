"""Summary statistics and genotypes -> tests of the variants around a planted one, and their LD with it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas.associations import scan_statistics
from ecgwas.genotype_files.variants import VARIANT, read_dosages
from ecgwas.recovery.truth import is_near, is_variant
from ecgwas.stats import linear, tails


@dataclass(frozen=True)
class Genotypes:
    """Genotypes of the people analysed, and the basis of their covariates [n, 1 + c] that is projected out."""

    manifest: Path
    variants: pl.DataFrame  # of read_places
    samples: np.ndarray  # [n] positions in the genotype files
    q: np.ndarray


@dataclass(frozen=True)
class Neighbourhood:
    """The variants around one planted variant: their tests, and their r² with it in the people analysed."""

    variants: pl.DataFrame
    tests: list[str]  # joint, then single traits
    p: np.ndarray  # [variant, test] -log10, -inf without a test
    r2: np.ndarray  # [variant]; NaN where the planted variant is not among them


def neighbourhood(
    planted: dict, sumstats: list[Path], trait_table: pl.DataFrame, genotypes: Genotypes
) -> Neighbourhood:
    """Tests and LD around one planted variant."""
    traits = trait_table["trait"].to_list()
    columns = [*VARIANT, "joint_neg_log10_p", *(f"t:{name}" for name in traits)]
    parts = [pl.scan_parquet(path).filter(is_near(planted, "position")).select(columns) for path in sumstats]
    table = pl.concat(parts).collect()
    t = table.select(pl.col(columns[5:]).cast(pl.Float64).fill_null(float("nan"))).to_numpy().reshape(len(table), -1)
    joint = table["joint_neg_log10_p"].fill_null(float("nan")).to_numpy()
    p = np.column_stack([joint, tails.from_t(t, scan_statistics.degrees(trait_table))])
    return Neighbourhood(
        table, ["joint", *traits], np.where(np.isnan(p), -np.inf, p), r2_with(planted, table, genotypes)
    )


def r2_with(planted: dict, table: pl.DataFrame, genotypes: Genotypes) -> np.ndarray:
    """r² [variant] of the rows of `table` with the planted variant, adjusted for covariates; NaN if it is missing."""
    row = table.select(is_variant(planted).arg_true()).to_series().to_list()
    if not row:
        return np.full(len(table), np.nan)
    dosages = read_dosages(genotypes.manifest, genotypes.variants, table, genotypes.samples)
    residuals = linear.unit_residuals(dosages, genotypes.q)
    return np.minimum((residuals @ residuals[row[0]]) ** 2, 1)
