"""A study's results folder -> the tables that the report shows, each read when it is asked for."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from ecgwas import config, tables
from ecgwas.errors import UserError


@dataclass(frozen=True)
class StudyResults:
    """A study's results folder, its settings, and the genes that loci are named by."""

    root: Path
    study: config.Study
    genes: pl.DataFrame | None = None

    @property
    def model(self) -> str:
        """The model that the page is about."""
        return self.study.report.model or self.study.models[0]


@dataclass(frozen=True)
class ResultTables:
    """The tables of a study under some wildcards, such as one cohort and model, by the entries of `ecgwas.tables`."""

    root: Path
    wildcards: dict[str, str]
    _read: dict[tables.Table, pl.DataFrame | None] = field(default_factory=dict, repr=False, compare=False)

    def __getitem__(self, table: tables.Table) -> pl.DataFrame | None:
        """The table, or None where its file is absent."""
        if table not in self._read:
            self._read[table] = read(self.root, table, **{name: self.wildcards[name] for name in table.wildcards})
        return self._read[table]

    def rows(self, table: tables.Table) -> pl.DataFrame:
        """The table, or an empty one where its file is absent."""
        found = self[table]
        return table.empty() if found is None else found

    @property
    def sumstats(self) -> list[Path]:
        """Parts of the scan, which stay on disk."""
        return tables.SUMSTATS.all_at(self.root, **self.wildcards)

    @property
    def traits(self) -> pl.DataFrame | None:
        """The traits of the scan, which every part has alike."""
        parts = tables.SCAN_TRAITS.all_at(self.root, **self.wildcards)
        return tables.SCAN_TRAITS.read(parts[0]) if parts else None

    @property
    def consent(self) -> dict[str, Any] | None:
        """Counts of people who withdrew consent, without ids; None where the file is absent."""
        path = tables.CONSENT.at(self.root, cohort=self.wildcards["cohort"])
        return json.loads(path.read_text()) if path.is_file() else None


def read_cohort(root: Path, cohort: str, model: str) -> ResultTables:
    """The results of one cohort and model; raises `UserError` where the cohort has none."""
    folder = root / "cohorts" / cohort
    if not folder.is_dir():
        raise UserError(f"{folder}: no results of cohort '{cohort}'; run the study before its report")
    return ResultTables(root, {"cohort": cohort, "model": model})


def read(root: Path, table: tables.Table, **wildcards: str) -> pl.DataFrame | None:
    """The table of these wildcards, or None where there is no such file."""
    path = table.at(root, **wildcards)
    return table.read_whole(path) if path.is_file() else None


def read_readouts(root: Path, models: list[str]) -> dict[str, pl.DataFrame]:
    """Probing results of each model that has them."""
    found = {model: read(root, tables.READOUT, model=model) for model in models}
    return {model: table for model, table in found.items() if table is not None}


def read_ood(root: Path, cohorts: list[str], models: list[str]) -> dict[tuple[str, str], pl.DataFrame]:
    """Distance of recordings from the training recordings by (cohort, model), where the model has an embedding."""
    found = {(c, m): read(root, tables.OUT_OF_DISTRIBUTION, cohort=c, model=m) for c in cohorts for m in models}
    return {names: table for names, table in found.items() if table is not None}


def read_history(root: Path, model: str) -> pl.DataFrame | None:
    """Loss history of `model`; None where it was not trained."""
    path = tables.HISTORY.at(root, model=model)
    return tables.HISTORY.read(path) if path.is_file() else None  # with the columns that it has: an older one is shown
