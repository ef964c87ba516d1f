"""Genotypes, traits, covariates -> association statistics of one part of the variants, all traits in one pass."""

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import torch

from ecgwas.cli import run
from ecgwas.config import Gwas
from ecgwas.files import write_parquet
from ecgwas.genotypes.reader import GenotypeReader
from ecgwas.gwas import groups as grouping
from ecgwas.gwas import inputs, joint
from ecgwas.gwas.engine_torch import Engine, Stats
from ecgwas.hail_session import hail_session

Block = Callable[[np.ndarray], list[Stats]]


@contextlib.contextmanager
def engine(settings: Gwas, groups: list[grouping.Group], threads: int) -> Iterator[Block]:
    """dosages [V, person] -> Stats per group, by the engine of the settings."""
    if settings.engine == "hail":
        from ecgwas.gwas import engine_hail

        with hail_session(threads=threads):
            yield engine_hail.Engine(groups).block
    else:
        torch.set_num_threads(threads)
        yield Engine(groups, settings.dtype).block


def t_values(r: np.ndarray, df: int) -> np.ndarray:
    """t = r sqrt(df / (1 - r^2)) of partial correlations."""
    return r * np.sqrt(df / np.maximum(1 - r**2, 1e-30))


def reason(stats: Stats) -> list[str | None]:
    """Why a variant has no test: no call, one allele only, or a combination of the covariates."""
    untested, seen = np.isnan(stats.gg), stats.n > 0
    single = seen & ((stats.af <= 0) | (stats.af >= 1))
    words = np.select([~untested, ~seen, single], ["", "no_calls", "monomorphic"], "collinear")
    return [str(word) or None for word in words]


def columns(stats: list[Stats], groups: list[grouping.Group], traits: list[str]) -> dict[str, object]:
    """Columns of a sumstats part for one block of variants."""
    everyone, n_variants = stats[0], len(stats[0].n)
    out: dict[str, object] = {"n": everyone.n, "af": everyone.af, "gg": everyone.gg, "reason": reason(everyone)}
    out |= {"joint_neg_log10_p": np.full(n_variants, np.nan), "joint_df": np.zeros(n_variants, np.int32)}
    t = np.full((n_variants, len(traits)), np.nan, np.float32)
    for group, found in zip(groups, stats, strict=True):
        if group.w is not None:
            out["joint_neg_log10_p"] = joint.neg_log10_p(found.r, group)
            out["joint_df"] = np.full(n_variants, group.w.shape[1], np.int32)
        if group.name == "joint":
            continue
        t[:, group.traits] = t_values(found.r, group.df)
        if group.name != "all":
            out |= {f"n:{group.name}": found.n, f"af:{group.name}": found.af, f"gg:{group.name}": found.gg}
    return out | {f"t:{name}": t[:, j] for j, name in enumerate(traits)}


def scan(
    blocks: Iterable[tuple[slice, np.ndarray]],
    variants: pl.DataFrame,
    groups: list[grouping.Group],
    traits: list[str],
    block: Block,
) -> pl.DataFrame:
    """A sumstats part: the rows of `variants` that `blocks` cover, with n, af, gg, joint test and t of each trait."""
    made, done = [], 0
    nothing = slice(0, 0), np.zeros((0, len(groups[0].rows)), np.float32)  # a part may be empty; columns must not miss
    for rows, dosage in itertools.chain([nothing], blocks):
        found = pl.DataFrame(columns(block(dosage), groups, traits), schema_overrides={"reason": pl.String})
        made.append(pl.concat([variants[rows].select(*inputs.VARIANT, "rsid"), found], how="horizontal"))
        done += found.height
        if len(made) % 20 == 0:
            print(f"{done} variants", flush=True)
    return pl.concat(made).with_columns(pl.col(pl.Float64, pl.Float32).fill_nan(None))


def runs(contigs: list[str]) -> Iterator[tuple[str, int, int]]:
    """Contig, first and last + 1 place of each stretch of equal names."""
    first = 0
    for contig, stretch in itertools.groupby(contigs):
        stop = first + sum(1 for _ in stretch)
        yield contig, first, stop
        first = stop


def trait_table(groups: list[grouping.Group], traits: list[str], contig: str | None) -> pl.DataFrame:
    """trait, group, n, df, contig, yy: what turns t into beta and standard error; contig is null for any."""
    rows = {}
    for group in (g for g in groups if g.name != "joint"):
        for j, yy in zip(group.traits, group.yy, strict=True):
            rows[int(j)] = (traits[j], group.name, len(group.rows), group.df, contig, float(yy))
    schema = {"trait": pl.String, "group": pl.String, "n": pl.Int32, "df": pl.Int32, "contig": pl.String}
    schema |= {"yy": pl.Float64}
    return pl.DataFrame([rows[j] for j in range(len(traits))], schema=schema, orient="row")


def main(
    manifest: Path,
    variants: Path,
    samples: Path,
    traits: Path,
    covariates: Path,
    part: int,
    settings: Gwas,
    sumstats: Path,
    traits_out: Path,
    loco: Path | None = None,
    seed: int = 1,
    threads: int = 1,
) -> None:
    """Scan one part of the kept variants (ordinary least squares with covariates; ALT is the effect allele).

    With `loco`, each chromosome's traits are less their prediction from all other chromosomes.
    """
    people, table = inputs.read_people(traits, covariates, samples, loco), inputs.read_variants(variants)
    contigs = table["contig"].to_list()
    start, stop = inputs.part_of(table.height, part, settings.parts)
    stretches = [("", 0, stop - start)] if loco is None else list(runs(contigs[start:stop])) or [("", 0, 0)]
    lengths, made = [], []
    with GenotypeReader(manifest, table, people.samples) as reader:
        for contig, first, last in stretches:
            groups = grouping.build(people.on(contig), people.c)
            with engine(settings, groups, threads) as block:
                blocks = reader.blocks(settings.block, start + first, start + last)
                made.append(scan(blocks, table, groups, people.traits, block))
    for contig in [None] if loco is None else dict.fromkeys(contigs):
        groups = grouping.build(people.on(contig or ""), people.c)
        lengths.append(trait_table(groups, people.traits, contig))
    for group in groups:
        print(f"group {group.name}: {len(group.rows)} people, {len(group.traits)} traits", flush=True)
    found = pl.concat(made)
    write_parquet(found, sumstats)
    write_parquet(pl.concat(lengths), traits_out)
    print(f"{found.height} variants, {found['reason'].count()} without a test", flush=True)


if __name__ == "__main__":
    run(main)
