"""Positions of common SNPs -> whether genotypes are of the build that their configuration names.

`common_snps.tsv`: rs number, contig and position in GRCh37 and GRCh38 of common SNPs of 1000 Genomes, about 100 on each
autosome (docs/decisions/0018).
"""

from importlib import resources

import polars as pl

from ecgwas.errors import UserError
from ecgwas.genotype_files import contigs

ENOUGH_NAMED = 2  # SNPs that must be found by rs number
ENOUGH_PLACES = 20  # SNPs whose place must hold some variant, where there are no rs numbers
SHARE = 0.8  # of those found in one build only


def common_snps() -> pl.DataFrame:
    """rsid, contig, GRCh37, GRCh38."""
    with resources.as_file(resources.files("ecgwas.genotype_files") / "common_snps.tsv") as path:
        types = {"contig": pl.String, "grch37": pl.Int32, "grch38": pl.Int32}
        table = pl.read_csv(path, separator="\t", schema_overrides=types)
    return table.rename({"grch37": "GRCh37", "grch38": "GRCh38"})


def by_name(variants: pl.DataFrame, known: pl.DataFrame) -> dict[str, int]:
    """Build -> variants whose rs number's position it is."""
    names = variants.select("contig", "position", rsid=pl.col("rsid").str.extract(r"^(rs\d+)(?:$|[:;,_])"))
    found = known.join(names.drop_nulls("rsid"), on=["rsid", "contig"])
    return {build: int((found[build] == found["position"]).sum()) for build in contigs.OTHER}


def by_place(variants: pl.DataFrame, known: pl.DataFrame) -> dict[str, int]:
    """Build -> common SNPs at whose position there is some variant."""
    found = {}
    for build in contigs.OTHER:
        places = known.select("contig", pl.col(build).alias("position"))
        found[build] = places.join(variants.select("contig", "position"), on=["contig", "position"], how="semi").height
    return found


def check(variants: pl.DataFrame, build: str, where: str) -> None:
    """Common SNPs must lie where `build` has them; says of how many that is known.

    They are known by rs number; where no variant has a known one, by their places: a file of dense variants has one at
    most places of its own build, and at few of the other's. Raises a UserError that names the build that fits.
    """
    known = common_snps()
    named = by_name(variants, known)
    found, how, enough = (
        (named, "rs numbers", ENOUGH_NAMED)
        if sum(named.values())
        else (by_place(variants, known), "places of common SNPs", ENOUGH_PLACES)
    )
    other = contigs.OTHER[build]
    if found[other] >= enough and found[other] >= SHARE * sum(found.values()):
        raise UserError(
            f"{where}: positions are of {other}, not {build}: of {sum(found.values())} common SNPs known by {how},"
            f" {found[other]} lie where {other} has them, {found[build]} where {build} has them; set `build: {other}`"
            " under `genotypes` of the cohort, or lift the files over"
        )
    if found[build] < enough or found[build] < SHARE * sum(found.values()):
        print(f"build {build}: not checked, the files hold {found[build]} common SNPs known by {how}", flush=True)
    else:
        print(f"build {build}: {found[build]} common SNPs known by {how} lie where it has them", flush=True)
