"""Sumstats, genotypes, traits -> genomic control factors with a permutation interval.

lambda = median of the observed statistic over its null median (Devlin & Roeder 1999, Biometrics 55:997), in units of
t^2 (F with 1, df) for a trait and of chi-square with K degrees of freedom for the joint test. The interval: people's
residual traits are permuted together against genotypes and covariates, and covariates projected out again (Freedman &
Lane 1983, J Bus Econ Stat 1:292; Winkler et al. 2014, NeuroImage 92:381), so LD and the correlation of traits stay.
"""

import functools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import torch
from scipy import stats

from ecgwas import tables
from ecgwas.cli import run
from ecgwas.config import Gwas
from ecgwas.files import write_parquet
from ecgwas.genotypes import contigs
from ecgwas.genotypes.reader import GenotypeReader
from ecgwas.gwas import groups as grouping
from ecgwas.gwas import inputs
from ecgwas.gwas.engine_torch import CANCELLED, coded, partial_correlations

MAX_VARIANTS = 25_000  # evenly spaced in genome order; more change the interval of a median little
MAX_COLUMNS = 2_000  # permuted traits held at a time
MAX_CELLS = 2**26  # statistics held at a time
LEVEL = 0.99

Blocks = Callable[[], Iterator[tuple[slice, np.ndarray]]]


def median(r2: np.ndarray) -> np.ndarray:
    """Median over the last axis, variants, without those that have no test (the same in every permutation)."""
    tested = np.isfinite(r2.reshape(-1, r2.shape[-1])[0])
    return np.median(r2 if tested.all() else r2[..., tested], axis=-1).astype(float)


def lambda_trait(r2: np.ndarray, df: int) -> np.ndarray:
    """Median of t^2 = df r^2/(1 - r^2) over the median of F(1, df); the median is over the last axis."""
    middle = median(r2)
    return df * middle / (1 - middle) / stats.f.ppf(0.5, 1, df)


def lambda_joint(r2: np.ndarray, k: int, df2: int) -> np.ndarray:
    """Median of the chi-square with k degrees of freedom that has the p of F(k, df2), over its null median."""
    middle = median(r2)
    p = stats.f.sf(middle / k / ((1 - middle) / df2), k, df2)
    return stats.chi2.isf(p, k) / stats.chi2.ppf(0.5, k)


def permuted(group: grouping.Group, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit residual traits [P, n, T] permuted by the order of `keys` [P, n], and their joint axes [P, T, K]."""
    moved = group.unit[np.argsort(keys, axis=1)]
    moved = moved - group.q @ (group.q.T @ moved)
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    axes = moved @ group.w
    factor = np.linalg.cholesky(np.swapaxes(axes, 1, 2) @ axes)
    return moved, group.w @ np.linalg.inv(factor).swapaxes(1, 2)


def permuted_r2(
    blocks: Blocks, n_variants: int, group: grouping.Group, keys: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """r^2 of permuted traits float32 [P, T, V] and R^2 of the joint test [P, V]."""
    moved, w = permuted(group, keys)
    n_perm, n, k = moved.shape
    columns = moved.transpose(1, 0, 2).reshape(n, n_perm * k)
    right = torch.from_numpy(np.column_stack([group.q, columns])).float()
    single = np.empty((n_perm, k, n_variants), np.float32)
    joint = np.empty((n_perm, n_variants), np.float32)
    for rows, dosage in blocks():
        raw, gg, r = partial_correlations(torch.from_numpy(coded(dosage)[0]), right, group.q.shape[1])
        r[~(gg > CANCELLED * raw)] = np.nan
        r = r.reshape(-1, n_perm, k).transpose(1, 2, 0).astype(np.float32)
        single[:, :, rows] = r**2
        joint[:, rows] = ((w.transpose(0, 2, 1).astype(np.float32) @ r) ** 2).sum(axis=1)
    return single, joint


def everyone(groups: list[grouping.Group], c: np.ndarray, n_traits: int) -> grouping.Group:
    """One group of all people with all traits that have a test: their residuals, 0 (the expectation) where missing.

    Missing values change the median of a permuted statistic next to nothing, and one group is one matrix product.
    """
    y = np.zeros((len(c), n_traits))
    for group in groups:
        if group.name != "joint":
            y[np.ix_(group.rows, group.traits)] = group.unit * np.sqrt(len(group.rows))
    tested = np.flatnonzero(np.isfinite(y).all(axis=0))
    return replace(grouping.build(y[:, tested], c)[0], traits=tested)


def permuted_lambdas(
    blocks: Blocks, group: grouping.Group, subsets: list[np.ndarray], keys: np.ndarray, n_traits: int
) -> np.ndarray:
    """[subset, P, T + 2] lambda of each trait, the joint test and the mean over traits under permutation by `keys`.

    NaN for the traits that are not of the group.
    """
    k = group.w.shape[1]
    r2, joint = permuted_r2(blocks, len(subsets[0]), group, keys)
    out = []
    for rows in subsets:
        each = np.full((len(r2), n_traits), np.nan)
        each[:, group.traits] = lambda_trait(r2[:, :, rows], group.df)
        whole = lambda_joint(joint[:, rows], k, group.df + 1 - k)
        out.append(np.column_stack([each, whole, np.nanmean(each, axis=1)]))
    return np.stack(out)


def observed_lambdas(scan: inputs.Scan, groups: list[grouping.Group], rows: np.ndarray) -> np.ndarray:
    """[T + 2] lambda of each trait, the joint test and the mean over traits, over the variants `rows`."""
    df = scan.df
    step = max(1, MAX_CELLS // max(scan.variants.height, 1))
    some = [scan.names[first : first + step] for first in range(0, len(df), step)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice")  # a trait without a test
        chi2 = np.concatenate([np.nanmedian(scan.t_of(names)[rows] ** 2, axis=0) for names in some])
    chi2 /= np.where(np.isinf(df), stats.chi2.ppf(0.5, 1), stats.f.ppf(0.5, 1, df))
    joint = np.nan
    for group in groups:
        p = scan.variants["joint_neg_log10_p"].to_numpy()[rows]
        if group.w is not None and np.isfinite(p).any():
            k = group.w.shape[1]
            joint = stats.chi2.isf(10 ** -np.nanmedian(p), k) / stats.chi2.ppf(0.5, k)
    return np.r_[chi2, joint, np.nanmean(chi2)]


def simultaneous(values: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Interval [row] that holds all rows of `values` [P, row] at once in a share `level` of the permutations.

    mean +- c SD with c the quantile of the largest standardised deviation over the rows (max-T, Westfall & Young 1993).
    """
    mean, sd = values.mean(axis=0), values.std(axis=0, ddof=1)
    deviation = np.nanmax(np.abs(values - mean) / sd, axis=1)
    c = np.quantile(deviation, level, method="higher")
    return mean - c * sd, mean + c * sd


def table(names: list[str], kind: str, n: int, observed: np.ndarray, permuted: np.ndarray) -> pl.DataFrame:
    """Rows of tables.CALIBRATION for one set of variants."""
    empty = np.full(len(observed), np.nan)
    low, high = simultaneous(permuted) if len(permuted) > 1 else (empty, empty)
    columns = {"trait": [*names, "joint", "mean"], "variants": kind, "n_variants": n}
    made = pl.DataFrame(columns | {"lambda_gc": observed, "low": low, "high": high})
    return tables.typed(made.with_columns(pl.col(pl.Float64).fill_nan(None)), tables.CALIBRATION)


def on_contigs(variants: pl.DataFrame, names: list[str]) -> np.ndarray:
    """[V] whether a variant lies on one of the contigs, spelled in any way (chr21, 21, 23); absent ones are told."""
    wanted = pl.DataFrame({"contig": names}, schema={"contig": pl.String}).select(contigs.normalise(pl.col("contig")))
    absent = wanted.join(variants, on="contig", how="anti")["contig"].to_list()
    if absent:
        print(f"gwas.null_chromosomes: no variant on {', '.join(absent)}", flush=True)
    return variants["contig"].is_in(wanted["contig"].to_list()).to_numpy()


def main(
    sumstats: list[Path],
    trait_table: Path,
    manifest: Path,
    variants: Path,
    samples: Path,
    traits: Path,
    covariates: Path,
    settings: Gwas,
    calibration: Path,
    loco: Path | None = None,
    seed: int = 1,
    threads: int = 1,
) -> None:
    """Genomic control factor of each trait, of the joint test and their mean, on all and on the null contigs.

    With `loco`, the permuted traits are less their prediction from all chromosomes.

    Args:
        sumstats: The scan's sumstats/part-*.parquet, in order.
        trait_table: sumstats/traits-000.parquet: what was scanned of each trait.
        manifest: manifest.json of the genotypes.
        variants: variants.parquet of the genotypes.
        samples: samples.parquet of the genotypes.
        traits: traits.parquet of the model: who is analysed, and their traits.
        covariates: covariates.parquet of the model.
        settings: The `gwas` block of the study.
        calibration: Written: a row per trait, of observed and of permuted traits.
        loco: loco.parquet of step 1, where relatives are kept: each chromosome's traits are less its predictions.
        seed: Seed of the permutations.
        threads: CPU threads.
    """
    torch.set_num_threads(threads)
    scan, people = inputs.read_scan(sumstats, trait_table), inputs.read_people(traits, covariates, samples, loco)
    groups = grouping.build(people.on(inputs.EVERY), people.c)
    whole = everyone(groups, people.c, len(people.traits))
    null = on_contigs(scan.variants, settings.null_chromosomes)
    sets = {"all": np.ones(len(null), bool)} | ({"null": null} if null.any() else {})
    some = np.unique(np.linspace(0, len(null) - 1, min(MAX_VARIANTS, len(null))).round().astype(int))
    wanted = inputs.same_rows(inputs.read_variants(variants), scan.variants)[some]
    keys = np.random.default_rng([seed, 8]).random((settings.permutations, len(people.y)))
    step = max(1, MAX_COLUMNS // len(people.traits))
    made = []
    with GenotypeReader(manifest, wanted, people.samples) as reader:
        for first in range(0, settings.permutations, step):
            subsets = [chosen[some] for chosen in sets.values()]
            blocks = functools.partial(reader.blocks, settings.block)
            made.append(permuted_lambdas(blocks, whole, subsets, keys[first : first + step], len(people.traits)))
            print(f"{first + len(made[-1][0])} of {settings.permutations} permutations", flush=True)
    drawn = np.concatenate(made, axis=1) if made else np.zeros((len(sets), 0, len(people.traits) + 2))
    rows = [
        table(people.traits, kind, int(chosen.sum()), observed_lambdas(scan, groups, np.flatnonzero(chosen)), drawn[i])
        for i, (kind, chosen) in enumerate(sets.items())
    ]
    write_parquet(pl.concat(rows), calibration)
    print(pl.concat(rows).filter(pl.col("trait").is_in(["joint", "mean"])), flush=True)


if __name__ == "__main__":
    run(main)
