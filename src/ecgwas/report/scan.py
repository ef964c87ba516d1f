"""Summary statistics on disk -> the few columns the figures and tables need."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from ecgwas.gwas.inputs import degrees, effects, gg_name
from ecgwas.gwas.tails import from_t

SCAN = {"contig": pl.String(), "position": pl.Int32(), "joint": pl.Float32(), "axis": pl.Float32()}


def read_scan(parts: list[Path], traits: pl.DataFrame | None) -> pl.DataFrame:
    """contig, position, and −log10 p of the joint test (`joint`) and of the strongest single trait (`axis`).

    Variants without a test, such as those without variation among the people analysed, are left out.
    """
    if not parts or traits is None:
        return pl.DataFrame(schema=SCAN)
    scan = pl.concat([_strongest(table, traits) for part in parts for table in row_groups(part)])
    scan = scan.filter(pl.col("joint").is_finite() | pl.col("axis").is_finite())
    order = {contig: contig_key(contig) for contig in scan["contig"].unique().sort()}
    return scan.sort(
        pl.col("contig").replace_strict(order, return_dtype=pl.Float64), "contig", "position", maintain_order=True
    )


def row_groups(part: Path) -> Iterator[pl.DataFrame]:
    """A part of the scan, a piece at a time: all of its columns may not fit into memory."""
    with pq.ParquetFile(part) as file:
        for number in range(file.num_row_groups):
            yield pl.from_arrow(file.read_row_group(number))
        if not file.num_row_groups:
            yield pl.read_parquet(part)


def _strongest(part: pl.DataFrame, traits: pl.DataFrame) -> pl.DataFrame:
    """Traits of equal degrees of freedom share one conversion: the largest |t| has the smallest p."""
    best = np.full(part.height, np.nan)
    by_df = traits.with_columns(df=degrees(traits))
    for df in by_df["df"].unique().sort().to_list():
        names = [f"t:{name}" for name in by_df.filter(pl.col("df") == df)["trait"]]
        largest = (
            part.select(pl.max_horizontal(pl.col(names).abs().fill_nan(None))).to_series().cast(pl.Float64).to_numpy()
        )
        best = np.fmax(best, _read_off(largest, df))
    return part.select(
        pl.col("contig").cast(pl.String),
        pl.col("position").cast(pl.Int32),
        (pl.col("joint_neg_log10_p") if "joint_neg_log10_p" in part.columns else pl.lit(None))
        .cast(pl.Float32)
        .alias("joint"),
        pl.Series("axis", best, pl.Float32),
    )


def _read_off(t: np.ndarray, df: float, points: int = 20_001) -> np.ndarray:
    """−log10 p of |t| by linear interpolation: a figure needs no more, and millions take seconds.

    The error is at most h²/(8 ln 10) for a grid of step h: 5e-7 where the largest |t| is 60.
    """
    highest = np.nanmax(t, initial=0.0)
    grid = np.linspace(0.0, highest, points)
    return np.where(np.isnan(t), np.nan, np.interp(t, grid, from_t(grid, df)))


def lead_effects(parts: list[Path], traits: pl.DataFrame | None, loci: pl.DataFrame) -> pl.DataFrame:
    """Of every lead: n, and beta and se of the locus's best trait per copy of the effect allele.

    beta = t sqrt(yy / (gg (df + t²))), se = beta / t, from the residual sums of squares of trait and genotype.
    """
    keys = {"contig": "contig", "lead_position": "position", "lead_ref": "ref", "lead_alt": "alt"}
    schema = {"locus": pl.String(), "n": pl.Int64(), "beta": pl.Float64(), "se": pl.Float64()}
    if not parts or traits is None or loci.is_empty():
        return pl.DataFrame(schema=schema)
    wanted = loci.select([pl.col(a).alias(b) for a, b in keys.items()] + [pl.col("locus"), pl.col("best_trait")])
    known = {(row["trait"], row.get("contig")): row for row in traits.iter_rows(named=True)}
    rows = []
    for part in parts:
        near = pl.scan_parquet(part).filter(pl.col("position").is_in(wanted["position"].implode()))
        keep = near.collect().join(wanted, on=list(keys.values()), how="inner")
        for row in keep.iter_rows(named=True):
            of_any = known.get((row["best_trait"], None))
            rows.append(_effect(row, of_any or known.get((row["best_trait"], row["contig"]))))
    return pl.DataFrame(rows, schema=schema, orient="row")


def _effect(row: dict, trait: dict | None) -> tuple[str, int, float | None, float | None]:
    if trait is None:
        return row["locus"], row["n"], None, None
    group = trait["group"]
    n, gg = row.get(f"n:{group}", row["n"]), row.get(gg_name(trait), row["gg"])
    t = row[f"t:{trait['trait']}"]
    if t is None or not np.isfinite(t) or not gg:
        return row["locus"], n, None, None
    beta, se = effects(t, gg, trait["yy"], trait["df"] or np.inf)
    return row["locus"], n, float(beta), float(se)


def contig_key(contig: str) -> float:
    """1 -> 1 … 22 -> 22, X -> 23, Y -> 24, M -> 25; other names after them."""
    bare = re.sub(r"^chr", "", contig)
    if bare.isdigit():
        return float(bare)
    return {"X": 23.0, "Y": 24.0, "M": 25.0, "MT": 25.0}.get(bare, 99.0)
