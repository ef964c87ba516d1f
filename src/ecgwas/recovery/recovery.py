"""Truth of a simulated cohort, loci and credible sets -> planted loci found, and false loci."""

from pathlib import Path
from typing import Any

import polars as pl

from ecgwas import files, tables
from ecgwas.associations.analysed import read_people
from ecgwas.cli import run
from ecgwas.genotype_files.variants import read_places
from ecgwas.recovery.matching import recovered, sets_near
from ecgwas.recovery.neighbourhood import Genotypes, Neighbourhood, neighbourhood
from ecgwas.recovery.truth import is_near, polygenic_contigs, read_truth
from ecgwas.stats import linear


def recovery_table(
    truth: dict, loci: pl.DataFrame, sets: list[pl.DataFrame], around: list[Neighbourhood]
) -> pl.DataFrame:
    """One row per planted locus; `sets` and `around` are in the order of the truth's loci."""
    rows = []
    for planted, mine, region in zip(truth["loci"], sets, around, strict=True):
        holding = mine.filter("holds") if mine["holds"].any() else mine
        row = {
            "locus": f"{planted['contig']}:{planted['position']}",
            "parameter": planted["parameter"],
            "variance_explained": planted["variance_explained"],
            "in_credible_set": bool(mine["holds"].any()),
            "credible_set_size": holding["size"].min(),
            "n_credible_sets": mine.height,
            "analytic_power": planted.get("power"),
            "maf": planted.get("maf"),
        }
        rows.append(row | recovered(planted, loci.filter(is_near(planted, "lead_position")), region))
    return tables.RECOVERY.from_rows(rows)


def false_loci(truth: dict, loci: pl.DataFrame) -> dict[str, int]:
    """Loci on null chromosomes, and loci that neither a planted variant nor the polygenic background explains."""
    null = pl.col("contig").is_in([str(contig) for contig in truth.get("null_chromosomes", [])])
    explained = pl.col("contig").is_in(polygenic_contigs(truth))
    for planted in truth["loci"]:
        explained |= is_near(planted, "lead_position")
    return {
        "false_loci_null_chromosomes": loci.filter(null).height,
        "false_loci": loci.filter(~explained).height,
    }


def coverage(name: str, sets: pl.DataFrame) -> dict[str, Any]:
    """Number of sets, number and share that contain their planted variant, and median size."""
    return {
        f"n_{name}s": sets.height,
        f"n_{name}s_holding": int(sets["holds"].sum()),
        f"{name}_coverage": sets["holds"].mean(),
        f"median_{name}_size": sets["size"].median(),
    }


def summarise(
    truth: dict, table: pl.DataFrame, loci: pl.DataFrame, sets: pl.DataFrame, calibration: pl.DataFrame
) -> dict:
    """Counts over planted loci, false loci, coverage and size of their credible sets, mean λGC on null chromosomes."""
    mean = calibration.filter((pl.col("trait") == "mean") & (pl.col("variants") == "null") & (pl.col("mac") == "any"))
    of = (
        dict(zip(("lambda_gc", "low", "high"), (None,) * 3, strict=True))
        if mean.is_empty()
        else mean.row(0, named=True)
    )
    return {
        "n_planted": table.height,
        "n_found": int(table["found"].sum()),
        **false_loci(truth, loci),
        **coverage("credible_set", sets),
        **coverage("leading_credible_set", sets.filter("leading")),
        "mean_lambda_gc_null": of["lambda_gc"],
        "mean_lambda_gc_null_low": of["low"],
        "mean_lambda_gc_null_high": of["high"],
    }


def main(
    truth: Path,
    loci: Path,
    sumstats: list[Path],
    trait_table: Path,
    credible_sets: Path,
    pips: Path,
    calibration: Path,
    manifest: Path,
    variants: Path,
    samples: Path,
    traits: Path,
    covariates: Path,
    model: str,
    recovery: Path,
    summary: Path,
) -> None:
    """Compare the loci of `model` with the planted ones: a table of planted loci (TSV) and a summary (JSON).

    Args:
        truth: truth.json of the simulated cohort.
        loci: loci.parquet of the model's scan.
        sumstats: The scan's sumstats/part-*.parquet, in order.
        trait_table: sumstats/traits-000.parquet: the traits scanned.
        credible_sets: credible_sets.parquet of the fine-mapping.
        pips: variants.parquet of the fine-mapping.
        calibration: calibration.parquet of the scan.
        manifest: manifest.json of the genotypes.
        variants: variants.parquet of the genotypes.
        samples: samples.parquet of the genotypes.
        traits: traits.parquet of the model: who is analysed, and their traits.
        covariates: covariates.parquet of the model.
        model: Name of the model.
        recovery: Written: one row per planted locus (TSV).
        summary: Written: counts of planted loci found and of false loci (JSON).
    """
    known, people = read_truth(truth), read_people(traits, covariates, samples)
    scanned = tables.SCAN_TRAITS.read(trait_table).unique("trait", keep="first", maintain_order=True)
    genotypes = Genotypes(manifest, read_places(variants), people.samples, linear.orthonormal(people.c))
    found, mapped = tables.LOCI.read(loci), tables.CREDIBLE_SETS.read(credible_sets)
    posterior = tables.FINEMAP_VARIANTS.read(pips)
    around = [neighbourhood(planted, sumstats, scanned, genotypes) for planted in known["loci"]]
    sets = [sets_near(p, found, mapped, posterior) for p in known["loci"]]
    nothing = sets_near({"contig": "", "position": 0, "ref": "", "alt": ""}, found, mapped, posterior)
    table = recovery_table(known, found, sets, around)
    every_set = pl.concat([nothing, *sets])
    counts = {"model": model} | summarise(known, table, found, every_set, tables.CALIBRATION.read(calibration))
    with files.atomic(recovery) as temporary:
        table.write_csv(temporary, separator="\t")
    files.write_json(counts, summary)
    print(f"{model}: {counts['n_found']} of {counts['n_planted']} planted loci found", flush=True)


if __name__ == "__main__":
    run(main)
