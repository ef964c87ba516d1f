"""Summary statistics on disk -> position, joint p and smallest single-trait p, for figures and tables."""

import re
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import tables
from ecgwas.associations.scan_statistics import degrees
from ecgwas.stats.tails import from_t

SCAN = {"contig": pl.String(), "position": pl.Int32(), "joint": pl.Float32(), "axis": pl.Float32()}


def read_scan(parts: list[Path], traits: pl.DataFrame | None) -> pl.DataFrame:
    """contig, position, and −log10 p of the joint test (`joint`) and of the strongest single trait (`axis`).

    Variants without a test, such as monomorphic ones, are excluded.
    """
    if not parts or traits is None:
        return pl.DataFrame(schema=SCAN)
    scan = pl.concat([_strongest(table, traits) for part in parts for table in tables.SUMSTATS.batches(part)])
    scan = scan.filter(pl.col("joint").is_finite() | pl.col("axis").is_finite())
    order = {contig: contig_key(contig) for contig in scan["contig"].unique().sort()}
    return scan.sort(
        pl.col("contig").replace_strict(order, return_dtype=pl.Float64), "contig", "position", maintain_order=True
    )


def _strongest(part: pl.DataFrame, traits: pl.DataFrame) -> pl.DataFrame:
    """Traits of equal degrees of freedom share one conversion: the largest |t| has the smallest p."""
    best = np.full(part.height, np.nan)
    by_df = traits.with_columns(df=degrees(traits))
    for df in by_df["df"].unique().sort().to_list():
        names = [f"t:{name}" for name in by_df.filter(pl.col("df") == df)["trait"]]
        largest = (
            part.select(pl.max_horizontal(pl.col(names).abs().fill_nan(None))).to_series().cast(pl.Float64).to_numpy()
        )
        best = np.fmax(best, _interpolated(largest, df))
    return part.select(
        pl.col("contig").cast(pl.String),
        pl.col("position").cast(pl.Int32),
        (pl.col("joint_neg_log10_p") if "joint_neg_log10_p" in part.columns else pl.lit(None))
        .cast(pl.Float32)
        .alias("joint"),
        pl.Series("axis", best, pl.Float32),
    )


def _interpolated(t: np.ndarray, df: float, points: int = 20_001) -> np.ndarray:
    """−log10 p of |t| by linear interpolation, accurate enough for a figure and fast for millions.

    The error is at most h²/(8 ln 10) for a grid of step h: 5e-7 where the largest |t| is 60.
    """
    highest = np.nanmax(t, initial=0.0)
    grid = np.linspace(0.0, highest, points)
    return np.where(np.isnan(t), np.nan, np.interp(t, grid, from_t(grid, df)))


def contig_key(contig: str) -> float:
    """1 -> 1 … 22 -> 22, X -> 23, Y -> 24, M -> 25; other names after them."""
    bare = re.sub(r"^chr", "", contig)
    if bare.isdigit():
        return float(bare)
    return {"X": 23.0, "Y": 24.0, "M": 25.0, "MT": 25.0}.get(bare, 99.0)
