"""Tables -> figures of the page: loss, Manhattan, QQ and regional plots, each one SVG."""

from dataclasses import dataclass
from html import escape

import numpy as np
import polars as pl
from scipy import stats

from ecgwas.report import format
from ecgwas.report import genes as gene_table
from ecgwas.report.figures import svg
from ecgwas.report.scan import contig_key

BLUES = np.array([[46, 107, 166], [125, 160, 196]], np.uint8)
MANY = 1500


@dataclass(frozen=True)
class Mark:
    """A labelled place on the genome: a lead, or a planted variant."""

    contig: str
    position: int
    label: str
    class_: str


def loss(history: pl.DataFrame) -> str:
    """Loss against training step: every recorded step light, a running mean strong."""
    names = [name for name in history.columns if "loss" in name and history[name].dtype.is_numeric()]
    clean = history.filter(pl.col(names[0]).is_finite()) if names else history.clear()
    if not names or clean.is_empty():
        return ""
    step = clean["step"].to_numpy().astype(float)
    values = np.concatenate([clean[name].drop_nulls().to_numpy() for name in names])
    x = svg.Scale(0, max(float(step.max()), 1.0), 70, 840)
    y = _padded(values[np.isfinite(values)], 220, 16)
    parts = [svg.y_axis(y, 70, 840, "loss"), svg.x_axis(x, 220, "training step")]
    for i, name in enumerate(names):
        column = clean[name].cast(pl.Float64).to_numpy()
        seen = np.isfinite(column)
        parts.append(svg.path(x(step[seen]), y(column[seen]), f"curve faint c{i % 4}"))
        parts.append(svg.path(x(step[seen]), y(_running_mean(column[seen])), f"curve c{i % 4}"))
        if len(names) > 1:
            parts.append(svg.text(836, 24 + 18 * i, name.replace("_", " "), f"tick key c{i % 4}", text_anchor="end"))
    return svg.figure(860, 268, parts, "Training loss against step")


def _padded(values: np.ndarray, bottom: float, top: float) -> svg.Scale:
    low, high = float(values.min()), float(values.max())
    room = 0.05 * (high - low) or 0.5
    return svg.Scale(low - room, high + room, bottom, top)


def _running_mean(values: np.ndarray) -> np.ndarray:
    """Mean over 1/20 of the curve, shorter at its ends."""
    half = max(1, len(values) // 40)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    low, high = np.maximum(np.arange(len(values)) - half, 0), np.minimum(np.arange(len(values)) + half + 1, len(values))
    return (sums[high] - sums[low]) / (high - low)


@dataclass(frozen=True)
class Genome:
    """Contigs laid end to end, each as long as the stretch that was scanned."""

    contigs: list[str]
    first: dict[str, int]
    offset: dict[str, float]
    length: dict[str, float]

    @property
    def total(self) -> float:
        """Length of all, base pairs."""
        return sum(self.length.values())

    def at(self, contig: str, position: np.ndarray | float) -> np.ndarray | float:
        """Place along the axis, base pairs."""
        return np.asarray(position, float) - self.first[contig] + self.offset[contig]


def genome(scan: pl.DataFrame) -> Genome:
    """Layout of the contigs of `scan`."""
    spans = scan.group_by("contig").agg(pl.col("position").min().alias("low"), pl.col("position").max().alias("high"))
    found = sorted(spans.rows(), key=lambda row: (contig_key(row[0]), row[0]))
    length = {c: float(high - low) for c, low, high in found}
    gap = 0.004 * sum(length.values()) + 1
    offset, so_far = {}, 0.0
    for contig in length:
        offset[contig] = so_far + gap / 2
        length[contig] += gap
        so_far += length[contig]
    return Genome(list(length), {c: low for c, low, _ in found}, offset, length)


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
    """Place on the axis and shade (0, 1 by turns) of every variant."""
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
            here = scan.filter((pl.col("contig") == mark.contig) & (pl.col("position") == mark.position))
            if here.is_empty():
                continue
            parts.append(svg.diamond(place, float(y(here[test].max())), 5, "lead", mark.label))
        else:
            corners = f"M{place - 5:.2f},14L{place + 5:.2f},14L{place:.2f},23Z"
            parts.append(svg.element("path", svg.element("title", escape(mark.label)), d=corners, class_=mark.class_))
    return parts


def qq(values: np.ndarray, lambda_words: str, title: str) -> str:
    """Observed against expected −log10 p with the 95 % band of each order statistic under independence.

    Expected: the means (i − ½)/n; the band: quantiles of Beta(i, n + 1 − i), the law of the i-th smallest of n
    p-values.
    """
    observed = np.sort(values[np.isfinite(values)])[::-1]
    n = len(observed)
    if n == 0:
        return ""
    rank = np.unique(np.rint(np.geomspace(1, n, min(n, 1200))).astype(int))
    expected = -np.log10((rank - 0.5) / n)
    low, high = (-np.log10(stats.beta.ppf(q, rank, n + 1 - rank)) for q in (0.975, 0.025))
    x = svg.Scale(0, float(expected[0]) * 1.05, 70, 410)
    y = svg.Scale(0, max(float(observed[0]), float(high[0])) * 1.05, 340, 16)
    diagonal = min(x.high, y.high)
    band = np.concatenate([expected, expected[::-1]]), np.concatenate([low, high[::-1]])
    parts = [svg.y_axis(y, 70, 410, "observed −log₁₀ p"), svg.x_axis(x, 340, "expected −log₁₀ p", about=5)]
    parts.append(svg.path(x(band[0]), y(band[1]), "band", closed=True))
    parts.append(svg.line(float(x(0)), float(y(0)), float(x(diagonal)), float(y(diagonal)), "diagonal"))
    at = observed[rank - 1]
    parts += [svg.dot(a, b, 2.2, "point") for a, b in zip(x(expected), y(np.maximum(at, 0)), strict=True)]
    parts.append(svg.text(84, 34, lambda_words, "note"))
    return svg.figure(430, 388, parts, title)


def ld_class(r2: float | None) -> str:
    """Class of the colour for r² with the lead: r0 below 0.2 … r4 from 0.8; r-unknown without."""
    return "r-unknown" if r2 is None or not np.isfinite(r2) else f"r{min(int(r2 * 5 + 1e-9), 4)}"


def regional(variants: pl.DataFrame, lead: Mark, threshold: float, genes: pl.DataFrame | None, title: str) -> str:
    """p-values of a locus coloured by r² with the lead, PIPs below on the same positions, genes at the foot.

    `variants` are rows of one locus and trait of finemap's variants table.
    """
    low, high = float(variants["position"].min()), float(variants["position"].max())
    low, high = (low - 5e3, high + 5e3) if low == high else (low, high)
    x = svg.Scale(low, high, 70, 860)
    p = variants["neg_log10_p"].fill_nan(None).fill_null(0).to_numpy()
    y = svg.Scale(0, max(float(p.max()), threshold) * 1.1, 220, 16)
    pip = svg.Scale(0, 1, 340, 252)
    parts = [
        svg.y_axis(y, 70, 860, "−log₁₀ p"),
        svg.line(70, float(y(threshold)), 860, float(y(threshold)), "threshold"),
    ]
    parts += [svg.line(70, 220, 860, 220, "axis"), svg.y_axis(pip, 70, 860, "PIP", at=(0, 0.5, 1))]
    order = variants.with_columns(pl.col("lead_r2").fill_nan(None)).sort("lead_r2", "position", nulls_last=False)
    parts += _associations(order, lead, x, y) + _inclusions(order, x, pip)
    stacks = gene_table.rows_of(gene_table.within(genes, lead.contig, low, high), (low, high), (high - low) / 790 * 6.6)
    parts += _gene_rows(stacks, x, 362)
    foot = 350.0 + 24 * len(stacks)
    parts.append(svg.x_axis(x, foot, f"position on chromosome {lead.contig} (Mb)", divide=1e6))
    return svg.figure(880, int(foot + 46), parts, title)


def _associations(variants: pl.DataFrame, lead: Mark, x: svg.Scale, y: svg.Scale) -> list[str]:
    parts, titled = [], variants.height <= MANY
    for row in variants.iter_rows(named=True):
        if row["neg_log10_p"] is None or not np.isfinite(row["neg_log10_p"]):
            continue
        at = float(x(row["position"])), float(y(row["neg_log10_p"]))
        name = f"{_name(row)}, p = {format.p_value(row['neg_log10_p'])}"
        if (row["contig"], row["position"]) == (lead.contig, lead.position) and (row["lead_r2"] or 0) > 0.999:
            parts.append(svg.diamond(*at, 6, "lead", f"lead: {name}"))
        else:
            shown = f"{name}, r² with the lead {format.decimal(row['lead_r2'])}" if titled else None
            parts.append(svg.dot(*at, 3, ld_class(row["lead_r2"]), shown))
    return parts


def _name(row: dict) -> str:
    return f"{row['rsid'] or ''} {row['contig']}:{row['position']}:{row['ref']}:{row['alt']}".strip()


def _inclusions(variants: pl.DataFrame, x: svg.Scale, y: svg.Scale) -> list[str]:
    """Variants outside credible sets grey and first, then each set in its colour."""
    parts = []
    for row in variants.sort("cs", "position").iter_rows(named=True):
        at = float(x(row["position"])), float(y(row["pip"] or 0))
        if not row["cs"]:
            parts.append(svg.dot(*at, 2, "outside"))
            continue
        name = f"{_name(row)}, PIP {format.decimal(row['pip'], 3)}, credible set {row['cs']}"
        parts += [svg.line(at[0], float(y(0)), *at, f"stem s{(row['cs'] - 1) % 4}")]
        parts.append(svg.dot(*at, 3.4, f"s{(row['cs'] - 1) % 4}", name))
    return parts


def _gene_rows(stacks: list[list[tuple[str, int, int]]], x: svg.Scale, top: float) -> list[str]:
    parts = []
    for i, stack in enumerate(stacks):
        for name, start, end in stack:
            a, b = (float(np.clip(x(place), x.start, x.stop)) for place in (start, end))
            parts.append(svg.line(a, top + 24 * i + 4, max(b, a + 1.5), top + 24 * i + 4, "gene"))
            half = 3.2 * len(name)
            middle = float(np.clip((a + b) / 2, x.start + half, x.stop - half))
            parts.append(svg.text(middle, top + 24 * i - 2, name, "tick gene-name", text_anchor="middle"))
    return parts
