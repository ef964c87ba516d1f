"""Genotypes, traits, covariates -> association statistics of one part of the variants, all traits in one pass."""

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import torch

from ecgwas import tables
from ecgwas.associations.analysed import People, read_people
from ecgwas.cli import run
from ecgwas.config import Gwas
from ecgwas.files import atomic
from ecgwas.genotype_files import blocks
from ecgwas.genotype_files.reader import GenotypeReader
from ecgwas.genotype_files.variants import contigs_of, read_part
from ecgwas.gwas import scan_binary, trait_groups
from ecgwas.gwas.engines import joint, torch_logistic
from ecgwas.gwas.engines.torch_linear import Correlations, LinearTests, TorchLinear
from ecgwas.gwas.sumstats import Writer, rare
from ecgwas.hail_session import LOCAL, hail_session

Test = Callable[[blocks.Block], list[LinearTests]]


def t_values(r: np.ndarray, df: int) -> np.ndarray:
    """t = r sqrt(df / (1 - r^2)) of partial correlations."""
    return r * np.sqrt(df / np.maximum(1 - r**2, 1e-30))


def of_stats(stats: Correlations, group: trait_groups.Group) -> LinearTests:
    """What the scan keeps of correlations [V, T]."""
    r2 = None if group.w is None else joint.r_squared(stats.r, group.w)
    t = np.ascontiguousarray(t_values(stats.r, group.df).T, dtype=np.float32)
    return LinearTests(stats.n, stats.af, stats.gg, t, r2, stats.carriers)


@contextlib.contextmanager
def engine(
    settings: Gwas, threads: int, memory_gb: float = 2.0, master: str = LOCAL
) -> Iterator[Callable[[list[trait_groups.Group]], Test]]:
    """groups -> (block -> tests per group), by the engine of the settings; Hail runs with `memory_gb` at `master`."""
    if settings.engine == "hail":
        from ecgwas.gwas.engines import hail_linear

        def by_hail(groups: list[trait_groups.Group]) -> Test:
            found = hail_linear.HailLinear(groups)
            return lambda block: [of_stats(s, g) for s, g in zip(found.block(block.dosages()), groups, strict=True)]

        with hail_session(threads=threads, memory_gb=memory_gb, master=master):
            yield by_hail
    else:
        torch.set_num_threads(threads)
        yield lambda groups: TorchLinear(groups, settings.dtype).tests


def runs(contigs: list[str]) -> Iterator[tuple[str, int, int]]:
    """Contig, first and last + 1 place of each stretch of equal names."""
    first = 0
    for contig, stretch in itertools.groupby(contigs):
        stop = first + sum(1 for _ in stretch)
        yield contig, first, stop
        first = stop


def trait_table(groups: list[trait_groups.Group], traits: list[str], contig: str | None) -> pl.DataFrame:
    """trait, group, n, df, contig (null: any), yy: what turns t into beta and standard error; reason: why no test."""
    rows = {}
    for group in (g for g in groups if g.name != "joint"):
        reasons = trait_groups.untestable(group.y, group.q.shape[1] + 1 + trait_groups.MIN_PEOPLE)
        n = np.isfinite(group.y).sum(axis=0)
        for k, j in enumerate(group.traits):
            why = (reasons[k] or "too_few") if np.isnan(group.yy[k]) else None
            rows[int(j)] = (traits[j], group.name, int(n[k]), group.df, contig, float(group.yy[k]), why)
    schema = {"trait": pl.String, "group": pl.String, "n": pl.Int32, "df": pl.Int32, "contig": pl.String}
    schema |= {"yy": pl.Float64, "reason": pl.String}
    return pl.DataFrame([rows[j] for j in range(len(traits))], schema=schema, orient="row")


def scan(
    reader: GenotypeReader,
    people: People,
    settings: Gwas,
    make: Callable[[list[trait_groups.Group]], Test],
    path: Path,
) -> tuple[int, list[trait_groups.Group]]:
    """Write the part of the reader's variants to `path`; the number of variants without a test, and the groups."""
    table = reader.variants
    stretches = list(runs(table["contig"].to_list())) if people.loco else [("", 0, table.height)]
    if people.binary:
        return scan_binary.scan(reader, people, settings, stretches, path)
    groups = trait_groups.build(people.on(stretches[0][0]) if stretches else people.y, people.c)
    untested, writer = 0, Writer(path, table, groups, people.traits, settings.block, settings.min_mac)
    for number, (contig, start, stop) in enumerate(stretches):
        if number:
            groups = trait_groups.build(people.on(contig), people.c)
            writer.start(groups)
        test = make(groups)
        for count, block in enumerate(blocks.ahead(reader, settings.block, start, stop), start=1):
            tests = test(block)
            writer.add(block.rows, tests)
            untested += int((np.isnan(tests[0].gg) | rare(tests[0], settings.min_mac)).sum())
            if count % 100 == 0:
                print(f"{block.rows.stop} of {table.height} variants", flush=True)
    writer.close()
    for group in groups:
        print(f"group {group.name}: {len(group.rows)} people, {len(group.traits)} traits", flush=True)
    return untested, groups


def trait_tables(people: People, contigs: list[str]) -> pl.DataFrame:
    """`trait_table` of each of `contigs`, where each has traits of its own."""
    groups = {contig: trait_groups.build(people.on(contig), people.c, axes=False) for contig in contigs}
    return pl.concat(trait_table(made, people.traits, contig) for contig, made in groups.items())


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
    memory_mb: int = 3000,
    master: str = LOCAL,
) -> None:
    """Scan one part of the genome (ordinary least squares with covariates; ALT is the effect allele).

    Part k of `gwas.parts` is the k-th of so many equal spans of the genome, whatever variants there are. With `loco`,
    each chromosome's traits are less their prediction from all other chromosomes. `memory_mb` and `master` are for
    engine hail.

    Args:
        manifest: manifest.json of the genotypes.
        variants: variants.parquet of the genotypes.
        samples: samples.parquet of the genotypes.
        traits: traits.parquet of the model: who is analysed, and their traits.
        covariates: covariates.parquet of the model.
        part: Number of the part of the genome, from 0.
        settings: The `gwas` block of the study.
        sumstats: Written: results of the part, a row per variant.
        traits_out: Written: numbers of people and degrees of freedom of each trait.
        loco: loco.parquet of step 1, where relatives are kept: each chromosome's traits are less its predictions.
        seed: Seed of the permuted traits.
        threads: CPU threads.
        memory_mb: Memory of Hail.
        master: Where Hail runs: local, or the address of a Spark cluster.
    """
    people = read_people(traits, covariates, samples, loco).in_file_order()
    genotypes = json.loads(manifest.read_text())
    table = read_part(variants, genotypes["build"], part, settings.parts)
    reading = GenotypeReader(genotypes, table, people.samples)
    with atomic(sumstats) as path, reading as reader, engine(settings, threads, 0.7 * memory_mb / 1024, master) as make:
        untested, groups = scan(reader, people, settings, make, path)
    if people.binary:
        trait_rows = torch_logistic.trait_table(groups, people.traits)
    else:
        trait_rows = trait_tables(people, contigs_of(variants)) if loco else trait_table(groups, people.traits, None)
    tables.SCAN_TRAITS.write(trait_rows, traits_out)
    print(f"{table.height} variants, {untested} without a test", flush=True)


if __name__ == "__main__":
    run(main)
