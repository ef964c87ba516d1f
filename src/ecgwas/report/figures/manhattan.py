"""Association across the genome -> Manhattan plot, as SVG."""

from html import escape

import numpy as np
import polars as pl

from ecgwas.report.figures import svg
from ecgwas.report.figures.genome import Genome, Mark, genome

BLUES = np.array([[46, 107, 166], [125, 160, 196]], np.uint8)


def manhattan(scan: pl.DataFrame, test: str, threshold: float, marks: list[Mark], title: str, height: int = 300) -> str:
    """−log10 p of column `test` along the genome; `threshold` is genome-wide significance as −log10 p.

    Every variant is drawn, as pixels of one image; `marks` are drawn over it.
    """
    seen = scan.filter(pl.col(test).is_finite())
    if seen.is_empty():
        return ""
    layout, bottom = genome(seen), height - 46.0
    left, right, top = 70.0, 1060.0, 40.0
    values = np.maximum(seen[test].to_numpy().astype(float), 0)
    y = svg.Scale(0, max(float(values.max()), threshold) * 1.08, bottom, top)
    x = svg.Scale(0, layout.total, left, right)
    parts = [svg.y_axis(y, left, right, "−log₁₀ p"), svg.line(left, bottom, right, bottom, "axis")]
    place, shade = _placed(seen, layout)
    box = (left, top - 6, right - left, bottom - top + 10)
    parts.append(svg.raster(x(place), y(values), BLUES[shade], box, 1.25 if seen.height > 200_000 else 1.75))
    parts.append(svg.line(left, float(y(threshold)), right, float(y(threshold)), "threshold"))
    parts += _contig_names(layout, x, bottom) + _marks(seen, test, layout, marks, x, y)
    return svg.figure(1080, height, parts, title)


def _placed(scan: pl.DataFrame, layout: Genome) -> tuple[np.ndarray, np.ndarray]:
    """Position on the axis and shade (alternately 0, 1) of every variant."""
    codes = {contig: i for i, contig in enumerate(layout.contigs)}
    code = scan["contig"].replace_strict(codes, return_dtype=pl.Int64).to_numpy()
    shift = np.array([layout.offset[c] - layout.first[c] for c in layout.contigs])
    return scan["position"].to_numpy() + shift[code], code % 2


def _contig_names(layout: Genome, x: svg.Scale, bottom: float) -> list[str]:
    parts, last = [], -np.inf
    for contig in layout.contigs:
        middle = float(x(layout.offset[contig] + layout.length[contig] / 2))
        if middle - last >= 5 + 7 * len(contig):
            parts.append(svg.text(middle, bottom + 17, contig, text_anchor="middle"))
            last = middle
    return [*parts, svg.text((x.start + x.stop) / 2, bottom + 38, "chromosome", "label", text_anchor="middle")]


def _marks(scan: pl.DataFrame, test: str, layout: Genome, marks: list[Mark], x: svg.Scale, y: svg.Scale) -> list[str]:
    """Leads as diamonds at their height, planted variants as triangles along the top."""
    parts = []
    for mark in marks:
        if mark.contig not in layout.offset:
            continue
        place = float(x(layout.at(mark.contig, mark.position)))
        if mark.class_ == "lead":
            at_mark = scan.filter((pl.col("contig") == mark.contig) & (pl.col("position") == mark.position))
            if at_mark.is_empty():
                continue
            parts.append(svg.diamond(place, float(y(at_mark[test].max())), 5, "lead", mark.label))
        else:
            corners = f"M{place - 5:.2f},14L{place + 5:.2f},14L{place:.2f},23Z"
            parts.append(svg.element("path", svg.element("title", escape(mark.label)), d=corners, class_=mark.class_))
    return parts
