"""block reader -> genotype counts by variant and by sample, for files that Hail cannot read as they are."""

from typing import Any

import numpy as np
import polars as pl

from ecgwas.genotypes import contigs
from ecgwas.genotypes.reader import GenotypeReader

BLOCK = 1024
STATES = 4  # homozygous REF, heterozygous, homozygous ALT, missing


def states(dosages: np.ndarray) -> np.ndarray:
    """State int8 [variant, sample] of dosages: nearest whole call, 3 missing."""
    return np.where(np.isnan(dosages), 3, np.rint(dosages)).astype(np.int8)


def dosage_r2(dosages: np.ndarray) -> np.ndarray:
    """Imputation r² [variant] of ALT dosages: their variance over 2 p (1 - p), in [0, 1]; NaN for whole calls.

    MaCH's Rsq (Li et al. 2010, doi:10.1002/gepi.20533), which needs no genotype probabilities; 1 where nothing varies.
    """
    called = ~np.isnan(dosages)
    n = np.maximum(called.sum(1), 1)
    x = np.where(called, dosages, 0).astype(np.float64)
    mean = x.sum(1) / n
    variance = (x**2).sum(1) / n - mean**2
    expected = mean * (1 - mean / 2)
    r2 = np.where(expected > 0, np.clip(variance / np.where(expected > 0, expected, 1), 0, 1), 1.0)
    whole = (np.abs(x - np.rint(x)) < 1e-4).all(1)
    return np.where(whole, np.nan, r2)


def variant_counts(
    manifest: dict[str, Any], variants: pl.DataFrame, group: np.ndarray
) -> tuple[np.ndarray, pl.DataFrame]:
    """What `hail_steps.variant_counts` gives: counts int64 [variant, group, state] and dosage_sum, called, info."""
    n = int(group.max()) + 1
    chosen = np.flatnonzero(group >= 0)
    members = [np.flatnonzero(group[chosen] == g) for g in range(n)]
    counts = np.zeros((variants.height, n, STATES), np.int64)
    total, called, info = (np.zeros(variants.height) for _ in range(3))
    with GenotypeReader(manifest, variants, chosen) as reader:
        for rows, dosages in reader.blocks(BLOCK):
            state = states(dosages)
            for g, people in enumerate(members):
                for s in range(STATES):
                    counts[rows, g, s] = (state[:, people] == s).sum(1)
            total[rows] = np.nansum(dosages, 1, dtype=np.float64)
            called[rows] = (~np.isnan(dosages)).sum(1)
            info[rows] = dosage_r2(dosages)
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
