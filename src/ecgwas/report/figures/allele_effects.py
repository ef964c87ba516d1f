"""Effects of an allele on the median beat -> mean beat, and with one more copy, in twelve leads, as SVG."""

import numpy as np
import polars as pl

from ecgwas.config import LEADS
from ecgwas.report.figures import svg

WIDTH, ROW, TOP, LEFT, GAP = 260, 150, 46, 56, 14
ORDER = [LEADS[row + 3 * column] for row in range(3) for column in range(4)]  # limb, augmented, V1-V3, V4-V6


def beat_change(table: pl.DataFrame, locus: str, alleles: int = 1) -> str:
    """Mean beat (faint), and mean with `alleles` more copies with its simultaneous 95 % band, of one locus.

    `table` is tables.ALLELE_BEATS; an empty string where the locus has no beats.
    """
    mine = table.filter((pl.col("locus") == locus) & pl.col("mean_mv").is_not_null())
    if mine.is_empty():
        return ""
    names = mine.row(0, named=True)
    reach = [mine["mean_mv"], mine["mean_mv"] + alleles * mine["low"], mine["mean_mv"] + alleles * mine["high"]]
    every = pl.concat([x.rename("mv") for x in reach]).drop_nulls()
    spans = float(every.min()), float(every.max())
    parts = [
        _key(f"{locus}: mean beat, and with {alleles:+d} copy of {names['effect_allele']} ({names['other_allele']})")
    ]
    for place, lead in enumerate(ORDER):
        parts += _panel(mine.filter(lead=lead), lead, place, spans, alleles)
    last = svg.Scale(*_span(mine["time_ms"]), LEFT, LEFT + WIDTH - GAP)
    parts.append(svg.x_axis(last, TOP + 3 * ROW, "ms from the R peak", about=4))
    title = f"Effect of each copy of {names['effect_allele']} at {locus} on the median beat"
    return svg.figure(LEFT + 4 * WIDTH, TOP + 3 * ROW + 48, parts, title)


def _panel(rows: pl.DataFrame, lead: str, place: int, spans: tuple[float, float], alleles: int) -> list[str]:
    """One lead in its cell of the grid, all leads on one scale."""
    left, top = LEFT + WIDTH * (place % 4), TOP + ROW * (place // 4)
    y = svg.Scale(*spans, top + ROW - GAP, top + GAP)
    parts = [svg.text(left + 4, top + GAP, lead, "note")]
    if place % 4 == 0:
        parts.append(svg.y_axis(y, left, left + 4 * WIDTH - GAP, "mV", svg.ticks(*spans, 3)))
    if rows.is_empty():
        return parts
    x = svg.Scale(*_span(rows["time_ms"]), left, left + WIDTH - GAP)(rows["time_ms"].to_numpy())
    mean = rows["mean_mv"].to_numpy()
    seen = rows["se_mv"].is_not_null().to_numpy()
    if seen.any():
        low, high = (y(mean + alleles * rows[side].to_numpy())[seen] for side in ("low", "high"))
        parts.append(svg.path(np.r_[x[seen], x[seen][::-1]], np.r_[low, high[::-1]], "band", closed=True))
        parts.append(svg.path(x[seen], y(mean + alleles * rows["beta_mv"].to_numpy())[seen], "curve c1"))
    return [*parts, svg.path(x, y(mean), "curve faint")]


def _span(times: pl.Series) -> tuple[float, float]:
    return float(times.min()), float(times.max())


def _key(words: str) -> str:
    return svg.text(LEFT, 18, words, "label")
