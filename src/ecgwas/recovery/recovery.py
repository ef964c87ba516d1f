"""Truth of a simulated cohort, loci and credible sets -> which planted loci were found, and what else was."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ecgwas import files
from ecgwas.associations import scan_statistics
from ecgwas.associations.analysed import read_people
from ecgwas.cli import run
from ecgwas.errors import UserError
from ecgwas.genotype_files.variants import VARIANT, read_dosages, read_places
from ecgwas.stats import linear, tails

NEAR_BP = 1_000_000  # a locus farther from a planted variant is not its locus
SETS_BP = 500_000  # credible sets of a locus farther away are of another variant: the background is on the same contigs
LIMIT = -np.log10(5e-8)
TAG_R2 = 0.5  # a lead in less LD with the planted variant has not found it

RECOVERY = {
    "locus": pl.String(),  # contig:position of the planted variant
    "parameter": pl.String(),
    "variance_explained": pl.Float64(),
    "found": pl.Boolean(),
    "lead_distance_bp": pl.Int64(),
    "in_credible_set": pl.Boolean(),
    "best_neg_log10_p": pl.Float64(),  # of the lead; if not found, of the strongest variant with r² >= 0.5
    "lead_r2": pl.Float64(),
    "best_test": pl.String(),
    "credible_set_size": pl.Int64(),  # of the smallest that holds the variant, else of the smallest at the locus
    "n_credible_sets": pl.Int64(),
    "analytic_power": pl.Float64(),
    "maf": pl.Float64(),
}


@dataclass(frozen=True)
class Genotypes:
    """Genotypes of the people analysed, and the basis of their covariates [n, 1 + c] that is projected out."""

    manifest: Path
    variants: pl.DataFrame  # of read_places
    samples: np.ndarray  # [n] positions in the genotype files
    q: np.ndarray


@dataclass(frozen=True)
class Neighbourhood:
    """The variants around one planted variant: their tests, and their r² with it in the people analysed."""

    variants: pl.DataFrame
    tests: list[str]  # joint, then the traits
    p: np.ndarray  # [variant, test] -log10, -inf without a test
    r2: np.ndarray  # [variant]; NaN where the planted variant is not among them


def is_variant(planted: dict) -> pl.Expr:
    """Whether a row is the planted variant, whichever allele is called ALT."""
    alleles = sorted([planted["ref"], planted["alt"]])
    place = (pl.col("contig") == str(planted["contig"])) & (pl.col("position") == planted["position"])
    return place & (pl.concat_list("ref", "alt").list.sort() == alleles)


def is_near(planted: dict, position: str, reach_bp: int = NEAR_BP) -> pl.Expr:
    """Whether a row is within `reach_bp` of the planted variant."""
    return (pl.col("contig") == str(planted["contig"])) & ((pl.col(position) - planted["position"]).abs() <= reach_bp)


def neighbourhood(
    planted: dict, sumstats: list[Path], trait_table: pl.DataFrame, genotypes: Genotypes
) -> Neighbourhood:
    """Tests and LD around one planted variant."""
    traits = trait_table["trait"].to_list()
    columns = [*VARIANT, "joint_neg_log10_p", *(f"t:{name}" for name in traits)]
    parts = [pl.scan_parquet(path).filter(is_near(planted, "position")).select(columns) for path in sumstats]
    table = pl.concat(parts).collect()
    t = table.select(pl.col(columns[5:]).cast(pl.Float64).fill_null(float("nan"))).to_numpy().reshape(len(table), -1)
    joint = table["joint_neg_log10_p"].fill_null(float("nan")).to_numpy()
    p = np.column_stack([joint, tails.from_t(t, scan_statistics.degrees(trait_table))])
    return Neighbourhood(
        table, ["joint", *traits], np.where(np.isnan(p), -np.inf, p), r2_with(planted, table, genotypes)
    )


def r2_with(planted: dict, table: pl.DataFrame, genotypes: Genotypes) -> np.ndarray:
    """r² [variant] of the rows of `table` with the planted variant, covariates projected out; NaN if it is absent."""
    row = table.select(is_variant(planted).arg_true()).to_series().to_list()
    if not row:
        return np.full(len(table), np.nan)
    dosages = read_dosages(genotypes.manifest, genotypes.variants, table, genotypes.samples)
    residuals = linear.unit_residuals(dosages, genotypes.q)
    return np.minimum((residuals @ residuals[row[0]]) ** 2, 1)


def leads(loci: pl.DataFrame, around: Neighbourhood) -> list[tuple[int, int]]:
    """(variant, test) of the strongest variant of each significant test within each of `loci`, strongest first."""
    found = []
    position = around.variants["position"].to_numpy()
    for locus in loci.iter_rows(named=True):
        inside = np.flatnonzero((position >= locus["start"]) & (position <= locus["end"]))
        for test, name in enumerate(around.tests):
            if len(inside) and (name == "joint" or name in locus["significant_traits"]):
                top = int(inside[around.p[inside, test].argmax()])
                found += [(top, test)] if around.p[top, test] > LIMIT else []
    return sorted(found, key=lambda lead: -around.p[lead])


def recovered(planted: dict, loci: pl.DataFrame, around: Neighbourhood) -> dict[str, Any]:
    """Whether the lead of the joint test or of a significant trait has r² >= 0.5 with the planted variant, and which.

    p < 5e-8 in any case; what else a single trait must pass, the loci table says.
    """
    candidates = leads(loci, around)
    tagging = [lead for lead in candidates if around.r2[lead[0]] >= TAG_R2]
    row: dict[str, Any] = {"found": bool(tagging), "lead_distance_bp": None, "lead_r2": None, "best_test": None}
    if candidates:
        variant, test = (tagging or candidates)[0]
        row["lead_distance_bp"] = abs(around.variants["position"][variant] - planted["position"])
        row["lead_r2"] = float(around.r2[variant]) if np.isfinite(around.r2[variant]) else None
        row["best_test"], row["best_neg_log10_p"] = around.tests[test], float(around.p[variant, test])
    if not tagging:
        row |= strongest_tag(around)
    return row


def strongest_tag(around: Neighbourhood) -> dict[str, Any]:
    """-log10 p and test of the strongest variant with r² >= 0.5; nulls where the planted variant is not in the scan."""
    tags = around.p[np.nan_to_num(around.r2) >= TAG_R2]
    if not np.isfinite(tags).any():
        return {"best_neg_log10_p": None, "best_test": None}
    return {"best_neg_log10_p": float(tags.max()), "best_test": around.tests[int(tags.max(axis=0).argmax())]}


def sets_near(planted: dict, loci: pl.DataFrame, credible_sets: pl.DataFrame, pips: pl.DataFrame) -> pl.DataFrame:
    """Credible sets of the `loci` within 500 kb, with whether the planted variant is in the set (`holds`) and
    whether the set is of the strongest test of its locus (`leading`).
    """
    key = ["region", "trait", "cs"]
    members = pips.filter(is_variant(planted) & (pl.col("cs") > 0)).select(*key, holds=pl.lit(True))
    mine = loci.filter(is_near(planted, "lead_position", SETS_BP)).select("locus", "lead_test")
    near = credible_sets.join(mine, on="locus", maintain_order="left")
    return near.join(members, on=key, how="left", maintain_order="left").with_columns(
        pl.col("holds").fill_null(False), leading=pl.col("trait") == pl.col("lead_test")
    )


def recovery_table(
    truth: dict, loci: pl.DataFrame, sets: list[pl.DataFrame], around: list[Neighbourhood]
) -> pl.DataFrame:
    """One row a planted locus; `sets` and `around` are in the order of the truth's loci."""
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
    return pl.DataFrame(rows, schema=RECOVERY) if rows else pl.DataFrame(schema=RECOVERY)


def polygenic_contigs(truth: dict) -> list[str]:
    """Contigs that hold a variant of the polygenic background of any parameter."""
    background = truth.get("polygenic", {}).values()
    return sorted({variant.split(":")[0] for parameter in background for variant in parameter["variant"]})


def false_loci(truth: dict, loci: pl.DataFrame) -> dict[str, int]:
    """Loci on null chromosomes, and loci anywhere that neither a planted variant nor the background can explain."""
    null = pl.col("contig").is_in([str(contig) for contig in truth.get("null_chromosomes", [])])
    explained = pl.col("contig").is_in(polygenic_contigs(truth))
    for planted in truth["loci"]:
        explained |= is_near(planted, "lead_position")
    return {
        "false_loci_null_chromosomes": loci.filter(null).height,
        "false_loci": loci.filter(~explained).height,
    }


def coverage(name: str, sets: pl.DataFrame) -> dict[str, Any]:
    """How many sets, how many hold their planted variant, their share, and the median size."""
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


def read_truth(path: Path) -> dict:
    """The truth of a simulated cohort; raises `UserError` where a planted locus lacks a key."""
    truth = json.loads(path.read_text())
    for locus in truth.get("loci", []):
        lacking = {"contig", "position", "ref", "alt", "parameter", "variance_explained"} - set(locus)
        if lacking:
            raise UserError(f"{path}: locus {locus} lacks {sorted(lacking)}; simulate the cohort again")
    return {"loci": []} | truth


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
    """Compare what was found by `model` with what was planted: a table of planted loci (TSV) and a summary (JSON).

    Args:
        truth: truth.json of the simulated cohort.
        loci: loci.parquet of the model's scan.
        sumstats: The scan's sumstats/part-*.parquet, in order.
        trait_table: sumstats/traits-000.parquet: what was scanned of each trait.
        credible_sets: credible_sets.parquet of the fine-mapping.
        pips: variants.parquet of the fine-mapping.
        calibration: calibration.parquet of the scan.
        manifest: manifest.json of the genotypes.
        variants: variants.parquet of the genotypes.
        samples: samples.parquet of the genotypes.
        traits: traits.parquet of the model: who is analysed, and their traits.
        covariates: covariates.parquet of the model.
        model: Name of the model.
        recovery: Written: a row per planted locus (TSV).
        summary: Written: how many were found (JSON).
    """
    known, people = read_truth(truth), read_people(traits, covariates, samples)
    scanned = pl.read_parquet(trait_table).unique("trait", keep="first", maintain_order=True)
    genotypes = Genotypes(manifest, read_places(variants), people.samples, linear.orthonormal(people.c))
    found, mapped, posterior = pl.read_parquet(loci), pl.read_parquet(credible_sets), pl.read_parquet(pips)
    around = [neighbourhood(planted, sumstats, scanned, genotypes) for planted in known["loci"]]
    sets = [sets_near(p, found, mapped, posterior) for p in known["loci"]]
    nothing = sets_near({"contig": "", "position": 0, "ref": "", "alt": ""}, found, mapped, posterior)
    table = recovery_table(known, found, sets, around)
    told = pl.concat([nothing, *sets])
    whole = {"model": model} | summarise(known, table, found, told, pl.read_parquet(calibration))
    with files.atomic(recovery) as temporary:
        table.write_csv(temporary, separator="\t")
    files.write_json(whole, summary)
    print(f"{model}: {whole['n_found']} of {whole['n_planted']} planted loci found", flush=True)


if __name__ == "__main__":
    run(main)
