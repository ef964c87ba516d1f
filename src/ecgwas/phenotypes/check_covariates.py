"""The study's covariates and a cohort's people -> whether every term can be computed, before anything else is."""

from pathlib import Path

from ecgwas.cli import run
from ecgwas.config import Phenotypes
from ecgwas.files import write_json
from ecgwas.phenotypes import study_covariates


def main(people: Path, settings: Phenotypes, covariates: Path) -> None:
    """Read the covariates of `phenotypes.covariates` that the people table holds, and say how each is used.

    Whatever is wrong with an entry or a value then ends the run in its first minute and not after the training.

    Args:
        people: the cohort's people and their covariates, as the user gave them.
        settings: the `phenotypes` block, as JSON.
        covariates: how each column is used and how many people have it (JSON), written.
    """
    write_json(study_covariates.check(people, settings.covariates, settings.pcs), covariates)


if __name__ == "__main__":
    run(main)
