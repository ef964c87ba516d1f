"""Genotypes of the analysed people -> linkage disequilibrium as the scan saw it: covariates projected out."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas.associations.analysed import People, read_people
from ecgwas.genotype_files.variants import read_dosages, read_places
from ecgwas.gwas import trait_groups


@dataclass(frozen=True)
class Cohort:
    """Whose genotypes are read, and what is projected out of them."""

    manifest: Path
    variants: pl.DataFrame
    people: People
    groups: list[trait_groups.Group]  # of traits seen in the same people, as in the scan

    def on(self, contig: str) -> "Cohort":
        """The same people with the traits that were tested on `contig`."""
        if self.people.loco is None:
            return self
        return replace(self, groups=trait_groups.build(self.people.on(contig), self.people.c))

    def dosages(self, wanted: pl.DataFrame) -> np.ndarray:
        """ALT dosages float32 [variant, person] of the variants `wanted` (contig, position, ref, alt), NaN missing."""
        return read_dosages(self.manifest, self.variants, wanted, self.people.samples)

    def group_of(self, trait: str) -> trait_groups.Group:
        """The group a trait was scanned in."""
        number = self.people.traits.index(trait)
        return next(g for g in self.groups if g.name != "joint" and number in g.traits)


def open_cohort(
    manifest: Path, variants: Path, samples: Path, traits: Path, covariates: Path, loco: Path | None = None
) -> Cohort:
    """The people analysed and their groups, made as the scan made them."""
    people = read_people(traits, covariates, samples, loco)
    return Cohort(manifest, read_places(variants), people, trait_groups.build(people.y, people.c))


def correlation(residuals: np.ndarray) -> np.ndarray:
    """Unit residual genotypes [variant, person] -> LD matrix [variant, variant], symmetric, diagonal 1."""
    r = residuals @ residuals.T
    r = np.clip((r + r.T) / 2, -1, 1)
    np.fill_diagonal(r, 1)
    return r


def smallest_eigenvalue(R: np.ndarray, df: int) -> float:
    """Smallest eigenvalue of an LD matrix; 0 by arithmetic where variants outnumber the degrees of freedom."""
    return 0.0 if len(R) > df else float(np.linalg.eigvalsh(R)[0])
