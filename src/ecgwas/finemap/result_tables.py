"""Fine-mapped regions -> rows of the three tables, written region by region."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import tables
from ecgwas.finemap.mapping import Mapped, Result
from ecgwas.finemap.regions import Region
from ecgwas.genotype_files.variants import VARIANT


def set_rows(region: Region, result: Result) -> Iterator[dict]:
    """Rows of CREDIBLE_SETS."""
    nearest = region.nearest()
    for number, credible_set in enumerate(result.sets, start=result.first_set):
        row = int(result.rows[credible_set.lead])
        lead = region.variants.row(row, named=True)
        yield {
            "region": region.span.name,
            "locus": region.span.loci[nearest[row]]["locus"],
            "trait": result.trait,
            "cs": number,
            "size": len(credible_set.variants),
            "coverage": credible_set.coverage,
            "min_abs_corr": credible_set.min_abs_corr,
            "mean_abs_corr": credible_set.mean_abs_corr,
            "log10_bf": credible_set.log_bf / np.log(10),
            "lead": ":".join(str(lead[name]) for name in VARIANT),
            "converged": result.converged,
        }


def variant_rows(region: Region, result: Result) -> pl.DataFrame:
    """Rows of FINEMAP_VARIANTS; the PIP of a variant that does not vary in the analysed people is null."""
    pip, cs = np.full(region.variants.height, np.nan), np.zeros(region.variants.height, np.int32)
    pip[result.rows] = result.pip
    for number, credible_set in reversed(list(enumerate(result.sets, start=result.first_set))):
        cs[result.rows[credible_set.variants]] = number
    columns = {"pip": pip, "cs": cs, "neg_log10_p": result.neg_log10_p, "lead_r2": result.lead_r2}
    names = np.array([locus["locus"] for locus in region.span.loci])[region.nearest()]
    head = region.variants.select(
        pl.lit(region.span.name).alias("region"),
        pl.Series("locus", names.tolist(), pl.String),
        pl.lit(result.trait).alias("trait"),
        *VARIANT,
        "rsid",
    )
    table = head.with_columns(pl.Series(k, v, nan_to_null=True) for k, v in columns.items())
    return tables.FINEMAP_VARIANTS.typed(table[result.covered])


def diagnostic_row(region: Region, mapped: Mapped) -> dict:
    """A row of LD_DIAGNOSTICS."""
    head = {"region": region.span.name, "locus": mapped.locus, "trait": mapped.trait, "reason": mapped.reason}
    result = mapped.result
    if result is None:
        return head | {"n_variants": 0} | dict.fromkeys(("n", "iterations", "converged", "min_eigenvalue"))
    return head | {
        "n_variants": len(result.rows),
        "n": result.n,
        "iterations": result.iterations,
        "converged": result.converged,
        "min_eigenvalue": result.min_eigenvalue,
    }


def region_tables(region: Region, mapped: list[Mapped]) -> list[pl.DataFrame]:
    """Credible sets, variants and diagnostics of one region; a result that several loci share is written once."""
    results = list({id(one.result): one.result for one in mapped if one.result is not None}.values())
    sets = [row for result in results for row in set_rows(region, result)]
    variants = pl.concat([tables.FINEMAP_VARIANTS.empty(), *(variant_rows(region, result) for result in results)])
    return [
        tables.CREDIBLE_SETS.from_rows(sets),
        variants,
        tables.LD_DIAGNOSTICS.from_rows(diagnostic_row(region, one) for one in mapped),
    ]


def stream(regions: Iterator[list[pl.DataFrame]], paths: list[Path]) -> None:
    """Write three tables as their regions come, a row group each; without a region they are empty."""
    written = (tables.CREDIBLE_SETS, tables.FINEMAP_VARIANTS, tables.LD_DIAGNOSTICS)
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(table.writer(path)) for table, path in zip(written, paths, strict=True)]
        for parts in regions:
            for writer, part in zip(writers, parts, strict=True):
                writer.write(part)
