"""Tables of one cohort -> its section of the page, as plain values for the template."""

import math
from typing import Any

import polars as pl

from ecgwas import config, tables
from ecgwas.report import format, inputs, scan
from ecgwas.report.inputs import ResultTables, StudyResults
from ecgwas.report.sections import (
    allele_effects,
    association,
    calibration,
    comparison,
    fine_mapping,
    flow,
    loci,
    recovery,
)
from ecgwas.report.sections.recovery import Recovery

CONTENTS = {
    "recovery": "Planted loci",
    "models": "Models",
    "flow": "Inclusions and exclusions",
    "scan": "Genome scan",
    "loci": "Loci",
    "regions": "Regional plots",
    "hearts": "Effects on the ECG",
    "sets": "Credible sets",
    "reliability": "Reliability",
}


def section(results: StudyResults, name: str) -> dict[str, Any]:
    """What the template shows of the cohort `name`."""
    study, settings, genes = results.study, results.study.report, results.genes
    found = inputs.read_cohort(results.root, name, results.model)
    truth = recovery.read_recovery(results.root, name, study.models, results.model)
    associations = scan.read_scan(found.sumstats, found.traits)
    analysed = None if found.traits is None or found.traits.is_empty() else int(found.traits["n"].max())
    threshold = -math.log10(study.gwas.p_threshold)
    compared = {model: inputs.read_cohort(results.root, name, model) for model in study.models}
    context = {
        "name": name,
        "id": format.anchor(name),
        "lanes": flow.lanes(found, analysed),
        "consent": flow.consent_words(found),
        "recovery": recovery.section(truth, settings.labels),
        "compared": comparison.compared_rows(compared, truth, settings.labels),
        "crosscheck": association.crosscheck_words(found[tables.CROSSCHECK]),
        "reliability": reliability_rows(found.rows(tables.RELIABILITY)),
        "hearts": allele_effects.locus_effects(results.root, name, results.model, settings.regions),
        "tiles": tiles(found, truth, analysed, associations.height),
        **association.section(found, associations, truth, threshold),
        **loci.section(found, genes),
        **fine_mapping.section(found, settings.regions, threshold, genes),
    }
    return context | {"contents": _contents(context)}


def _contents(context: dict[str, Any]) -> list[tuple[str, str]]:
    """(id, title) of the sections that are present."""
    present = {name: bool(context[name]) for name in ("recovery", "regions", "hearts", "sets", "reliability")}
    present["models"] = len(context["compared"]) > 1
    return [(name, title) for name, title in CONTENTS.items() if present.get(name, True)]


def tiles(found: ResultTables, truth: Recovery | None, analysed: int | None, n_variants: int) -> list[tuple]:
    """(title, value, subtitle) of the key figures of a cohort."""
    sets = found.rows(tables.CREDIBLE_SETS)
    median = None if sets.is_empty() else sets["size"].median()
    made = [
        ("People analysed", format.count(analysed), "unrelated, with ECG and genotypes"),
        ("Variants tested", format.count(n_variants or None), None),
        ("Loci", format.count(found.rows(tables.LOCI).height), "study-wide significant"),
    ]
    summary = next(iter(truth.summaries.values())) if truth else {"n_planted": 0}
    if summary["n_planted"]:
        made.append(
            ("Planted loci found", f"{summary['n_found']} of {summary['n_planted']}", "truth known: simulated cohort")
        )
    lambdas = found.rows(tables.CALIBRATION)
    for kind, small in (("null", "mean of traits, null chromosomes"), ("all", "mean of traits, all variants")):
        mean = calibration.of_any_count(lambdas).filter((pl.col("trait") == "mean") & (pl.col("variants") == kind))
        if mean.height:
            made.append(("Genomic control λGC", format.decimal(mean["lambda_gc"][0], 3), small))
            break
    if median is not None:
        made.append(("Credible sets", format.count(sets.height), f"median size {median:g} variants"))
    return made


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


def described(cohort: config.Cohort | None) -> dict[str, str]:
    """Description and reference genome of a cohort."""
    if cohort is None:
        return {"description": "", "build": "the reference genome of the genotype files"}
    build = cohort.genotypes.build if cohort.genotypes else "GRCh37"
    return {"description": cohort.description, "build": build}


def without_genotypes(results: StudyResults, cohort: config.Cohort) -> dict[str, Any]:
    """What the template shows of a cohort without genotypes: inclusions and exclusions."""
    found = inputs.read_cohort(results.root, cohort.cohort, results.model)
    return {
        "name": cohort.cohort,
        "id": format.anchor(cohort.cohort),
        "description": cohort.description,
        "lanes": flow.lanes(found, None),
        "consent": flow.consent_words(found),
    }
