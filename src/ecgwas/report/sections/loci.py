"""Tables of loci and of multiplicity -> rows and text of the page, as plain values for the template."""

import math
from typing import Any

import polars as pl

from ecgwas import tables
from ecgwas.report import format, genes
from ecgwas.report.inputs import ResultTables


def section(found: ResultTables, gene_table: pl.DataFrame | None) -> dict[str, Any]:
    """Loci, loci that are significant without correction only, and the correction itself."""
    wider = found.rows(tables.LOCI_ANY_TRAIT)
    return {
        "loci": loci_rows(found.rows(tables.LOCI), gene_table),
        "wider": wider_rows(wider, gene_table),
        "multiplicity": multiplicity_words(found.rows(tables.MULTIPLICITY), wider.height),
        "has_genes": gene_table is not None,
    }


def loci_rows(loci: pl.DataFrame, gene_table: pl.DataFrame | None) -> list[dict]:
    """Rows of the loci table, in genome order; p-values and effects are those of the lead variant."""
    return [_locus(row, gene_table) for row in loci.iter_rows(named=True)]


def _locus(row: dict, gene_table: pl.DataFrame | None) -> dict:
    near = genes.nearest(gene_table, row["contig"], row["lead_position"])
    traits = row["significant_traits"] or []
    return {
        "locus": row["locus"],
        "anchor": format.anchor(row["locus"]),
        "rsid": row["lead_rsid"] or "–",
        "effect": row["lead_alt"],
        "other": row["lead_ref"],
        "af": format.decimal(row["lead_af"], 3),
        "n": format.count(row["n"]),
        "mac": format.count(row["mac"]),
        "test": row["lead_test"],
        "p": format.p_value(row["neg_log10_p"]),
        "joint_p": format.p_value(row["joint_neg_log10_p"]),
        "trait": row["best_trait"],
        "trait_p": format.p_value(row["best_trait_neg_log10_p"]),
        "beta": format.estimate(row["beta"], row["se"]),
        "shrunken": format.decimal(row["beta_shrunken"], 3),
        "n_traits": len(traits),
        "traits": ", ".join(traits),
        "n_variants": format.count(row["n_variants"]),
        "span": format.distance(row["end"] - row["start"] + 1),
        "gene": near[0] if near else None,
        "gene_away": "within" if near and near[1] == 0 else format.distance(near[1]) if near else None,
    }


def wider_rows(wider: pl.DataFrame, gene_table: pl.DataFrame | None) -> list[dict]:
    """Loci at p_threshold in any single trait that are not study-wide significant."""
    return loci_rows(wider.filter(~pl.col("study_wide")), gene_table)


def multiplicity_words(numbers: pl.DataFrame, n_wider: int) -> dict[str, str] | None:
    """Effective numbers, thresholds and loci expected by chance; None where the table is missing."""
    if numbers.is_empty():
        return None
    row = numbers.row(0, named=True)
    return {
        "traits": format.plural(row["n_traits"], "trait"),
        "effective_traits": format.decimal(row["effective_traits"], 1),
        "joint": row["joint_test"],
        "p": _threshold(row["p_threshold"]),
        "trait_p": _threshold(row["trait_p_threshold"]),
        "effective_variants": format.count(round(row["effective_variants"])),
        "study_wide": format.significant(row["expected_study_wide"], 2),
        "any_trait": format.significant(row["expected_any_trait"], 2),
        "n_wider": format.plural(n_wider, "locus", "loci"),
    }


def _threshold(p: float) -> str:
    return format.p_value(-math.log10(p)).replace(".0", "")


def trait_threshold(inputs: ResultTables, otherwise: float) -> float:
    """-log10 of the single-trait threshold of significance; `otherwise` where the table is missing."""
    numbers = inputs.rows(tables.MULTIPLICITY)
    return otherwise if numbers.is_empty() else -math.log10(numbers["trait_p_threshold"][0])
