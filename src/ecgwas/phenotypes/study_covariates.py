"""People and recordings tables with the study's formulas -> the covariates of everyone with a trait."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import people as cohort_people
from ecgwas import tables, user_tables
from ecgwas.errors import UserError
from ecgwas.phenotypes import covariates, formulas, recording_columns
from ecgwas.phenotypes.analysed_people import Recordings
from ecgwas.phenotypes.covariates import Source
from ecgwas.phenotypes.formulas import Formulas, Use


@dataclass(frozen=True)
class Covariates:
    """What to adjust for, and the tables that hold it."""

    formulas: Formulas
    people: Source
    recordings: Source | None

    def values(self, recorded: Recordings) -> pl.DataFrame:
        """person_id and a column per alias, null where missing: of everyone in the people table or in `recorded`.

        Only the recordings that the traits are made of count, not a person's other recordings.
        """
        of_recordings = {a: use for a, use in self.formulas.uses.items() if use.column not in self.people.columns}
        of_people = {a: use for a, use in self.formulas.uses.items() if a not in of_recordings}
        table = covariates.of_people(self.people, of_people)
        if not of_recordings:
            return table
        counting = _counting(self.recordings, recorded)
        table = table.join(covariates.of_recordings(counting, of_recordings), on="person_id", how="full", coalesce=True)
        return table

    @property
    def shown(self) -> dict[str, str]:
        """Alias -> the column it stands for."""
        return {alias: use.column for alias, use in self.formulas.uses.items()}


def _counting(source: Source, recorded: Recordings) -> Source:
    """The recordings that traits are made of."""
    rows = pl.col("person_id").is_in(np.unique(recorded.person.astype(str)).tolist())
    if recorded.ids is not None:
        rows = pl.col("recording_id").is_in(recorded.ids.astype(str).tolist())
    return Source(source.frame.filter(rows), source.name)


def read(people: Path, recordings: Path | None, terms: list[str], n_pcs: int) -> Covariates:
    """The covariates `terms` of the tables; raises `UserError` where a term names what neither has, or both have."""
    table = user_tables.read(people).need(["person_id"])
    frame = cohort_people.read(people)  # row by row that of `table`
    mine = Source(frame, str(people), table)
    theirs, found = None, _formulas(terms, mine)
    if recordings is not None:
        born = recording_columns.births(table) if _needs_births(found.uses.values(), mine) else None
        theirs = Source(recording_columns.frame(tables.RECORDINGS.read(recordings), born), str(recordings))
    for use in found.uses.values():
        _check(use, mine, theirs, n_pcs)
    return Covariates(found, mine, theirs)


def check(people: Path, terms: list[str], n_pcs: int) -> list[dict[str, str | int]]:
    """How each covariate is used: its column, number or levels, distinct values and people with one.

    Raises `UserError` as `read` does, and where a value of the people table cannot be read, births for
    age_at_recording among them; columns of recordings, which need not exist yet, are not checked.
    """
    table = user_tables.read(people).need(["person_id"])
    mine = Source(cohort_people.read(people), str(people), table)
    uses = _formulas(terms, mine).uses.values()
    if _needs_births(uses, mine) and recording_columns.births(table) is None:
        name = recording_columns.AGE
        raise UserError(f"{mine.name}: no covariate {name}{recording_columns.remedy(name)}")
    described = []
    for use in uses:
        if use.column not in mine.columns:
            described.append({"column": use.column, "of": "recordings"})
            continue
        _check(use, mine, None, n_pcs)
        values = covariates.column_values(mine, use)
        kind = "levels" if values.dtype == pl.String else "number"
        described.append(
            {
                "column": use.column,
                "of": "people",
                "as": kind,
                "distinct": values.drop_nulls().n_unique(),
                "people": values.count(),
            }
        )
    return described


def _needs_births(uses: Iterable[Use], people: Source) -> bool:
    """Whether a formula uses the age at recording, and not a column of people that is called so."""
    name = recording_columns.AGE
    return name not in people.columns and any(use.column == name for use in uses)


def _formulas(terms: list[str], people: Source) -> Formulas:
    """The terms for the columns of the people table and those that recordings may have."""
    offered = [name for name in recording_columns.NAMES if name not in people.frame.columns]
    known = f"{', '.join(people.frame.columns)}; the recordings {', '.join(offered)}"
    return formulas.read(terms, [*people.columns, *offered], people.name, known)


def _check(use: Use, people: Source, recordings: Source | None, n_pcs: int) -> None:
    """Raises where a column is in neither table, in both, or has the name of a component of the genotypes."""
    name = use.column
    if name in {f"pc{k + 1}" for k in range(n_pcs)}:
        raise UserError(
            f"{people.name}: covariate {name} has the name of a principal component of the genotypes (`phenotypes.pcs`:"
            f" {n_pcs}); rename the column, or set `phenotypes.pcs: 0` to adjust for your own components alone"
        )
    if name in people.columns:
        if recordings is not None and name in recording_columns.TAKEN and name in recordings.columns:
            raise UserError(
                f"{people.name}: covariate {name} is a column of this table and of the recordings; rename the column"
            )
    elif recordings is None:
        raise UserError(
            f"{people.name}: covariate {name} is of the recordings; give --recordings, the cohort's recordings.parquet"
        )
    elif name not in recordings.columns:
        raise UserError(f"{recordings.name}: no covariate {name}{recording_columns.remedy(name)}")
