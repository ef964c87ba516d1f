"""Fine-mapped loci of one cohort -> regional plots and credible sets, as plain values for the template."""

from typing import Any

import polars as pl

from ecgwas import tables
from ecgwas.report import format
from ecgwas.report.figures import regional
from ecgwas.report.figures.genome import Mark
from ecgwas.report.inputs import ResultTables
from ecgwas.report.sections.loci import trait_threshold


def section(found: ResultTables, limit: int, threshold: float, gene_table: pl.DataFrame | None) -> dict[str, Any]:
    """Regional plots of the `limit` strongest loci, credible sets, and tests that were not fine-mapped."""
    plots = regions(found, limit, threshold, gene_table)
    return {
        "regions": plots,
        "plotted": {region["anchor"] for region in plots},
        "n_more_regions": max(found.rows(tables.LOCI).height - limit, 0),
        "sets": set_rows(found.rows(tables.CREDIBLE_SETS), found.rows(tables.FINEMAP_VARIANTS)),
        "unmapped": unmapped_rows(found.rows(tables.LD_DIAGNOSTICS)),
    }


def regions(inputs: ResultTables, limit: int, threshold: float, gene_table: pl.DataFrame | None) -> list[dict]:
    """Regional plots of the strongest `limit` loci, in genome order; of the lead test where it was fine-mapped."""
    loci, variants = inputs.rows(tables.LOCI), inputs.rows(tables.FINEMAP_VARIANTS)
    strongest = loci.sort("neg_log10_p", descending=True, maintain_order=True)["locus"].head(limit).to_list()
    sets = inputs.rows(tables.CREDIBLE_SETS)
    made = []
    for row in loci.filter(pl.col("locus").is_in(strongest)).iter_rows(named=True):
        tested = variants.filter(pl.col("locus") == row["locus"])
        trait = shown_trait(row, tested["trait"].unique().sort().to_list())
        if trait is None:
            continue
        lead = Mark(row["contig"], row["lead_position"], row["lead_rsid"] or "", "lead")
        title = f"Locus {row['locus']}: association of {trait} and posterior inclusion probabilities"
        line = threshold if trait == "joint" else trait_threshold(inputs, threshold)
        picture = regional.regional(tested.filter(pl.col("trait") == trait), lead, line, gene_table, title)
        others = [t for t in tested["trait"].unique().sort().to_list() if t != trait]
        made.append(
            {
                "locus": row["locus"],
                "anchor": format.anchor(row["locus"]),
                "rsid": row["lead_rsid"],
                "trait": trait,
                "others": ", ".join(others),
                "line": format.p_value(line).replace(".0", ""),
                "picture": picture,
                "n_sets": sets.filter((pl.col("locus") == row["locus"]) & (pl.col("trait") == trait)).height,
            }
        )
    return made


def shown_trait(locus: dict, finemapped: list[str]) -> str | None:
    """The lead's test where it was fine-mapped, else the best trait, else the first; None if none was."""
    for name in (locus["lead_test"], locus["best_trait"], *finemapped):
        if name in finemapped:
            return name
    return None


def set_rows(sets: pl.DataFrame, variants: pl.DataFrame) -> list[dict]:
    """Rows of the table of credible sets; the highest PIP of each is from the variants table."""
    top = {
        (row["region"], row["trait"], row["cs"]): row["pip"]
        for row in variants.group_by("region", "trait", "cs").agg(pl.col("pip").max()).iter_rows(named=True)
    }
    return [
        {
            "locus": row["locus"],
            "trait": row["trait"],
            "cs": row["cs"],
            "size": format.count(row["size"]),
            "coverage": format.percent(row["coverage"], 1),
            "purity": format.decimal(row["min_abs_corr"], 3),
            "bf": format.decimal(row["log10_bf"], 1),
            "lead": row["lead"],
            "pip": format.decimal(top.get((row["region"], row["trait"], row["cs"])), 3),
            "converged": row["converged"],
        }
        for row in sets.iter_rows(named=True)
    ]


def unmapped_rows(diagnostics: pl.DataFrame) -> list[dict]:
    """Tests of loci that were not fine-mapped, and the reason."""
    return [
        {"locus": row["locus"], "trait": row["trait"], "reason": format.reason(row["reason"])}
        for row in diagnostics.filter(pl.col("reason").is_not_null()).iter_rows(named=True)
    ]
