"""Genotypes, traits, covariates -> each trait's prediction from all chromosomes but one, which the scan subtracts."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import torch

from ecgwas import tables
from ecgwas.associations.analysed import EVERY, People, read_people
from ecgwas.cli import run
from ecgwas.config import Step1
from ecgwas.errors import UserError
from ecgwas.genotype_files.reader import GenotypeReader
from ecgwas.genotype_files.variants import VARIANT, read_variants
from ecgwas.gwas.engines.torch_linear import DTYPES
from ecgwas.gwas.step1 import ridge
from ecgwas.stats import linear

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


def residual(people: People) -> tuple[np.ndarray, np.ndarray, list[str | None]]:
    """Traits [n, T] less the covariates, missing ones at their mean; the orthonormal covariates [n, c]; reasons [T].

    A trait without values, of one value, or a combination of the covariates has a reason and is 0.
    """
    q, seen = linear.orthonormal(people.c), np.isfinite(people.y)
    y = np.where(seen, people.y, 0)
    y = np.where(seen, y - y.sum(axis=0) / np.maximum(seen.sum(axis=0), 1), 0)
    size = np.abs(np.where(seen, people.y, 0)).max(axis=0)
    residuals = linear.project_out(q, y)
    flat = np.abs(y).max(axis=0) <= linear.ROUNDING * size
    nothing_left = np.linalg.norm(residuals, axis=0) <= linear.ROUNDING * np.linalg.norm(y, axis=0)
    words = np.select([~seen.any(axis=0), flat, nothing_left], ["no_values", "constant", "collinear"], "")
    residuals[:, words != ""] = 0
    return residuals, q, [str(word) or None for word in words]


def excluded(reasons: list[str | None], traits: list[str], table: pl.DataFrame, used: np.ndarray) -> pl.DataFrame:
    """What step 1 excluded: kind (trait, variant), id (contig:position:ref:alt of a variant), reason."""
    names = [name for name, reason in zip(traits, reasons, strict=True) if reason]
    dropped = table.filter(~pl.Series(used)).select(pl.concat_str(*VARIANT, separator=":"))
    columns = {
        "kind": ["trait"] * len(names) + ["variant"] * dropped.height,
        "id": [*names, *dropped.to_series()],
        "reason": [*filter(None, reasons), *["low_variance"] * dropped.height],
    }
    return tables.STEP1_EXCLUDED.typed(pl.DataFrame(columns))


def available(memory_mb: int) -> int:
    """Bytes that may be used: of the setting, and of a GPU what is free."""
    wanted = memory_mb * 2**20
    return min(wanted, torch.cuda.mem_get_info()[0]) if torch.cuda.is_available() else wanted


def to_table(loco: np.ndarray, contigs: list[str], traits: list[str], fit: np.ndarray) -> pl.DataFrame:
    """contig and a column a trait, people in the order of the trait table, a chromosome after the other; `all` last.

    loco [C + 1, n, T] holds the traits at places `fit`; the others are 0.
    """
    n, place = loco.shape[1], {int(j): k for k, j in enumerate(fit)}
    names = pl.Series("contig", [name for name in [*contigs, EVERY] for _ in range(n)])
    zero = np.zeros(len(names), np.float32)
    columns = [
        pl.Series(name, loco[:, :, place[j]].ravel() if j in place else zero, dtype=pl.Float32)
        for j, name in enumerate(traits)
    ]
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
    excluded_out: Path | None = None,
) -> None:
    """Leave-one-chromosome-out predictions of every trait by whole-genome ridge regression.

    Excluded traits are predicted 0; `excluded_out` lists them and the unused variants, with reasons.

    Args:
        manifest: manifest.json of the genotypes.
        variants: variants.parquet of the genotypes.
        samples: samples.parquet of the genotypes.
        traits: traits.parquet of the model: who is analysed, and their traits.
        covariates: covariates.parquet of the model.
        settings: The `step1` block of the study.
        loco: Written: the predictions.
        seed: Seed of the folds of people.
        threads: CPU threads.
        excluded_out: Written: traits and variants that were not used, with reasons.
    """
    torch.set_num_threads(threads)
    people = read_people(traits, covariates, samples)
    table = usable(read_variants(variants), settings)
    blocks = blocks_of(table["contig"].to_list(), settings.block)
    y, q, reasons = residual(people)
    fit = np.flatnonzero([reason is None for reason in reasons])
    if not len(fit):
        raise UserError(f"{traits}: no trait of {len(reasons)} varies beyond the covariates; nothing to predict")
    torch.backends.cuda.matmul.allow_tf32 = False
    ratio, item = len(ridge.HERITABILITIES), 8 if settings.dtype == "float64" else 4
    contigs = list(dict.fromkeys(table["contig"]))
    size = ridge.Size(len(y), len(fit), len(blocks), settings.block, ratio, item, settings.folds, len(contigs))
    plan = ridge.plan(size, available(settings.memory_mb))
    print(
        f"{table.height} variants in {len(blocks)} blocks, {len(y)} people, {len(fit)} traits: {plan.passes} passes"
        f" over the genotypes, {plan.bytes / 2**20:.0f} MB; on disk only the predictions, at most"
        f" {len(y) * len(reasons) * (len(contigs) + 1) * 4 / 2**20:.0f} MB",
        flush=True,
    )
    fold = np.random.default_rng([seed, FOLDS]).permutation(np.arange(len(y)) % settings.folds)
    with GenotypeReader(manifest, table, people.samples) as reader:

        def read() -> Iterator[tuple[str, np.ndarray]]:
            for done, (contig, first, last) in enumerate(blocks):
                if done % 20 == 0:
                    print(f"block {done} of {len(blocks)}", flush=True)
                yield contig, reader.read(slice(first, last))

        genotypes = ridge.Genotypes(read, table.height, len(blocks), contigs)
        fitted = ridge.predict(genotypes, y[:, fit], q, fold, ridge.Options(plan.traits, DTYPES[settings.dtype]))
    explained = 1 - fitted.errors.min(axis=1) / len(y)
    print(f"share of variance predicted out of fold: median {np.median(explained):.3f}", flush=True)
    excluded_rows = excluded(reasons, people.traits, table, fitted.used)
    for kind, reason, count in excluded_rows.group_by("kind", "reason").len().sort("kind", "reason").iter_rows():
        print(f"excluded: {count} {kind}s, {reason}", flush=True)
    tables.LOCO.write(to_table(fitted.loco, contigs, people.traits, fit), loco)
    if excluded_out is not None:
        tables.STEP1_EXCLUDED.write(excluded_rows, excluded_out)


if __name__ == "__main__":
    run(main)
