"""Loci, association statistics and genotypes -> credible sets and posterior inclusion probabilities."""

import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import polars as pl

from ecgwas import tables
from ecgwas.cli import run
from ecgwas.config import Finemap
from ecgwas.errors import UserError
from ecgwas.finemap import ld, mapping, regions, result_tables

Item, Made = TypeVar("Item"), TypeVar("Made")


def check_scan(cohort: ld.Cohort, trait_table: Path) -> None:
    """Raise `UserError` unless the scan was made of these traits in these people."""
    listed = tables.SCAN_TRAITS.read(trait_table, ["trait", "df", "n"])
    scanned = {trait: df or n for trait, df, n in listed.rows()}
    groups = {trait: cohort.group_of(trait) for trait in cohort.people.traits}
    analysed = {trait: len(g.rows) if cohort.people.binary else g.df for trait, g in groups.items()}
    if scanned != analysed:
        differ = sorted(set(scanned.items()) ^ set(analysed.items()))[0][0]
        raise UserError(
            f"{trait_table}: trait {differ} was scanned in other people than the traits table has; rerun the gwas stage"
        )


def in_order(make: Callable[[Item], Made], items: Iterable[Item], threads: int) -> Iterator[Made]:
    """`make` of each item, in order, `threads` at a time; no more results than that wait to be taken."""
    waiting: deque[Future] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            waiting.append(pool.submit(make, item))
            if len(waiting) == threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def summary(region: regions.Region, mapped: list[mapping.Mapped]) -> str:
    """One line per region: its loci, and the sizes of each test's credible sets or why it was not mapped."""
    tests = [
        f"{one.locus} {one.trait} {one.reason or [len(found.variants) for found in one.result.sets]}" for one in mapped
    ]
    return f"{region.span.name}: {region.variants.height} variants; sizes of credible sets: {', '.join(tests)}"


def main(
    loci: Path,
    sumstats: list[Path],
    trait_table: Path,
    manifest: Path,
    variants: Path,
    samples: Path,
    traits: Path,
    covariates: Path,
    settings: Finemap,
    credible_sets: Path,
    pips: Path,
    diagnostics: Path,
    loco: Path | None = None,
    threads: int = 1,
) -> None:
    """Fine-map each region of loci, `threads` at a time; what is in memory does not grow with their number.

    Args:
        loci: loci.parquet of the model's scan.
        sumstats: The scan's sumstats/part-*.parquet, in order.
        trait_table: sumstats/traits-000.parquet: what was scanned of each trait.
        manifest: manifest.json of the genotypes.
        variants: variants.parquet of the genotypes.
        samples: samples.parquet of the genotypes.
        traits: traits.parquet of the model: who is analysed, and their traits.
        covariates: covariates.parquet of the model.
        settings: The `finemap` block of the study.
        credible_sets: Written: the credible sets.
        pips: Written: posterior inclusion probabilities of the variants in sets.
        diagnostics: Written: how well the LD matrix fits the z scores of each region.
        loco: loco.parquet of step 1, where relatives are kept: each chromosome's traits are less its predictions.
        threads: CPU threads; as many regions at a time.
    """
    cohort = ld.open_cohort(manifest, variants, samples, traits, covariates, loco)
    check_scan(cohort, trait_table)
    on = functools.lru_cache(maxsize=2)(cohort.on)

    def one(span: regions.Span) -> list[pl.DataFrame]:
        region = regions.read_region(span, sumstats, cohort, settings)
        mapped = mapping.map_region(region, on(span.contig), settings)
        print(summary(region, mapped), flush=True)
        return result_tables.region_tables(region, mapped)

    spans = regions.spans(tables.LOCI.read(loci).to_dicts(), settings.window_bp)
    result_tables.stream(in_order(one, spans, threads), [credible_sets, pips, diagnostics])


if __name__ == "__main__":
    run(main)
