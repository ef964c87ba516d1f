"""A study's file -> whether its configuration, tables of people and covariates can be used, before it is run."""

from pathlib import Path

from ecgwas import config
from ecgwas.cli import run
from ecgwas.errors import UserError, reading
from ecgwas.people.consent import read_bridge, read_withdrawn
from ecgwas.people.table import read
from ecgwas.phenotypes import study_covariates
from ecgwas.study import Checked, check


def check_people(cohort: config.Cohort, settings: config.Phenotypes) -> str:
    """Read the cohort's people, ids, list of withdrawn people and covariates; what was looked at."""
    if cohort.simulate:
        return "simulated: its covariates are checked once it is"
    if cohort.id_bridge:
        read_bridge(cohort.id_bridge)
    read_withdrawn(cohort.withdrawn, cohort.id_bridge)
    if not cohort.people:
        return "no table of people"
    people = read(cohort.people, ("sex",) if cohort.genotypes else ()).height
    if not cohort.genotypes:
        return f"{people} people, no genotypes"
    used = [str(use["column"]) for use in study_covariates.check(cohort.people, settings.covariates, settings.pcs)]
    return f"{people} people; covariates {', '.join(used) or 'none'}"


def lines(checked: Checked) -> list[str]:
    """A line a cohort, and one of the models."""
    settings = checked.settings.phenotypes
    found = [f"cohort {name}: {check_people(cohort, settings)}" for name, cohort in checked.cohorts.items()]
    return [*found, f"models: {', '.join(checked.models)}; the report is about {checked.report_model}"]


def main(study: Path, root: Path = Path(".")) -> None:
    """Check a study without running anything; status 1 and what to correct where something is wrong.

    Args:
        study: The study's file, such as config/demo.yaml.
        root: The project's folder.
    """
    import yaml

    with reading(study, "YAML"):
        values = yaml.safe_load(study.read_text())
    if not isinstance(values, dict):
        raise UserError(f"{study}: expected keys and values; see config/README.md")
    print("\n".join(lines(check(values, root.resolve()))))


if __name__ == "__main__":
    run(main)
