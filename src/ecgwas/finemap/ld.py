"""Genotypes of the analysed people -> linkage disequilibrium as the scan saw it: covariates projected out."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas.errors import UserError
from ecgwas.genotype_files.reader import GenotypeReader
from ecgwas.gwas import inputs
from ecgwas.gwas import trait_groups as grouping
from ecgwas.gwas.residuals import unit_residuals

__all__ = ["Cohort", "correlation", "open_cohort", "read_dosages", "smallest_eigenvalue", "unit_residuals"]

PLACES = ("source", "source_index", "flipped")  # what the reader of genotypes goes by


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
    known = pl.read_parquet_schema(variants)
    table = pl.read_parquet(variants, columns=[name for name in (*inputs.VARIANT, *PLACES) if name in known])
    return Cohort(manifest, table, people, grouping.build(people.y, people.c))


def read_dosages(cohort: Cohort, wanted: pl.DataFrame) -> np.ndarray:
    """ALT dosages float32 [variant, person] of the variants `wanted` (contig, position, ref, alt), NaN missing."""
    near = pl.col("contig").is_in(wanted["contig"].unique().implode())
    if wanted.height:
        near &= pl.col("position").is_between(wanted["position"].min(), wanted["position"].max())
    known = cohort.variants.filter(near).unique(inputs.VARIANT, keep="first", maintain_order=True)
    known = known.with_columns(pl.lit(True).alias("known"))
    rows = wanted.select(inputs.VARIANT).join(known, on=inputs.VARIANT, how="left", maintain_order="left")
    if rows["known"].null_count():
        lost = ":".join(map(str, rows.filter(pl.col("known").is_null()).row(0)[:4]))
        raise UserError(f"variant {lost} of the association results is not in variants.parquet; rerun the gwas stage")
    with GenotypeReader(cohort.manifest, rows, cohort.people.samples) as reader:
        return reader.read(slice(None))


def correlation(residuals: np.ndarray) -> np.ndarray:
    """Unit residual genotypes [variant, person] -> LD matrix [variant, variant], symmetric, diagonal 1."""
    r = residuals @ residuals.T
    r = np.clip((r + r.T) / 2, -1, 1)
    np.fill_diagonal(r, 1)
    return r


def smallest_eigenvalue(R: np.ndarray, df: int) -> float:
    """Smallest eigenvalue of an LD matrix; 0 by arithmetic where variants outnumber the degrees of freedom."""
    return 0.0 if len(R) > df else float(np.linalg.eigvalsh(R)[0])
