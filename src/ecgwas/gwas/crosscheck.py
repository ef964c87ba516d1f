"""Loci, sumstats -> the leads tested again by Hail: how far its numbers are from the scan's."""

from pathlib import Path

import numpy as np
import polars as pl

from ecgwas.cli import run
from ecgwas.config import Gwas
from ecgwas.files import write_parquet
from ecgwas.genotypes.reader import GenotypeReader
from ecgwas.gwas import engine_hail, inputs
from ecgwas.gwas import groups as grouping
from ecgwas.gwas.scan import runs
from ecgwas.hail_session import hail_session

WITHOUT_LOCI = 10  # variants checked where there is no locus
TOLERANCE = {"float32": 1e-3, "float64": 1e-5}  # in standard errors; t is stored in float32


def chosen(scan: inputs.Scan, loci: pl.DataFrame) -> np.ndarray:
    """Rows of the scan of each lead; without any, of the variants with the largest joint statistic."""
    table = scan.variants.with_row_index("row")
    if loci.height:
        keys = loci.select("contig", position="lead_position", ref="lead_ref", alt="lead_alt")
        return table.join(keys, on=inputs.VARIANT, how="semi")["row"].to_numpy()
    tested = table.filter(pl.col("reason").is_null())
    strongest = tested.sort("joint_neg_log10_p", "row", descending=[True, False], nulls_last=True)
    return strongest.head(WITHOUT_LOCI)["row"].sort().to_numpy()


def differences(
    scan: inputs.Scan, rows: np.ndarray, dosage: np.ndarray, groups: list[grouping.Group]
) -> tuple[np.ndarray, np.ndarray]:
    """|difference of beta| and of SE, in Hail's SE [V, T]: the scan's `rows` against Hail on `dosage` [V, person]."""
    beta, se = inputs.effects(scan.t[rows], scan.gg()[rows], scan.yy(rows), scan.traits["df"].to_numpy())
    by_beta, by_se = np.full(beta.shape, np.nan), np.full(beta.shape, np.nan)
    for group in groups:
        if group.name == "joint" or not len(group.traits):
            continue
        theirs, their_se = engine_hail.regress(dosage[:, group.rows], group.y, group.c)
        by_beta[:, group.traits] = np.abs(beta[:, group.traits] - theirs) / their_se
        by_se[:, group.traits] = np.abs(se[:, group.traits] - their_se) / their_se
    return by_beta, by_se


def main(
    loci: Path,
    sumstats: list[Path],
    trait_table: Path,
    manifest: Path,
    variants: Path,
    samples: Path,
    traits: Path,
    covariates: Path,
    settings: Gwas,
    crosscheck: Path,
    loco: Path | None = None,
    threads: int = 1,
    memory_mb: int = 2048,
) -> None:
    """Every lead again with linear_regression_rows: largest |difference of beta|/SE and |difference of SE|/SE."""
    scan, people = inputs.read_scan(sumstats, trait_table), inputs.read_people(traits, covariates, samples, loco)
    rows = chosen(scan, pl.read_parquet(loci))
    wanted = inputs.same_rows(inputs.read_variants(variants), scan.variants)[rows]
    with GenotypeReader(manifest, wanted, people.samples) as reader:
        dosage = reader.read(slice(None))
    with hail_session(threads=threads, memory_gb=0.7 * memory_mb / 1024):
        by_beta, by_se = np.full((2, len(rows), len(people.traits)), np.nan)
        at = scan.variants["contig"].gather(rows).to_list()
        for contig, first, last in [("", 0, len(rows))] if loco is None else runs(at):
            groups, part = grouping.build(people.on(contig), people.c), slice(first, last)
            by_beta[part], by_se[part] = differences(scan, rows[part], dosage[part], groups)
    table = (
        scan.variants[rows]
        .select(*inputs.VARIANT, "rsid")
        .with_columns(
            beta_difference=np.nanmax(by_beta, axis=1, initial=0), se_difference=np.nanmax(by_se, axis=1, initial=0)
        )
    )
    write_parquet(table, crosscheck)
    worst = max(table["beta_difference"].max() or 0.0, table["se_difference"].max() or 0.0)
    print(f"{len(rows)} variants x {len(people.traits)} traits: largest difference to Hail {worst:.2g} SE", flush=True)
    if worst > TOLERANCE[settings.dtype]:
        raise RuntimeError(f"the scan and Hail differ by {worst:.2g} SE at a lead; see {crosscheck}")


if __name__ == "__main__":
    run(main)
