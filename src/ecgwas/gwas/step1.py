"""Genotypes, traits, covariates -> each trait's prediction from all chromosomes but one, for the scan to take away."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import torch

from ecgwas.cli import run
from ecgwas.config import Step1
from ecgwas.errors import UserError
from ecgwas.files import write_parquet
from ecgwas.genotypes.reader import GenotypeReader
from ecgwas.gwas import groups as grouping
from ecgwas.gwas import inputs, ridge
from ecgwas.gwas.engine_torch import DTYPES

AUTOSOMES = [str(number) for number in range(1, 23)]
FOLDS = 9  # stream of random numbers


def usable(variants: pl.DataFrame, settings: Step1) -> pl.DataFrame:
    """Autosomal variants that are common enough, in genome order."""
    maf = pl.min_horizontal("af", 1 - pl.col("af"))
    wanted = pl.col("contig").is_in(AUTOSOMES) & (maf >= settings.min_maf) & (pl.col("mac") >= settings.min_mac)
    kept = variants.filter(wanted & pl.col("pruned") if settings.pruned else wanted)
    if kept["contig"].n_unique() < 2:
        raise UserError(
            f"step 1 has {kept.height} of {variants.height} variants, on {kept['contig'].n_unique()} autosomes, and"
            " needs two chromosomes; lower step1.min_maf or min_mac, or set phenotypes.relatives: drop"
        )
    return kept


def blocks_of(contigs: list[str], size: int) -> list[tuple[str, int, int]]:
    """Contig, first and last + 1 row of blocks of at most `size` variants that cross no chromosome."""
    starts = np.flatnonzero(np.r_[True, np.array(contigs[1:]) != np.array(contigs[:-1])])
    ends = np.r_[starts[1:], len(contigs)]
    return [
        (contigs[a], int(first), int(min(first + size, b)))
        for a, b in zip(starts, ends, strict=True)
        for first in range(a, b, size)
    ]


def residual(people: inputs.People) -> tuple[np.ndarray, np.ndarray]:
    """Traits [n, T] less the covariates, missing ones at their mean; and the orthonormal covariates [n, c]."""
    q = grouping.orthonormal(people.c)
    filled = np.where(np.isnan(people.y), np.nanmean(people.y, axis=0), people.y)
    return grouping.project_out(q, filled), q


def to_table(loco: np.ndarray, contigs: list[str], traits: list[str]) -> pl.DataFrame:
    """contig and a column a trait, people in the order of the trait table, a chromosome after the other; `all` last."""
    n = loco.shape[1]
    names = pl.Series("contig", [name for name in [*contigs, inputs.EVERY] for _ in range(n)])
    columns = [pl.Series(name, loco[:, :, j].ravel(), dtype=pl.Float32) for j, name in enumerate(traits)]
    return pl.DataFrame([names, *columns])


def main(
    manifest: Path,
    variants: Path,
    samples: Path,
    traits: Path,
    covariates: Path,
    settings: Step1,
    loco: Path,
    seed: int = 1,
    threads: int = 1,
) -> None:
    """Leave-one-chromosome-out predictions of every trait by whole-genome ridge regression."""
    torch.set_num_threads(threads)
    people, table = inputs.read_people(traits, covariates, samples), usable(inputs.read_variants(variants), settings)
    wanted = blocks_of(table["contig"].to_list(), settings.block)
    y, q = residual(people)
    ratio, memory = len(ridge.HERITABILITIES), settings.memory_mb * 2**20
    item = 8 if settings.dtype == "float64" else 4
    plan = ridge.plan(len(y), y.shape[1], len(wanted), settings.block, ratio, memory, item)
    print(
        f"{table.height} variants in {len(wanted)} blocks, {len(y)} people, {y.shape[1]} traits:"
        f" {plan.passes} passes over the genotypes, {plan.bytes / 2**20:.0f} MB, nothing on disk",
        flush=True,
    )
    fold = np.random.default_rng([seed, FOLDS]).permutation(np.arange(len(y)) % settings.folds)
    with GenotypeReader(manifest, table, people.samples) as reader:

        def read() -> Iterator[tuple[str, np.ndarray]]:
            for done, (contig, first, last) in enumerate(wanted):
                if done % 20 == 0:
                    print(f"block {done} of {len(wanted)}", flush=True)
                yield contig, reader.read(slice(first, last))

        contigs = list(dict.fromkeys(table["contig"]))
        predicted, errors = ridge.predict(
            read, table.height, len(wanted), y, q, fold, contigs, plan.traits, DTYPES[settings.dtype]
        )
    explained = 1 - errors.min(axis=1) / len(y)
    print(f"share of variance predicted out of fold: median {np.median(explained):.3f}", flush=True)
    write_parquet(to_table(predicted, contigs, people.traits), loco)


if __name__ == "__main__":
    run(main)
