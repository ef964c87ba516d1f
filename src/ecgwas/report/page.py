"""A study's results -> one self-contained HTML page, and provenance.json beside it."""

import json
import math
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

import ecgwas
from ecgwas import config, provenance
from ecgwas.cli import run
from ecgwas.files import atomic
from ecgwas.report import format, genes, inputs
from ecgwas.report.inputs import StudyResults
from ecgwas.report.sections import cohort, embedding, prediction, training


def unit_of(model: str, rank_normalise: bool) -> tuple[str, str]:
    """Unit of the effects on a model's traits, in full and abbreviated."""
    if model == "outcomes":
        return "log odds of the outcome", "log odds"
    return ("standard deviations of the trait", "SD") if rank_normalise else ("units of the trait", "trait units")


def study_context(results: StudyResults, made: dict[str, Any]) -> dict[str, Any]:
    """What the template shows of the study as a whole."""
    study, model = results.study, results.model
    packages = ", ".join(f"{name} {version}" for name, version in made["packages"].items())
    unit, short = unit_of(model, study.phenotypes.rank_normalise)
    return {
        "title": study.report.title,
        "model": model,
        "label": study.report.labels.get(model, model),
        "study": study.study,
        "seed": study.seed,
        "p_threshold": format.p_value(-math.log10(study.gwas.p_threshold)).replace(".0", ""),
        "null_contigs": ", ".join(study.gwas.null_chromosomes),
        "permutations": study.gwas.permutations,
        "coverage": format.percent(study.finemap.coverage, 1).replace(".0", ""),
        "trait_unit": unit,
        "trait_unit_short": short,
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


def sections(results: StudyResults, cohorts: dict[str, config.Cohort], roles: dict[str, str]) -> dict[str, Any]:
    """The sections of the page; a cohort without configuration in `cohorts` is taken to have genotypes."""
    study = results.study
    scanned = [name for name in study.cohorts if name not in cohorts or cohorts[name].genotypes]
    others = [cohorts[name] for name in study.cohorts if name not in scanned]
    return {
        "predicted": prediction.section(results.root, study, study.cohorts),
        "held": embedding.section(results, roles),
        "history": training.section(inputs.read_history(results.root, results.model)),
        "cohorts": [cohort.section(results, name) | cohort.described(cohorts.get(name)) for name in scanned],
        "ungenotyped": [cohort.without_genotypes(results, other) for other in others],
    }


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
    study: config.Study,
    report: Path,
    sources: list[config.Cohort] | None = None,
    roles: dict[str, str] | None = None,
    provenance_json: Path | None = None,
) -> None:
    """Write the report of a study.

    Args:
        root: results folder of the study; the paths read in it are listed in ecgwas.report.inputs.
        study: the whole configuration of the study, as JSON.
        report: Written: the page.
        sources: the cohorts' configurations, as a JSON list: descriptions, and input files for the provenance.
        roles: kind of each model, as JSON, random where it is untrained: names the baselines that are missing.
        provenance_json: Written: the provenance; provenance.json beside the page by default.
    """
    cohorts = {source.cohort: source for source in sources or []}
    made = provenance.write(study, sources or [], root, provenance_json or report.with_name("provenance.json"))
    results = StudyResults(root, study, genes.read_genes(study.report.genes))
    page = render(study_context(results, made) | sections(results, cohorts, roles or {}))
    with atomic(report) as temporary:
        temporary.write_text(page, encoding="utf-8")
    print(f"{report}: {len(page) / 1e6:.1f} MB, {len(study.cohorts)} cohort(s), model {results.model}", flush=True)


if __name__ == "__main__":
    run(main)
