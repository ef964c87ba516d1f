"""A study's results -> one self-contained HTML page, and provenance.json beside it."""

import json
import math
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import polars as pl

import ecgwas
from ecgwas import config, provenance
from ecgwas.cli import run
from ecgwas.files import atomic
from ecgwas.report import format, genes, inputs, scan
from ecgwas.report.figures import manhattan, qq, training
from ecgwas.report.inputs import CohortInputs
from ecgwas.report.sections import allele_effects, calibration, cohort, embedding, flow, prediction, recovery
from ecgwas.report.sections import loci as locus_rows

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


def cohort_context(
    root: Path, cohort: str, models: list[str], model: str, study: config.Study, gene_table: pl.DataFrame | None
) -> dict[str, Any]:
    """What the template shows of one cohort."""
    settings = study.report
    found = inputs.read_cohort(root, cohort, model)
    truth = recovery.read_recovery(root, cohort, models, model)
    associations = scan.read_scan(found.sumstats, found.traits)
    analysed = None if found.traits is None or found.traits.is_empty() else int(found.traits["n"].max())
    threshold = -math.log10(study.gwas.p_threshold)
    regions = cohort.regions(found, settings.regions, threshold, gene_table)
    context = {
        "name": cohort,
        "id": format.anchor(cohort),
        "lanes": flow.lanes(found, analysed),
        "loci": locus_rows.loci_rows(found.rows("loci"), gene_table),
        "wider": locus_rows.wider_rows(found.rows("loci_any_trait"), gene_table),
        "multiplicity": locus_rows.multiplicity_words(found.rows("multiplicity"), found.rows("loci_any_trait").height),
        "has_genes": gene_table is not None,
        "regions": regions,
        "plotted": {region["anchor"] for region in regions},
        "n_more_regions": max(found.rows("loci").height - settings.regions, 0),
        "sets": cohort.set_rows(found.rows("credible_sets"), found.rows("finemapped")),
        "unmapped": locus_rows.unmapped_rows(found.rows("ld_diagnostics")),
        "reliability": cohort.reliability_rows(found.rows("reliability")),
        "compared": cohort.compared_rows(inputs.read_compared(root, cohort, models), truth, settings.labels),
        "crosscheck": cohort.crosscheck_words(found.crosscheck),
        "recovery": _recovery(truth, settings.labels),
        "hearts": allele_effects.locus_effects(root, cohort, model, settings.regions),
        "tiles": cohort.tiles(found, truth, analysed, associations.height),
        **_scan_context(found, associations, truth, threshold),
    }
    return context | {"contents": _contents(context)}


def _scan_context(
    found: CohortInputs, associations: pl.DataFrame, truth: recovery.Recovery | None, threshold: float
) -> dict[str, Any]:
    n_traits = 0 if found.traits is None else found.traits.height
    marks = cohort.scan_marks(found.rows("loci"), truth)
    lambdas = found.rows("calibration")
    pictures = {
        "joint": manhattan.manhattan(associations, "joint", threshold, marks, "Manhattan plot of the joint test"),
        "axis": manhattan.manhattan(
            associations,
            "axis",
            locus_rows.trait_threshold(found, threshold + math.log10(max(n_traits, 1))),
            [],
            "Manhattan plot of the axis-wise minimum",
            230,
        ),
    }
    rows = calibration.calibration_rows(lambdas)
    return {
        "n_traits": n_traits,
        "manhattan": pictures if any(pictures.values()) else None,
        "qq": qq.qq(
            associations["joint"].to_numpy(), calibration.lambda_words(lambdas, "joint"), "QQ plot, joint test"
        ),
        "scan_words": cohort.scan_words(associations, found.traits),
        "calibration": rows,
        "calibration_counts": calibration.count_rows(lambdas),
        "calibration_kinds": calibration.calibration_kinds(lambdas),
    }


def _recovery(truth: recovery.Recovery | None, labels: dict[str, str]) -> dict[str, Any] | None:
    if truth is None:
        return None
    rows = recovery.comparison(truth)
    return {
        "planted": next(iter(truth.summaries.values()))["n_planted"],
        "labels": [labels.get(name, name) for name in truth.tables],
        "rows": rows,
        "totals": [recovery.found_words(truth.summaries[name]) for name in truth.tables],
        "has_maf": any(row["maf"] != "–" for row in rows),
        "has_power": any(row["power"] != "–" for row in rows),
    }


def _contents(context: dict[str, Any]) -> list[tuple[str, str]]:
    present = {name: bool(context[name]) for name in ("recovery", "regions", "hearts", "sets", "reliability")}
    present["models"] = len(context["compared"]) > 1
    return [(name, title) for name, title in CONTENTS.items() if present.get(name, True)]


def unit_of(model: str, rank_normalise: bool) -> tuple[str, str]:
    """Unit of the effects on a model's traits, in full and abbreviated."""
    if model == "outcomes":
        return "log odds of the outcome", "log odds"
    return ("standard deviations of the trait", "SD") if rank_normalise else ("units of the trait", "trait units")


def study_context(study: config.Study, made: dict[str, Any], history: pl.DataFrame | None) -> dict[str, Any]:
    """What the template shows of the study as a whole."""
    packages = ", ".join(f"{name} {version}" for name, version in made["packages"].items())
    picture = "" if history is None else training.loss(history)
    unit, short = unit_of(study.report.model or study.models[0], study.phenotypes.rank_normalise)
    return {
        "study": study.study,
        "seed": study.seed,
        "p_threshold": format.p_value(-math.log10(study.gwas.p_threshold)).replace(".0", ""),
        "null_contigs": ", ".join(study.gwas.null_chromosomes),
        "permutations": study.gwas.permutations,
        "coverage": format.percent(study.finemap.coverage, 1).replace(".0", ""),
        "trait_unit": unit,
        "trait_unit_short": short,
        "history": {"picture": picture, "words": cohort.history_words(history)} if picture else None,
        "made_with": [
            ("ecgwas", made["ecgwas"]),
            ("git commit", made["git_commit"] or "not a checkout"),
            ("seed", made["seed"]),
            ("configuration, SHA-256", made["config_sha256"]),
            ("Python", made["python"]),
            ("packages", packages),
            ("input files", f"{len(made['inputs'])}, listed in provenance.json"),
        ],
        "settings": json.dumps(made["settings"], indent=1),
        "version": ecgwas.__version__,
    }


def scanned(cohorts: list[str], described: dict[str, config.Cohort]) -> list[str]:
    """Cohorts with genotypes; a cohort that is not described is taken to have them."""
    return [name for name in cohorts if name not in described or described[name].genotypes]


def ungenotyped(
    root: Path, cohorts: list[str], described: dict[str, config.Cohort], model: str
) -> list[dict[str, Any]]:
    """What the template shows of cohorts without genotypes: inclusions and exclusions."""
    return [
        {
            "name": name,
            "id": format.anchor(name),
            "description": described[name].description,
            "lanes": flow.lanes(inputs.read_cohort(root, name, model), None),
        }
        for name in cohorts
        if name not in scanned(cohorts, described)
    ]


def render(context: dict[str, Any]) -> str:
    """The page's HTML."""
    files = resources.files("ecgwas.report")
    loader = jinja2.FunctionLoader(lambda name: files.joinpath(name).read_text())
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {"count": format.count, "plural": format.plural, "test_name": format.test_name}
    template = environment.get_template("page.html.j2")
    return template.render(css=files.joinpath("page.css").read_text(), **context) + "\n"


def main(
    root: Path,
    cohorts: list[str],
    models: list[str],
    model: str,
    settings: config.Report,
    study: config.Study,
    report: Path,
    sources: list[config.Cohort] | None = None,
    genes_table: Path | None = None,
    roles: dict[str, str] | None = None,
    provenance_json: Path | None = None,
) -> None:
    """Write the report of a study.

    Args:
        root: results folder of the study; the paths read in it are listed in ecgwas.report.inputs.
        cohorts: cohorts, one section each, as a JSON list.
        models: models to compare, as a JSON list.
        model: the model the page is about.
        settings: the report block of the configuration, as JSON.
        study: the whole configuration of the study, as JSON.
        report: Written: the page.
        sources: the cohorts' configurations, as a JSON list: descriptions, and input files for the provenance.
        genes_table: gene table that names the nearest gene; the one of the settings by default.
        roles: kind of each model, as JSON, random where it is untrained: names the baselines that are missing.
        provenance_json: Written: the provenance; provenance.json beside the page by default.
    """
    study = study.model_copy(update={"report": settings})
    described = {cohort.cohort: cohort for cohort in sources or []}
    made = provenance.write(study, sources or [], root, provenance_json or report.with_name("provenance.json"))
    gene_table = genes.read_genes(genes_table or settings.genes)
    tell = partial(cohort_context, root, models=models, model=model, study=study, gene_table=gene_table)
    context = study_context(study, made, inputs.read_history(root, model)) | {
        "title": settings.title,
        "model": model,
        "label": settings.labels.get(model, model),
        "predicted": prediction.section(root, study, cohorts),
        "held": embedding.section(root, cohorts, models, roles or {}, settings.labels),
        "cohorts": [tell(name) | cohort.described(described.get(name)) for name in scanned(cohorts, described)],
        "ungenotyped": ungenotyped(root, cohorts, described, model),
    }
    page = render(context)
    with atomic(report) as temporary:
        temporary.write_text(page, encoding="utf-8")
    print(f"{report}: {len(page) / 1e6:.1f} MB, {len(cohorts)} cohort(s), model {model}", flush=True)


if __name__ == "__main__":
    run(main)
