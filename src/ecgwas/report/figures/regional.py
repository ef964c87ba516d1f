"""Fine-mapped variants of a locus -> p-values, posterior inclusion probabilities and genes, as SVG."""

import numpy as np
import polars as pl

from ecgwas.report import format, genes
from ecgwas.report.figures import svg
from ecgwas.report.figures.genome import Mark

MANY = 1500


def ld_class(r2: float | None) -> str:
    """Class of the colour for r² with the lead: r0 below 0.2 … r4 from 0.8; r-unknown without."""
    return "r-unknown" if r2 is None or not np.isfinite(r2) else f"r{min(int(r2 * 5 + 1e-9), 4)}"


def regional(variants: pl.DataFrame, lead: Mark, threshold: float, gene_table: pl.DataFrame | None, title: str) -> str:
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
    stacks = genes.rows_of(genes.within(gene_table, lead.contig, low, high), (low, high), (high - low) / 790 * 6.6)
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
