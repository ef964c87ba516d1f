"""Sumstats, genotypes, traits -> genomic control factors with a permutation interval, and counts of permuted p.

lambda = median of the observed statistic over its null median (Devlin & Roeder 1999, Biometrics 55:997), in units of
t^2 (F with 1, df) for a trait and of the chi-square with K degrees of freedom that has its p for the joint test. Both
are of the same variants as the permutations (permutations.py): at most MAX_VARIANTS of those that have a test.
"""

import functools
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from scipy import stats

from ecgwas import tables
from ecgwas.associations import scan_statistics
from ecgwas.associations.analysed import EVERY, read_people
from ecgwas.cli import run
from ecgwas.config import Gwas
from ecgwas.genotype_files import contigs
from ecgwas.genotype_files.reader import GenotypeReader
from ecgwas.genotype_files.variants import read_variants
from ecgwas.gwas import trait_groups
from ecgwas.gwas.permutations import Drawn, draw, everyone

MAX_VARIANTS = 25_000  # evenly spaced in genome order; more change the interval of a median little
MAX_COLUMNS = 2_000  # permuted traits held at a time
MAX_CELLS = 2**26  # statistics held at a time
LEVEL = 0.99
COUNTED = {"below_1e2": 1e-2, "below_1e3": 1e-3, "below_1e4": 1e-4}  # permuted p below these are counted
ANY = "any"
CLASSES = {"<50": (0, 50), "50-99": (50, 100), "100-399": (100, 400), "400-1999": (400, 2000), ">=2000": (2000, np.inf)}


@dataclass(frozen=True)
class Part:
    """Variants of which a lambda is taken: contigs, minor allele counts, places [V'] among those permuted."""

    kind: str  # all or null
    mac: str  # ANY, or one of CLASSES
    rows: np.ndarray


def lambda_trait(r2: np.ndarray, df: int) -> np.ndarray:
    """Median of t^2 = df r^2/(1 - r^2) over the median of F(1, df); the median is over the last axis, without NaN."""
    middle = np.nanmedian(r2, axis=-1).astype(float)
    return df * middle / (1 - middle) / stats.f.ppf(0.5, 1, df)


def lambda_joint(neg_log10_p: np.ndarray, k: int) -> np.ndarray:
    """The chi-square on k degrees of freedom of the median p over its null median; over the last axis, without NaN."""
    p = 10.0 ** -np.nanmedian(neg_log10_p, axis=-1).astype(float)
    return stats.chi2.isf(p, k) / stats.chi2.ppf(0.5, k)


def one_degree(factor: np.ndarray | float, k: int) -> np.ndarray:
    """lambda on one degree of freedom with the median p that `factor` on k has: 1.02 on 256 is 1.48 on one."""
    p = stats.chi2.sf(np.asarray(factor) * stats.chi2.ppf(0.5, k), k)
    return stats.chi2.isf(p, 1) / stats.chi2.ppf(0.5, 1)


def lambdas(drawn: Drawn, group: trait_groups.Group, rows: np.ndarray, n_traits: int) -> np.ndarray:
    """[P, T + 2] lambda of each trait, the joint test and the mean over traits; NaN for traits not of the group."""
    each = np.full((len(drawn.single), n_traits), np.nan)
    each[:, group.traits] = lambda_trait(drawn.single[:, :, rows], group.df)
    return np.column_stack([each, lambda_joint(drawn.joint[:, rows], group.w.shape[1]), np.nanmean(each, axis=1)])


def counts(drawn: Drawn, group: trait_groups.Group, rows: np.ndarray, n_traits: int) -> np.ndarray:
    """[T + 2, 1 + len(COUNTED)] permuted tests and their p below each level: traits, joint, all traits together."""
    df, out = group.df, np.zeros((n_traits + 2, 1 + len(COUNTED)), int)
    single, joint = drawn.single[:, :, rows], drawn.joint[:, rows]
    f = [stats.f.isf(level, 1, df) for level in COUNTED.values()]
    out[group.traits, 0] = np.isfinite(single).sum(axis=(0, 2))
    out[group.traits, 1:] = np.stack([(single > x / (x + df)).sum(axis=(0, 2)) for x in f], axis=1)
    out[n_traits] = [np.isfinite(joint).sum(), *((joint > -np.log10(level)).sum() for level in COUNTED.values())]
    out[-1] = out[:n_traits].sum(axis=0)
    return out


def observed_lambdas(scan: scan_statistics.Scan, groups: list[trait_groups.Group], rows: np.ndarray) -> np.ndarray:
    """[T + 2] lambda of each trait, the joint test and the mean over traits, over the variants `rows`."""
    df = scan.df
    step = max(1, MAX_CELLS // max(scan.variants.height, 1))
    some = [scan.names[first : first + step] for first in range(0, len(df), step)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice|Mean of empty")  # a trait without a test, or all of them
        chi2 = np.concatenate([np.nanmedian(scan.t_of(names)[rows] ** 2, axis=0) for names in some])
        chi2 /= np.where(np.isinf(df), stats.chi2.ppf(0.5, 1), stats.f.ppf(0.5, 1, df))
        mean, joint = np.nanmean(chi2), np.nan
    p = scan.variants["joint_neg_log10_p"].cast(pl.Float64).fill_null(float("nan")).to_numpy()[rows]
    for group in groups:
        if group.w is not None and np.isfinite(p).any():
            joint = lambda_joint(p, group.w.shape[1])
    return np.r_[chi2, joint, mean]


def simultaneous(values: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Interval [row] that holds all rows of `values` [P, row] at once in a share `level` of the permutations.

    mean +- c SD with c the quantile of the largest standardised deviation over the rows (max-T, Westfall & Young 1993).
    """
    mean, sd = values.mean(axis=0), values.std(axis=0, ddof=1)
    deviation = np.nanmax(np.abs(values - mean) / sd, axis=1)
    c = np.quantile(deviation, level, method="higher")
    return mean - c * sd, mean + c * sd


def table(
    names: list[str], part: Part, observed: np.ndarray, permuted: np.ndarray, counted: np.ndarray, axes: int | None
) -> pl.DataFrame:
    """Rows of tables.CALIBRATION for one set of variants; the joint test has `axes` (None: there is none)."""
    empty = np.full(len(observed), np.nan)
    low, high = simultaneous(permuted) if len(permuted) > 1 else (empty, empty)
    columns = {"trait": [*names, "joint", "mean"], "variants": part.kind, "mac": part.mac, "n_variants": len(part.rows)}
    columns |= {"lambda_gc": observed, "low": low, "high": high}
    for name, values in (("lambda_one_df", observed), ("low_one_df", low), ("high_one_df", high)):
        columns[name] = np.array(values, float)
        if axes is not None:
            columns[name][-2] = one_degree(np.maximum(values[-2], 0), axes)
    columns |= {name: counted[:, i] for i, name in enumerate(("permuted_tests", *COUNTED))}
    rows = pl.DataFrame(columns)
    if axes is None:
        where_tested = pl.when(pl.col("trait") != "joint")
        rows = rows.with_columns(
            where_tested.then(pl.col(*columns.keys() - {"trait", "variants", "mac", "n_variants"}))
        )
    if part.mac != ANY:
        rows = rows.filter(pl.col("trait").is_in(["joint", "mean"]))
    return tables.CALIBRATION.typed(rows.with_columns(pl.col(pl.Float64).fill_nan(None)))


def on_contigs(variants: pl.DataFrame, names: list[str]) -> np.ndarray:
    """[V] whether a variant lies on one of the contigs, in any spelling (chr21, 21, 23); prints those without one."""
    wanted = pl.DataFrame({"contig": names}, schema={"contig": pl.String}).select(contigs.normalise(pl.col("contig")))
    absent = wanted.join(variants, on="contig", how="anti")["contig"].to_list()
    if absent:
        print(f"gwas.null_chromosomes: no variant on {', '.join(absent)}", flush=True)
    return variants["contig"].is_in(wanted["contig"].to_list()).to_numpy()


def spread(variants: pl.DataFrame) -> np.ndarray:
    """Rows of at most MAX_VARIANTS variants that have a test, evenly spaced in genome order; all, where none has."""
    tested = np.flatnonzero(variants["reason"].is_null().to_numpy())
    tested = tested if len(tested) else np.arange(variants.height)
    places = np.linspace(0, len(tested) - 1, min(MAX_VARIANTS, len(tested))).round().astype(int)
    return tested[np.unique(places)]


def parts(variants: pl.DataFrame, null: np.ndarray) -> list[Part]:
    """All variants and those on null contigs, each whole and by minor allele count, without empty classes."""
    af, n = variants["af"].fill_null(0).to_numpy(), variants["n"].to_numpy()
    mac = (2 * n * np.minimum(af, 1 - af)).round(3)
    all_parts = []
    for kind, chosen in {"all": np.ones(len(mac), bool), "null": null}.items():
        all_parts.append(Part(kind, ANY, np.flatnonzero(chosen)))
        all_parts += [Part(kind, k, np.flatnonzero(chosen & (mac >= a) & (mac < b))) for k, (a, b) in CLASSES.items()]
    return [part for part in all_parts if len(part.rows) or (part.kind, part.mac) == ("all", ANY)]


def permute(
    reader: GenotypeReader, group: trait_groups.Group, chosen: list[Part], keys: np.ndarray, size: int, n_traits: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Of each part: lambdas [P, T + 2] under permutation by `keys` [P, n], and `counts` over all of them."""
    step = max(1, MAX_COLUMNS // max(n_traits, 1))
    every: list[list[np.ndarray]] = [[] for _ in chosen]
    counted = [np.zeros((n_traits + 2, 1 + len(COUNTED)), int) for _ in chosen]
    for first in range(0, len(keys), step):
        drawn = draw(functools.partial(reader.blocks, size), reader.shape[0], group, keys[first : first + step])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All-NaN slice|Mean of empty")
            for i, part in enumerate(chosen):
                every[i].append(lambdas(drawn, group, part.rows, n_traits))
                counted[i] += counts(drawn, group, part.rows, n_traits)
        print(f"{first + len(drawn.joint)} of {len(keys)} permutations", flush=True)
    return [np.concatenate(some) if some else np.zeros((0, n_traits + 2)) for some in every], counted


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

    The last two by class of minor allele count, too. With `loco`, the permuted traits are less their prediction from
    all chromosomes.

    Args:
        sumstats: The scan's sumstats/part-*.parquet, in order.
        trait_table: sumstats/traits-000.parquet: what was scanned of each trait.
        manifest: manifest.json of the genotypes.
        variants: variants.parquet of the genotypes.
        samples: samples.parquet of the genotypes.
        traits: traits.parquet of the model: who is analysed, and their traits.
        covariates: covariates.parquet of the model.
        settings: The `gwas` block of the study.
        calibration: Written: a row per trait and set of variants, of observed and of permuted traits.
        loco: loco.parquet of step 1, where relatives are kept: each chromosome's traits are less its predictions.
        seed: Seed of the permutations.
        threads: CPU threads.
    """
    torch.set_num_threads(threads)
    scan, people = scan_statistics.read_scan(sumstats, trait_table), read_people(traits, covariates, samples, loco)
    groups = trait_groups.build(people.on(EVERY), people.c)
    some = spread(scan.variants)
    wanted = scan_statistics.same_rows(read_variants(variants), scan.variants)[some]
    chosen = parts(scan.variants[some], on_contigs(scan.variants, settings.null_chromosomes)[some])
    names, whole = people.traits, everyone(groups, people.c, len(people.traits))
    permutations = settings.permutations if len(whole.traits) else 0  # no trait has a test: nothing to permute
    keys = np.random.default_rng([seed, 8]).random((permutations, len(people.y)))
    with GenotypeReader(manifest, wanted, people.samples) as reader:
        drawn, counted = permute(reader, whole, chosen, keys, settings.block, len(names))
    axes = whole.w.shape[1] if whole.w is not None and scan.variants["joint_neg_log10_p"].count() else None
    rows = pl.concat(
        table(names, part, observed_lambdas(scan, groups, some[part.rows]), drawn[i], counted[i], axes)
        for i, part in enumerate(chosen)
    )
    tables.CALIBRATION.write(rows, calibration)
    print(rows.filter(pl.col("trait").is_in(["joint", "mean"])), flush=True)


if __name__ == "__main__":
    run(main)
