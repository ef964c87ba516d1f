"""A study's results folder -> the tables that the report shows; every path it reads is declared here."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ecgwas import config, tables
from ecgwas.errors import UserError

FLOW = {
    "recordings": ("ecg/recordings.parquet", tables.RECORDINGS),
    "recordings_excluded": ("ecg/excluded.parquet", tables.RECORDINGS_EXCLUDED),
    "samples": ("genotypes/samples.parquet", tables.SAMPLES),
    "variants": ("genotypes/variants.parquet", tables.VARIANTS),
    "genotypes_excluded": ("genotypes/excluded.parquet", tables.GENOTYPES_EXCLUDED),
    "traits_excluded": ("phenotypes/{model}/excluded.parquet", tables.TRAITS_EXCLUDED),
    "reliability": ("phenotypes/{model}/reliability.parquet", tables.RELIABILITY),
}
RESULTS = {
    "loci": ("gwas/{model}/loci.parquet", tables.LOCI),
    "loci_any_trait": ("gwas/{model}/loci_any_trait.parquet", tables.LOCI_ANY_TRAIT),
    "multiplicity": ("gwas/{model}/multiplicity.parquet", tables.MULTIPLICITY),
    "calibration": ("gwas/{model}/calibration.parquet", tables.CALIBRATION),
    "credible_sets": ("finemap/{model}/credible_sets.parquet", tables.CREDIBLE_SETS),
    "finemapped": ("finemap/{model}/variants.parquet", tables.FINEMAP_VARIANTS),
    "ld_diagnostics": ("finemap/{model}/ld_diagnostics.parquet", tables.LD_DIAGNOSTICS),
}
STUDY = {
    "readout": ("embeddings/readout/{model}.parquet", tables.READOUT),
    "ood": ("cohorts/{cohort}/embeddings/{model}.ood.parquet", tables.OUT_OF_DISTRIBUTION),
}
COMPARED = ("loci", "calibration", "credible_sets")


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
class CohortInputs:
    """Tables of one cohort and model; None where the file is missing."""

    cohort: str
    model: str
    tables: dict[str, pl.DataFrame | None]
    sumstats: list[Path]
    traits: pl.DataFrame | None
    crosscheck: pl.DataFrame | None

    def __getitem__(self, name: str) -> pl.DataFrame | None:
        return self.tables[name]

    def rows(self, name: str) -> pl.DataFrame:
        """The table, or an empty one of its schema."""
        found = self.tables[name]
        return tables.empty((FLOW | RESULTS)[name][1]) if found is None else found


def read_cohort(root: Path, cohort: str, model: str) -> CohortInputs:
    """Read the tables of one cohort and model; summary statistics stay on disk."""
    folder = root / "cohorts" / cohort
    if not folder.is_dir():
        raise UserError(f"{folder}: no results of cohort '{cohort}'; run the study before its report")
    found = {name: read(folder / path.format(model=model), schema) for name, (path, schema) in (FLOW | RESULTS).items()}
    scan = folder / "gwas" / model
    parts = sorted((scan / "sumstats").glob("part-*.parquet"))
    traits = [pl.read_parquet(path) for path in sorted((scan / "sumstats").glob("traits-*.parquet"))]
    return CohortInputs(
        cohort, model, found, parts, traits[0] if traits else None, read(scan / "crosscheck.parquet", {})
    )


def read_compared(root: Path, cohort: str, models: list[str]) -> dict[str, dict[str, pl.DataFrame | None]]:
    """Loci, calibration and credible sets of every model."""
    folder = root / "cohorts" / cohort
    return {
        model: {name: read(folder / RESULTS[name][0].format(model=model), RESULTS[name][1]) for name in COMPARED}
        for model in models
    }


def read(path: Path, schema: tables.Schema) -> pl.DataFrame | None:
    """The table at `path` with the columns of `schema`, or None where there is no such file."""
    if not path.is_file():
        return None
    try:
        return tables.typed(pl.read_parquet(path), schema)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def read_readouts(root: Path, models: list[str]) -> dict[str, pl.DataFrame]:
    """Probing results of each model that has them."""
    path, schema = STUDY["readout"]
    found = {model: read(root / path.format(model=model), schema) for model in models}
    return {model: table for model, table in found.items() if table is not None}


def read_ood(root: Path, cohorts: list[str], models: list[str]) -> dict[tuple[str, str], pl.DataFrame]:
    """Distance of recordings from the training recordings by (cohort, model), where the model has an embedding."""
    path, schema = STUDY["ood"]
    found = {(c, m): read(root / path.format(cohort=c, model=m), schema) for c in cohorts for m in models}
    return {names: table for names, table in found.items() if table is not None}


def read_history(root: Path, model: str) -> pl.DataFrame | None:
    """Loss history of `model`; None where it was not trained."""
    path = root / "models" / model / "history.parquet"
    return pl.read_parquet(path) if path.is_file() else None
