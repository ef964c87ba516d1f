"""block reader -> genotype counts by variant and by sample, for files that Hail cannot read as they are."""

from typing import Any

import numpy as np
import polars as pl

from ecgwas.genotype_files import contigs
from ecgwas.genotype_files.reader import GenotypeReader

BLOCK = 1024
STATES = 4  # homozygous REF, heterozygous, homozygous ALT, missing


def states(dosages: np.ndarray) -> np.ndarray:
    """State int8 [variant, sample] of dosages: nearest whole call, 3 missing."""
    return np.where(np.isnan(dosages), 3, np.rint(dosages)).astype(np.int8)


def _spread(dosages: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Called dosages, their mean and their sum of squares about it, each [variant]; NaN is missing."""
    called = ~np.isnan(dosages)
    n = called.sum(1)
    x = np.where(called, dosages, 0).astype(np.float64)
    mean = x.sum(1) / np.maximum(n, 1)
    return n, mean, (x**2).sum(1) - n * mean**2


def whole_calls(dosages: np.ndarray) -> np.ndarray:
    """Bool [variant]: every dosage that is not missing is 0, 1 or 2."""
    x = np.nan_to_num(dosages)
    return (np.abs(x - np.rint(x)) < 1e-4).all(1)


def dosage_r2(dosages: np.ndarray, men: np.ndarray | None = None) -> np.ndarray:
    """Imputation r² [variant] of ALT dosages [variant, sample]: variance over that of certain calls, in [0, 1].

    MaCH's Rsq (Li et al. 2010, doi:10.1002/gepi.20533), which needs no genotype probabilities: var / (2 p (1 - p));
    1 where nothing varies. With `men` (bool [sample]) the variants are haploid in them: their calls are 0 and 2, of
    variance 4 p (1 - p), and variances are taken within each sex.
    """
    men = np.zeros(dosages.shape[1], bool) if men is None else men
    found, expected = np.zeros(len(dosages)), np.zeros(len(dosages))
    for people, copies in ((~men, 2), (men, 1)):
        n, mean, squares = _spread(dosages[:, people])
        found += squares
        expected += n * mean * (1 - mean / 2) * (2 / copies)
    varies = expected > 1e-12
    return np.where(varies, np.clip(found / np.where(varies, expected, 1), 0, 1), 1.0)


def _info(dosages: np.ndarray, haploid: np.ndarray, men: np.ndarray | None) -> np.ndarray:
    """`dosage_r2` [variant], of variants `haploid` in men (bool [variant]) by sex; NaN for whole calls."""
    info = dosage_r2(dosages)
    if men is not None and haploid.any():
        info[haploid] = dosage_r2(dosages[haploid], men)
    return np.where(whole_calls(dosages), np.nan, info)


def variant_counts(
    manifest: dict[str, Any], variants: pl.DataFrame, group: np.ndarray, men: np.ndarray | None = None
) -> tuple[np.ndarray, pl.DataFrame]:
    """What `hail_steps.variant_counts` gives: counts int64 [variant, group, state] and dosage_sum, called, info."""
    n = int(group.max()) + 1
    chosen = np.flatnonzero(group >= 0)
    members = [np.flatnonzero(group[chosen] == g) for g in range(n)]
    counts = np.zeros((variants.height, n, STATES), np.int64)
    total, called, info = (np.zeros(variants.height) for _ in range(3))
    haploid = variants.select(contigs.haploid_in_males(manifest["build"])).to_series().to_numpy()
    men = None if men is None else men[chosen]
    with GenotypeReader(manifest, variants, chosen) as reader:
        for rows, dosages in reader.blocks(BLOCK):
            state = states(dosages)
            for g, people in enumerate(members):
                for s in range(STATES):
                    counts[rows, g, s] = (state[:, people] == s).sum(1)
            total[rows] = np.nansum(dosages, 1, dtype=np.float64)
            called[rows] = (~np.isnan(dosages)).sum(1)
            info[rows] = _info(dosages, haploid[rows], men)
    table = {"dosage_sum": total, "called": called.astype(np.int64), "info": pl.Series(info).fill_nan(None)}
    return counts, pl.DataFrame(table)


def sample_counts(manifest: dict[str, Any], variants: pl.DataFrame, build: str) -> np.ndarray:
    """What `hail_steps.sample_counts` gives: counts int64 [sample, class, state]; class 1 is X outside the PARs."""
    n = len(manifest["sample_ids"])
    kind = variants.select(contigs.haploid_in_males(build)).to_series().to_numpy().astype(int)
    counts = np.zeros((n, 2, STATES), np.int64)
    with GenotypeReader(manifest, variants, np.arange(n)) as reader:
        for rows, dosages in reader.blocks(BLOCK):
            state = states(dosages)
            for k in np.unique(kind[rows]):
                for s in range(STATES):
                    counts[:, k, s] += (state[kind[rows] == k] == s).sum(0)
    return counts
