"""Genotypes of the analysed people -> linkage disequilibrium as the scan saw it: covariates projected out."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas.errors import UserError
from ecgwas.genotypes.reader import GenotypeReader
from ecgwas.gwas import groups as grouping
from ecgwas.gwas import inputs

KEEP_VARIANCE = 1e-6  # share of a genotype's variance that must be left after the covariates


@dataclass(frozen=True)
class Cohort:
    """Whose genotypes are read, and what is projected out of them."""

    manifest: Path
    variants: pl.DataFrame
    people: inputs.People
    groups: list[grouping.Group]  # of traits seen in the same people, as in the scan

    def on(self, contig: str) -> "Cohort":
        """The same people with the traits that were tested on `contig`."""
        if self.people.loco is None:
            return self
        return replace(self, groups=grouping.build(self.people.on(contig), self.people.c))

    def group_of(self, trait: str) -> grouping.Group:
        """The group a trait was scanned in."""
        number = self.people.traits.index(trait)
        return next(g for g in self.groups if g.name != "joint" and number in g.traits)


def open_cohort(
    manifest: Path, variants: Path, samples: Path, traits: Path, covariates: Path, loco: Path | None = None
) -> Cohort:
    """The people analysed and their groups, made as the scan made them."""
    people = inputs.read_people(traits, covariates, samples, loco)
    return Cohort(manifest, pl.read_parquet(variants), people, grouping.build(people.y, people.c))


def read_dosages(cohort: Cohort, wanted: pl.DataFrame) -> np.ndarray:
    """ALT dosages float32 [variant, person] of the variants `wanted` (contig, position, ref, alt), NaN missing."""
    key = inputs.VARIANT
    known = cohort.variants.with_row_index("row").select(*key, "row").unique(key, keep="first")
    rows = wanted.select(key).join(known, on=key, how="left", maintain_order="left")
    if rows["row"].null_count():
        lost = ":".join(map(str, rows.filter(pl.col("row").is_null()).row(0)[:4]))
        raise UserError(f"variant {lost} of the association results is not in variants.parquet; rerun the gwas stage")
    with GenotypeReader(cohort.manifest, cohort.variants, cohort.people.samples) as reader:
        return reader.read(rows["row"].to_numpy())


def unit_residuals(dosages: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Dosages [variant, person], orthonormal covariates `q` [person, column] -> residuals of length 1 (0: no variance).

    Missing calls take the variant's mean over these people, as in the scan; then the columns of `q`, which hold the
    intercept, are projected out.
    """
    missing = np.isnan(dosages)
    called = np.maximum((~missing).sum(axis=1, keepdims=True), 1)
    filled = np.where(missing, 0, dosages).astype(float)
    centred = np.where(missing, 0, filled - filled.sum(axis=1, keepdims=True) / called)
    residuals = grouping.project_out(q, centred.T).T
    before, length = np.linalg.norm(centred, axis=1), np.linalg.norm(residuals, axis=1)
    usable = length**2 > KEEP_VARIANCE * np.maximum(before**2, 1e-12)
    return np.where(usable[:, None], residuals / np.where(usable, length, 1)[:, None], 0)


def correlation(residuals: np.ndarray) -> np.ndarray:
    """Unit residual genotypes [variant, person] -> LD matrix [variant, variant], symmetric, diagonal 1."""
    r = residuals @ residuals.T
    r = np.clip((r + r.T) / 2, -1, 1)
    np.fill_diagonal(r, 1)
    return r


def smallest_eigenvalue(R: np.ndarray, df: int) -> float:
    """Smallest eigenvalue of an LD matrix; 0 by arithmetic where variants outnumber the degrees of freedom."""
    return 0.0 if len(R) > df else float(np.linalg.eigvalsh(R)[0])
