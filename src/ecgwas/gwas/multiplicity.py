"""Correlations of traits, LD of variants -> effective numbers of tests, thresholds, findings expected by chance.

Both numbers hold at the significance level they are used at, where correlated normal statistics are nearly
independent; estimators from eigenvalues (Nyholt 2004, Li & Ji 2005, Galwey 2009) are made for 5 % and count fewer.
With c the critical value of |z|, P(any of T beyond c) = T P(|z| > c) E[1/N], N the number beyond c given that one drawn
at random is: the union by importance sampling of Naiman & Priebe 2001 (J Comput Graph Stat 10:296); the use for
correlated traits is that of Conneely & Boehnke 2007 (Am J Hum Genet 81:1158). So the effective number is T E[1/N].
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from scipy import special

from ecgwas import tables
from ecgwas.associations.analysed import People
from ecgwas.genotype_files.reader import GenotypeReader
from ecgwas.gwas import trait_groups
from ecgwas.stats import linear
from ecgwas.stats.linear import unit_residuals

DRAWS = 10_000  # of the traits' statistics
CHUNK = 1_000  # drawn at a time
SAMPLED = 100  # variants whose neighbourhoods are examined, evenly spaced in genome order
NEIGHBOURS = 150  # on each side of such a variant at most
NEIGHBOUR_DRAWS = 50  # of the statistics of a neighbourhood
PEOPLE = 2_000  # whose genotypes estimate the LD of neighbourhoods


@dataclass(frozen=True)
class Multiplicity:
    """How many tests a scan makes, and what follows for its thresholds."""

    n_traits: int  # with a test
    effective_traits: float
    joint: bool  # the scan has a joint test of more than one trait
    p_threshold: float  # of one test of one variant
    n_variants: int  # with a test
    effective_variants: float

    @property
    def trait_penalty(self) -> float:
        """log10 of the effective number of traits: what -log10 p of a single trait is reduced by."""
        return float(np.log10(self.effective_traits))

    def row(self) -> dict:
        """The row of tables.MULTIPLICITY."""
        per_trait = self.effective_variants * self.p_threshold
        return {
            "n_traits": self.n_traits,
            "effective_traits": self.effective_traits,
            "joint_test": self.joint,
            "p_threshold": self.p_threshold,
            "trait_p_threshold": self.p_threshold / self.effective_traits,
            "n_variants": self.n_variants,
            "effective_variants": self.effective_variants,
            "expected_study_wide": per_trait * (1 + self.joint),
            "expected_any_trait": per_trait * (self.effective_traits + self.joint),
        }

    def table(self) -> pl.DataFrame:
        """tables.MULTIPLICITY."""
        return tables.MULTIPLICITY.typed(pl.DataFrame([self.row()]))


def critical(p: float) -> float:
    """|z| whose two-sided p is `p`."""
    return float(-special.ndtri(p / 2))


def shares(z: np.ndarray, own: np.ndarray, r: np.ndarray, c: float, rng: np.random.Generator) -> np.ndarray:
    """1/N [draw]: N statistics are beyond `c`, of draws `z` [draw, test] moved so that one of them is.

    `own` [draw]: that one's value in `z`; `r` [draw or 1, test]: its correlation with all.
    """
    beyond = -special.ndtri(rng.random(len(z)) * special.ndtr(-c))
    moved = z + (beyond - own)[:, None] * r
    return 1 / np.maximum((np.abs(moved) > c).sum(axis=1), 1)


def effective_traits(correlation: np.ndarray, p: float, draws: int = DRAWS) -> float:
    """Effective number of normal statistics with this correlation [T, T], each tested at `p`/T: between 1 and T."""
    count = len(correlation)
    if count < 2:
        return float(max(count, 1))
    value, vector = np.linalg.eigh(correlation)
    root, c = vector * np.sqrt(np.maximum(value, 0)), critical(p / count)
    rng, inverse_counts = np.random.default_rng(0), []
    for first in range(0, max(draws, count), CHUNK):
        z = rng.standard_normal((CHUNK, count)) @ root.T
        j = np.arange(first, first + CHUNK) % count
        inverse_counts.append(shares(z, z[np.arange(CHUNK), j], correlation[j], c, rng))
    return float(np.clip(count * np.mean(np.concatenate(inverse_counts)), 1, count))


def trait_correlation(people: People) -> np.ndarray:
    """[T', T']: of the residual traits that have a test, as the statistics of one variant are under the null.

    Traits seen in different people are as alike as the people they share make them.
    """
    unit = np.zeros((len(people.y), len(people.traits)))
    for group in trait_groups.build(people.y, people.c, axes=False):
        unit[np.ix_(group.rows, group.traits)] = group.unit
    unit = unit[:, np.isfinite(unit).all(axis=0) & unit.any(axis=0)]
    return unit.T @ unit


def neighbourhoods(variants: pl.DataFrame, window_bp: int) -> Iterator[tuple[np.ndarray, int]]:
    """Rows of the neighbourhood of each sampled variant, and its own place among them."""
    contig, position = variants["contig"].to_numpy(), variants["position"].to_numpy().astype(np.int64)
    chosen = np.unique(np.linspace(0, variants.height - 1, min(SAMPLED, variants.height)).astype(int))
    for i in chosen:
        rows = np.arange(max(i - NEIGHBOURS, 0), min(i + NEIGHBOURS + 1, variants.height))
        near = rows[(contig[rows] == contig[i]) & (np.abs(position[rows] - position[i]) <= window_bp)]
        yield near, int(np.searchsorted(near, i))


def effective_variants(reader: GenotypeReader, covariates: np.ndarray, p: float, window_bp: int) -> float:
    """Effective number of the reader's variants at level `p`: their number times the mean of E[1/N] over a sample.

    The statistics of a neighbourhood are those of its genotypes with normal noise, given that the sampled variant is
    significant. Neighbours beyond `window_bp` or the 150 nearest on a side are not counted, which errs upwards.
    """
    if not reader.variants.height:
        return 0.0
    rng, q, c = np.random.default_rng(0), linear.orthonormal(covariates), critical(p)
    inverse_counts = []
    for rows, own in neighbourhoods(reader.variants, window_bp):
        x = unit_residuals(reader.read(rows), q)
        if x[own].any():
            z = (x @ rng.standard_normal((x.shape[1], NEIGHBOUR_DRAWS))).T
            inverse_counts.append(shares(z, z[:, own], (x @ x[own])[None], c, rng).mean())
    return reader.variants.height * float(np.mean(inverse_counts)) if inverse_counts else float(reader.variants.height)


def measure(
    tested: pl.DataFrame, manifest: Path, people: People, p: float, window_bp: int, joint: bool
) -> Multiplicity:
    """Of a scan of the variants `tested` (rows of variants.parquet) in `people`; `joint`: it has a joint test."""
    correlation = trait_correlation(people)
    some = np.unique(np.linspace(0, len(people.samples) - 1, min(PEOPLE, len(people.samples))).astype(int))
    with GenotypeReader(manifest, tested, people.samples[some]) as reader:
        variants = effective_variants(reader, people.c[some], p, window_bp)
    count = len(correlation)
    return Multiplicity(count, effective_traits(correlation, p), joint and count > 1, p, tested.height, variants)
