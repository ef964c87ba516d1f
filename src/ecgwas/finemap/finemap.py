"""Loci, association statistics and genotypes -> credible sets and posterior inclusion probabilities."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import files
from ecgwas import tables as schemas
from ecgwas.cli import run
from ecgwas.config import Finemap
from ecgwas.errors import UserError
from ecgwas.finemap import ld
from ecgwas.finemap.joint import shared_effect
from ecgwas.finemap.sets import CredibleSet, credible_sets
from ecgwas.finemap.susie import adjusted_z, susie
from ecgwas.gwas import groups as grouping
from ecgwas.gwas import inputs, tails

JOINT = "joint"


@dataclass(frozen=True)
class Region:
    """The variants around one lead with their t statistics and dosages."""

    locus: dict  # a row of the loci table
    variants: pl.DataFrame  # contig, position, ref, alt, rsid, joint_neg_log10_p, t:{trait}
    dosages: np.ndarray  # [variant, person], NaN missing

    def t(self, traits: list[str]) -> np.ndarray:
        """t statistics [trait, variant]; NaN where the variant had no test."""
        return (
            self.variants.select(pl.col([f"t:{t}" for t in traits]).fill_null(float("nan"))).to_numpy().T.astype(float)
        )

    def lead(self) -> int:
        """Row of the locus lead."""
        row = self.locus
        mine = (pl.col("position") == row["lead_position"]) & (pl.col("ref") == row["lead_ref"])
        return int(self.variants.select((mine & (pl.col("alt") == row["lead_alt"])).arg_max()).item())


@dataclass(frozen=True)
class Panel:
    """Linkage disequilibrium of a region in the people of one group of traits."""

    used: np.ndarray  # rows of the region that are fine-mapped: tested, with variance
    residuals: np.ndarray  # [used, person] unit length, covariates projected out
    R: np.ndarray  # [used, used]
    lead_r2: np.ndarray  # [variant] of the region, with the locus lead
    n: int
    min_eigenvalue: float


@dataclass(frozen=True)
class Result:
    """One trait of one locus, fine-mapped."""

    trait: str
    panel: Panel
    pip: np.ndarray  # [used]
    sets: list[CredibleSet]  # rows of `used`
    iterations: int
    converged: bool
    neg_log10_p: np.ndarray  # [variant] of the region


def read_region(locus: dict, sumstats: list[Path], cohort: ld.Cohort, window_bp: int) -> Region:
    """Variants within `window_bp` of the lead, in genome order."""
    centre = locus["lead_position"]
    near = (pl.col("contig") == locus["contig"]) & pl.col("position").is_between(centre - window_bp, centre + window_bp)
    columns = [*inputs.VARIANT, "rsid", "joint_neg_log10_p", *(f"t:{trait}" for trait in cohort.people.traits)]
    variants = pl.concat([pl.scan_parquet(path).filter(near).select(columns) for path in sumstats]).collect()
    if not len(variants):
        raise UserError(f"{sumstats[0]}: no variant near locus {locus['locus']}; rerun the gwas stage")
    return Region(locus, variants, ld.read_dosages(cohort, variants))


def make_panel(region: Region, group: grouping.Group, tested: np.ndarray) -> Panel:
    """LD among the `tested` (mask) variants in the people of `group`."""
    residuals = ld.unit_residuals(region.dosages[:, group.rows], group.q)
    used = np.flatnonzero(tested & residuals.any(axis=1))
    R, lead_r2 = ld.correlation(residuals[used]), np.minimum((residuals @ residuals[region.lead()]) ** 2, 1)
    low = ld.smallest_eigenvalue(R, group.df) if len(used) else float("nan")
    return Panel(used, residuals[used], R, lead_r2, len(group.rows), low)


def map_axes(
    region: Region, group: grouping.Group, traits: list[str], settings: Finemap, normal: bool = False
) -> list[Result]:
    """SuSiE of `traits`, all of one group, on one LD matrix. `normal`: the statistics of 0/1 traits, z and not t."""
    t = region.t(traits)
    panel = make_panel(region, group, np.isfinite(t).all(axis=0))
    if not len(panel.used):
        return []
    df = np.full(len(traits), float(group.df))
    fit = susie(
        adjusted_z(t[:, panel.used], df),
        panel.R,
        df + 2,
        effects=settings.effects,
        prior_variance=settings.prior_variance,
        estimate_residual_variance=settings.estimate_residual_variance,
        max_iterations=settings.max_iterations,
    )
    wanted = settings.coverage, settings.min_abs_corr
    results = []
    for k, trait in enumerate(traits):
        sets = credible_sets(fit.alpha[k], fit.prior_variance[k], fit.log_bf[k], panel.R, *wanted)
        done = int(fit.iterations[k]), bool(fit.converged[k])
        results.append(
            Result(trait, panel, fit.pip[k], sets, *done, tails.from_t(t[k], np.inf if normal else group.df))
        )
    return results


def map_joint(region: Region, group: grouping.Group, settings: Finemap) -> list[Result]:
    """The one causal variant shared by all axes, in the people and on the orthonormal axes of the joint test."""
    p = region.variants["joint_neg_log10_p"].fill_null(float("nan")).to_numpy()
    panel = make_panel(region, group, np.isfinite(p))
    if not len(panel.used):
        return []
    z = np.sqrt(group.df + 1) * (panel.residuals @ (group.unit @ group.w)).T
    fit = shared_effect(z, settings.max_iterations)
    strength, always = np.array([fit.log_bf]), np.ones(1)
    sets = credible_sets(fit.pip[None], always, strength, panel.R, settings.coverage, settings.min_abs_corr)
    return [Result(JOINT, panel, fit.pip, sets, fit.iterations, fit.converged, p)]


def map_locus(region: Region, cohort: ld.Cohort, settings: Finemap) -> list[Result]:
    """Each axis significant at the locus; and the joint effect where no axis is, or where the joint test is stronger.

    An effect spread over axes is weak on each: there the shared effect gives the smaller sets, at the same coverage.
    Traits of a group share one LD matrix.
    """
    wanted, results = region.locus["significant_traits"], []
    for group in cohort.groups:
        mine = [trait for trait in wanted if cohort.group_of(trait) is group]
        results += map_axes(region, group, mine, settings, cohort.people.binary) if mine else []
    if not len(wanted) or region.locus["lead_test"] == JOINT:
        results += map_joint(region, next(g for g in cohort.groups if g.w is not None), settings)
    return results


def set_rows(region: Region, result: Result) -> Iterator[dict]:
    """Rows of CREDIBLE_SETS."""
    for number, found in enumerate(result.sets, start=1):
        lead = region.variants.row(int(result.panel.used[found.lead]), named=True)
        yield {
            "locus": region.locus["locus"],
            "trait": result.trait,
            "cs": number,
            "size": len(found.variants),
            "coverage": found.coverage,
            "min_abs_corr": found.min_abs_corr,
            "mean_abs_corr": found.mean_abs_corr,
            "log10_bf": found.log_bf / np.log(10),
            "lead": ":".join(str(lead[name]) for name in inputs.VARIANT),
            "converged": result.converged,
        }


def variant_rows(region: Region, result: Result) -> pl.DataFrame:
    """Rows of FINEMAP_VARIANTS; the PIP of a variant that does not vary in the analysed people is null."""
    pip, cs = np.full(region.variants.height, np.nan), np.zeros(region.variants.height, np.int32)
    pip[result.panel.used] = result.pip
    for number, found in reversed(list(enumerate(result.sets, start=1))):
        cs[result.panel.used[found.variants]] = number
    columns = {"pip": pip, "cs": cs, "neg_log10_p": result.neg_log10_p, "lead_r2": result.panel.lead_r2}
    head = region.variants.select(
        pl.lit(region.locus["locus"]).alias("locus"), pl.lit(result.trait).alias("trait"), *inputs.VARIANT, "rsid"
    )
    return schemas.typed(
        head.with_columns(pl.Series(k, v, nan_to_null=True) for k, v in columns.items()), schemas.FINEMAP_VARIANTS
    )


def diagnostic_row(region: Region, result: Result) -> dict:
    """A row of LD_DIAGNOSTICS."""
    return {
        "locus": region.locus["locus"],
        "trait": result.trait,
        "n_variants": len(result.panel.used),
        "n": result.panel.n,
        "iterations": result.iterations,
        "converged": result.converged,
        "min_eigenvalue": result.panel.min_eigenvalue,
    }


def check_scan(cohort: ld.Cohort, trait_table: Path) -> None:
    """Raise `UserError` unless the scan was made of these traits in these people."""
    scanned = {row["trait"]: row["df"] or row["n"] for row in pl.read_parquet(trait_table).iter_rows(named=True)}
    groups = {trait: cohort.group_of(trait) for trait in cohort.people.traits}
    here = {trait: len(g.rows) if cohort.people.binary else g.df for trait, g in groups.items()}
    if scanned != here:
        differ = sorted(set(scanned.items()) ^ set(here.items()))[0][0]
        raise UserError(
            f"{trait_table}: trait {differ} was scanned in other people than the traits table has; rerun the gwas stage"
        )


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
    """Fine-map each locus, `threads` at a time."""
    cohort = ld.open_cohort(manifest, variants, samples, traits, covariates, loco)
    found = pl.read_parquet(loci).to_dicts()
    check_scan(cohort, trait_table)

    def one(locus: dict) -> list[tuple[Region, Result]]:
        region = read_region(locus, sumstats, cohort, settings.window_bp)
        results = map_locus(region, cohort.on(locus["contig"]), settings)
        told = ", ".join(f"{r.trait} {[len(s.variants) for s in r.sets]}" for r in results)
        print(f"{locus['locus']}: {region.variants.height} variants; sizes of credible sets: {told}", flush=True)
        return [(region, result) for result in results]

    with ThreadPoolExecutor(threads) as pool:
        pairs = [pair for pairs in pool.map(one, found) for pair in pairs]
    write(pairs, credible_sets, pips, diagnostics)


def write(pairs: list[tuple[Region, Result]], credible_sets: Path, pips: Path, diagnostics: Path) -> None:
    """Write the three tables; without a locus they are empty."""
    rows = [row for pair in pairs for row in set_rows(*pair)]
    files.write_parquet(table(rows, schemas.CREDIBLE_SETS), credible_sets)
    files.write_parquet(pl.concat([schemas.empty(schemas.FINEMAP_VARIANTS), *(variant_rows(*p) for p in pairs)]), pips)
    files.write_parquet(table([diagnostic_row(*pair) for pair in pairs], schemas.LD_DIAGNOSTICS), diagnostics)


def table(rows: list[dict], schema: schemas.Schema) -> pl.DataFrame:
    """Rows as a table of `schema`."""
    return schemas.typed(pl.DataFrame(rows), schema) if rows else schemas.empty(schema)


if __name__ == "__main__":
    run(main)
