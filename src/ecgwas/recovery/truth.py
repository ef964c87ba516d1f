"""The truth of a simulated cohort: planted variants, and the contigs of the polygenic background."""

import json
from pathlib import Path

import polars as pl

from ecgwas.errors import UserError

NEAR_BP = 1_000_000  # a locus farther from a planted variant is not attributed to it


def is_variant(planted: dict) -> pl.Expr:
    """Whether a row is the planted variant, whichever allele is called ALT."""
    alleles = sorted([planted["ref"], planted["alt"]])
    place = (pl.col("contig") == str(planted["contig"])) & (pl.col("position") == planted["position"])
    return place & (pl.concat_list("ref", "alt").list.sort() == alleles)


def is_near(planted: dict, position: str, reach_bp: int = NEAR_BP) -> pl.Expr:
    """Whether a row is within `reach_bp` of the planted variant."""
    return (pl.col("contig") == str(planted["contig"])) & ((pl.col(position) - planted["position"]).abs() <= reach_bp)


def polygenic_contigs(truth: dict) -> list[str]:
    """Contigs with a variant of the polygenic background of any parameter."""
    background = truth.get("polygenic", {}).values()
    return sorted({variant.split(":")[0] for parameter in background for variant in parameter["variant"]})


def read_truth(path: Path) -> dict:
    """The truth of a simulated cohort; raises `UserError` where a planted locus lacks a key."""
    truth = json.loads(path.read_text())
    for locus in truth.get("loci", []):
        missing = {"contig", "position", "ref", "alt", "parameter", "variance_explained"} - set(locus)
        if missing:
            raise UserError(f"{path}: locus {locus} lacks {sorted(missing)}; simulate the cohort again")
    return {"loci": []} | truth
