"""Tables of one cohort -> its section of the page, as plain values for the template."""

import polars as pl

from ecgwas import config
from ecgwas.report import format
from ecgwas.report.figures import regional
from ecgwas.report.figures.genome import Mark
from ecgwas.report.inputs import CohortInputs
from ecgwas.report.sections import calibration
from ecgwas.report.sections import loci as locus_rows
from ecgwas.report.sections.recovery import Recovery


def scan_marks(loci: pl.DataFrame, recovery: Recovery | None) -> list[Mark]:
    """Lead variants, and planted variants where the cohort is simulated."""
    marks = [
        Mark(row["contig"], row["lead_position"], f"lead {row['lead_rsid']} at {row['locus']}", "lead")
        for row in loci.iter_rows(named=True)
    ]
    if recovery is None:
        return marks
    for row in next(iter(recovery.tables.values())).iter_rows(named=True):
        contig, _, rest = str(row["locus"]).partition(":")
        position = rest.split(":")[0].replace(",", "")
        if position.isdigit():
            known = "found" if row["found"] else "not found"
            marks.append(
                Mark(
                    contig,
                    int(position),
                    f"planted: {row['parameter']}, {known}",
                    f"planted {'hit' if row['found'] else 'miss'}",
                )
            )
    return marks


def regions(inputs: CohortInputs, limit: int, threshold: float, gene_table: pl.DataFrame | None) -> list[dict]:
    """Regional plots of the strongest `limit` loci, in genome order; of the lead test where it was fine-mapped."""
    loci, variants = inputs.rows("loci"), inputs.rows("finemapped")
    strongest = loci.sort("neg_log10_p", descending=True, maintain_order=True)["locus"].head(limit).to_list()
    sets = inputs.rows("credible_sets")
    made = []
    for row in loci.filter(pl.col("locus").is_in(strongest)).iter_rows(named=True):
        here = variants.filter(pl.col("locus") == row["locus"])
        trait = shown_trait(row, here["trait"].unique().sort().to_list())
        if trait is None:
            continue
        lead = Mark(row["contig"], row["lead_position"], row["lead_rsid"] or "", "lead")
        title = f"Locus {row['locus']}: association of {trait} and posterior inclusion probabilities"
        line = threshold if trait == "joint" else locus_rows.trait_threshold(inputs, threshold)
        picture = regional.regional(here.filter(pl.col("trait") == trait), lead, line, gene_table, title)
        others = [t for t in here["trait"].unique().sort().to_list() if t != trait]
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


def reliability_rows(reliability: pl.DataFrame) -> list[dict]:
    """One row per trait: ICC, and the width of its bar in percent."""
    return [
        {
            "trait": row["trait"],
            "n": format.count(row["n_people"]),
            "icc": format.decimal(row["icc"]),
            "bar": 0 if row["icc"] is None else round(100 * min(max(row["icc"], 0.0), 1.0)),
        }
        for row in reliability.iter_rows(named=True)
    ]


def compared_rows(compared: dict[str, dict], recovery: Recovery | None, labels: dict[str, str]) -> list[dict]:
    """One row per model: loci, recovery, credible sets, λGC."""
    rows = []
    for model, found in compared.items():
        if all(table is None for table in found.values()):
            continue
        summary = recovery.summaries.get(model) if recovery else None
        sets = found["credible_sets"]
        size = None if sets is None or sets.is_empty() else sets["size"].median()
        lambdas = found["calibration"]
        rows.append(
            {
                "model": labels.get(model, model),
                "loci": format.count(None if found["loci"] is None else found["loci"].height),
                "found": f"{summary['n_found']} of {summary['n_planted']}" if summary else "–",
                "false": format.count((summary or {}).get("false_loci_null_chromosomes")),
                "holding": _holding(summary or {}),
                "sets": format.count(None if sets is None else sets.height),
                "size": "–" if size is None else f"{size:g}",
                "joint": calibration.one_lambda(lambdas, "joint", "all"),
                "mean": calibration.one_lambda(lambdas, "mean", "null"),
            }
        )
    return rows


def _holding(summary: dict) -> str:
    """Number of credible sets near planted variants that contain one."""
    holding, total = summary.get("n_credible_sets_holding"), summary.get("n_credible_sets")
    return f"{holding} of {total}" if total else "–"


def tiles(inputs: CohortInputs, recovery: Recovery | None, analysed: int | None, n_variants: int) -> list[tuple]:
    """(title, value, subtitle) of the key figures of a cohort."""
    sets = inputs.rows("credible_sets")
    median = None if sets.is_empty() else sets["size"].median()
    made = [
        ("People analysed", format.count(analysed), "unrelated, with ECG and genotypes"),
        ("Variants tested", format.count(n_variants or None), None),
        ("Loci", format.count(inputs.rows("loci").height), "study-wide significant"),
    ]
    summary = next(iter(recovery.summaries.values())) if recovery else {"n_planted": 0}
    if summary["n_planted"]:
        made.append(
            ("Planted loci found", f"{summary['n_found']} of {summary['n_planted']}", "truth known: simulated cohort")
        )
    lambdas = inputs.rows("calibration")
    for kind, small in (("null", "mean of traits, null chromosomes"), ("all", "mean of traits, all variants")):
        found = calibration.of_any_count(lambdas).filter((pl.col("trait") == "mean") & (pl.col("variants") == kind))
        if found.height:
            made.append(("Genomic control λGC", format.decimal(found["lambda_gc"][0], 3), small))
            break
    if median is not None:
        made.append(("Credible sets", format.count(sets.height), f"median size {median:g} variants"))
    return made


def scan_words(scan: pl.DataFrame, traits: pl.DataFrame | None) -> str:
    """Number of variants, people and traits tested."""
    if scan.is_empty() or traits is None or traits.is_empty():
        return ""
    variants, contigs = format.plural(scan.height, "variant"), format.plural(scan["contig"].n_unique(), "chromosome")
    low, high = int(traits["n"].min()), int(traits["n"].max())
    people = format.count(high) if low == high else f"{format.count(low)} to {format.count(high)}"
    return (
        f"{variants} on {contigs} were tested on {format.plural(traits.height, 'trait')} in {people} unrelated people,"
        " by linear regression, adjusted for covariates."
    )


def crosscheck_words(crosscheck: pl.DataFrame | None) -> str:
    """Largest difference between the scan and Hail's linear regression on the same variants, in standard errors."""
    if crosscheck is None or crosscheck.is_empty():
        return ""
    worst = format.significant(crosscheck["beta_difference"].max(), 2)
    variants = format.plural(crosscheck.height, "variant")
    return f"{variants} retested with Hail's linear regression: β differs by at most {worst} standard errors."


def history_words(history: pl.DataFrame | None) -> str:
    """Mean loss at the start and at the end of training, in words."""
    if history is None or "loss" not in history.columns or history.is_empty():
        return ""
    values = history["loss"].drop_nulls()
    part = max(1, len(values) // 20)
    first, last = (format.significant(float(v.mean())) for v in (values.head(part), values.tail(part)))
    return f"Mean over the first 5 % of steps {first}, over the last 5 % {last}."


def described(cohort: config.Cohort | None) -> dict[str, str]:
    """Description and reference genome of a cohort."""
    if cohort is None:
        return {"description": "", "build": "the reference genome of the genotype files"}
    build = cohort.genotypes.build if cohort.genotypes else "GRCh37"
    return {"description": cohort.description, "build": build}
