"""Loci, sumstats -> the leads tested again by Hail: how far its numbers are from the scan's."""

from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import tables
from ecgwas.associations import scan_statistics
from ecgwas.associations.analysed import People, read_people
from ecgwas.cli import run
from ecgwas.config import Gwas
from ecgwas.genotype_files.reader import GenotypeReader
from ecgwas.genotype_files.variants import VARIANT, read_variants
from ecgwas.gwas import crosscheck_binary, trait_groups
from ecgwas.gwas.engines import hail_regression
from ecgwas.gwas.engines.torch_linear import TorchLinear
from ecgwas.gwas.scan import t_values
from ecgwas.hail_session import hail_session

WITHOUT_LOCI = 10  # variants checked where there is no locus
TOLERANCE = {"float32": 1e-3, "float64": 1e-5}  # in standard errors; t is stored in float32


def chosen(scan: scan_statistics.Scan, loci: pl.DataFrame) -> np.ndarray:
    """Rows of the scan of each lead; without any, of the variants with the largest joint statistic."""
    table = scan.variants.with_row_index("row")
    if loci.height:
        keys = loci.select("contig", position="lead_position", ref="lead_ref", alt="lead_alt")
        return table.join(keys, on=VARIANT, how="semi")["row"].to_numpy()
    by = "joint_neg_log10_p"
    if not table[by].count():  # 0/1 traits have no joint test
        table = table.with_columns(pl.Series(by, np.nan_to_num(np.abs(scan.t)).max(axis=1)))
    tested = table.filter(pl.col("reason").is_null())
    strongest = tested.sort(by, "row", descending=[True, False], nulls_last=True)
    return strongest.head(WITHOUT_LOCI)["row"].sort().to_numpy()


def as_scanned(scan: scan_statistics.Scan, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """beta and standard error [V, T] of the scan's `rows`."""
    return scan_statistics.effects(scan.t_at(rows), scan.gg(rows), scan.yy(rows), scan.df)


def without_predictions(
    dosage: np.ndarray, groups: list[trait_groups.Group], n_traits: int, dtype: str
) -> tuple[np.ndarray, np.ndarray]:
    """beta and standard error [V, T] of the scan's engine on `dosage` [V, person], the traits as they are."""
    beta, se = np.full((2, len(dosage), n_traits), np.nan)
    for group, correlations in zip(groups, TorchLinear(groups, dtype, "cpu").block(dosage), strict=True):
        if group.name != "joint" and len(group.traits):
            t = t_values(correlations.r, group.df)
            beta[:, group.traits], se[:, group.traits] = scan_statistics.effects(
                t, correlations.gg[:, None], group.yy, group.df
            )
    return beta, se


def in_hail(dosage: np.ndarray, people: People, groups: list[trait_groups.Group]) -> tuple[np.ndarray, np.ndarray]:
    """beta and standard error [V, T] of every trait in Hail, in the people of its group."""
    members = [group.traits.tolist() for group in groups if group.name != "joint" and len(group.traits)]
    return hail_regression.linear(dosage, people.y, people.c, members)


def finish(
    scan: scan_statistics.Scan, rows: np.ndarray, apart: dict[str, np.ndarray], worst: float, limit: float, path: Path
) -> None:
    """Write the differences [V] of each kind; raises where the worst is beyond `limit`."""
    tables.CROSSCHECK.write(scan.variants[rows].select(*VARIANT, "rsid").with_columns(**apart), path)
    print(f"{len(rows)} variants x {len(scan.names)} traits: largest difference to Hail {worst:.2g} SE", flush=True)
    if worst > limit:
        raise RuntimeError(f"the scan and Hail differ by {worst:.2g} SE at a lead; see {path}")


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
    master: str = "local",
) -> None:
    """Every lead again with linear_regression_rows: largest |difference of beta|/SE and |difference of SE|/SE.

    Hail knows no offset: where relatives are kept (`loco`), both sides test the traits as they are.

    Args:
        loci: loci.parquet of the model's scan.
        sumstats: The scan's sumstats/part-*.parquet, in order.
        trait_table: sumstats/traits-000.parquet: what was scanned of each trait.
        manifest: manifest.json of the genotypes.
        variants: variants.parquet of the genotypes.
        samples: samples.parquet of the genotypes.
        traits: traits.parquet of the model: who is analysed, and their traits.
        covariates: covariates.parquet of the model.
        settings: The `gwas` block of the study.
        crosscheck: Written: a row per lead variant and trait, with both results.
        loco: loco.parquet of step 1, where relatives are kept: each chromosome's traits are less its predictions.
        threads: CPU threads.
        memory_mb: Memory of Hail.
        master: Where Hail runs: local, or the address of a Spark cluster.
    """
    scan, people = scan_statistics.read_scan(sumstats, trait_table), read_people(traits, covariates, samples)
    rows = chosen(scan, tables.LOCI.read(loci))
    wanted = scan_statistics.same_rows(read_variants(variants), scan.variants)[rows]
    with GenotypeReader(manifest, wanted, people.samples) as reader:
        dosage = reader.read(slice(None))
    if people.binary:
        with hail_session(threads=threads, memory_gb=0.7 * memory_mb / 1024, master=master):
            apart = crosscheck_binary.compare(dosage, people, scan.t[rows], tables.LOCI.read(loci), settings)
        strict = max(apart[name].max(initial=0) for name in apart if name != "scan_difference")
        finish(scan, rows, apart, strict, crosscheck_binary.TOLERANCE, crosscheck)
        return
    groups = trait_groups.build(people.y, people.c)
    if loco is None:
        beta, se = as_scanned(scan, rows)
    else:
        beta, se = without_predictions(dosage, groups, len(people.traits), settings.dtype)
    with hail_session(threads=threads, memory_gb=0.7 * memory_mb / 1024, master=master):
        theirs, their_se = in_hail(dosage, people, groups)
    by_beta, by_se = np.abs(beta - theirs) / their_se, np.abs(se - their_se) / their_se
    apart = {"beta_difference": by_beta, "se_difference": by_se}
    apart = {name: np.nanmax(value, axis=1, initial=0) for name, value in apart.items()}
    worst = max(value.max(initial=0) for value in apart.values())
    finish(scan, rows, apart, worst, TOLERANCE[settings.dtype], crosscheck)


if __name__ == "__main__":
    run(main)
