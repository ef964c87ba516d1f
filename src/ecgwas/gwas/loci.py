"""Sumstats, genotypes -> loci: significant variants joined by distance and LD to the strongest among them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from scipy import stats

from ecgwas import tables
from ecgwas.associations import scan_statistics
from ecgwas.associations.analysed import read_people
from ecgwas.cli import run
from ecgwas.config import Gwas
from ecgwas.genotype_files.reader import GenotypeReader
from ecgwas.genotype_files.variants import read_variants
from ecgwas.gwas import multiplicity, shrinkage
from ecgwas.gwas.clump import Linkage, clump
from ecgwas.stats import tails

ALLELES = 2  # a person has of a variant


@dataclass(frozen=True)
class Hits:
    """Variants with p below the threshold in the joint test or in any trait, and what they are compared by."""

    rows: np.ndarray  # [V'] of the scan
    p: np.ndarray  # [V', T + 1] -log10 p of the traits and, last, of the joint test; -inf without a test
    penalty: float  # log10 of the effective number of traits

    @property
    def corrected(self) -> np.ndarray:
        """[V', T + 1]: -log10 p, that of single traits corrected for their effective number."""
        return self.p - np.r_[np.full(self.p.shape[1] - 1, self.penalty), 0.0]


def least_t(df: np.ndarray, limit: float) -> np.ndarray:
    """A little less than the |t| whose -log10 p is `limit`, by degrees of freedom."""
    t = stats.t.isf(10.0**-limit / 2, df)
    return np.nan_to_num(t, nan=0.0, posinf=30.0) * (1 - 1e-6)


def significant(scan: scan_statistics.Scan, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Variants with the joint or any trait's -log10 p above `limit`, and their p [V', T + 1], joint last.

    p is computed where |t| is large enough for it: of millions of t next to none are.
    """
    joint, df = scan.variants["joint_neg_log10_p"].fill_null(-np.inf).fill_nan(-np.inf).to_numpy(), scan.df
    rows = np.flatnonzero(scan.beyond(least_t(df, limit)) | (joint > limit))
    of_traits = tails.from_t(scan.t_at(rows), df)
    p = np.column_stack([np.where(np.isnan(of_traits), -np.inf, of_traits), joint[rows]])
    kept = p.max(axis=1) > limit
    return rows[kept], p[kept]


def describe(scan: scan_statistics.Scan, hits: Hits, members: np.ndarray, lead: int, limit: float) -> dict:
    """One row of tables.LOCI_ANY_TRAIT without the effect: `members` and `lead` are places among the hits."""
    top = scan.variants.row(int(hits.rows[lead]), named=True)
    corrected, at_lead = hits.corrected, hits.p[lead]
    test, best = int(corrected[lead].argmax()), int(at_lead[:-1].argmax())
    study_wide = bool(corrected[lead, test] > limit)
    of_traits = (corrected if study_wide else hits.p)[members][:, :-1].max(axis=0)
    positions = scan.variants["position"].to_numpy()[hits.rows[members]]
    return {
        "locus": f"{top['contig']}:{top['position']}",
        "contig": top["contig"],
        "start": int(positions.min()),
        "end": int(positions.max()),
        "lead_position": top["position"],
        "lead_ref": top["ref"],
        "lead_alt": top["alt"],
        "lead_rsid": top["rsid"],
        "lead_af": top["af"],
        "lead_test": [*scan.names, "joint"][test],
        "neg_log10_p": at_lead[test],
        "joint_neg_log10_p": at_lead[-1] if np.isfinite(at_lead[-1]) else None,
        "best_trait": scan.names[best],
        "best_trait_neg_log10_p": at_lead[best] if np.isfinite(at_lead[best]) else None,
        "significant_traits": [scan.names[j] for j in np.flatnonzero(of_traits > limit)],
        "n_variants": len(members),
        "study_wide": study_wide,
    }


def effects(scan: scan_statistics.Scan, rows: np.ndarray, traits: list[str]) -> dict[str, np.ndarray]:
    """n, minor allele count, beta, its standard error and the beta shrunken [V] of one trait at each of `rows`.

    beta, of a copy of ALT, is in units of the trait scanned; NaN where the trait has no test there.
    """
    which, place = np.array([scan.names.index(name) for name in traits], int), np.arange(len(rows))
    order = np.argsort(rows, kind="stable")
    t = np.empty(len(rows))
    t[order] = scan.t_at(rows[order])[place, which[order]]
    gg, yy, df = scan.gg(rows)[place, which], scan.yy(rows)[place, which], scan.df[which]
    beta, se = scan_statistics.effects(t, gg, yy, df)
    z = [shrinkage.z_of(np.abs(t[i : i + 1]), df[i])[0] for i in place]
    n, af = people_at(scan, rows, which)
    mac = ALLELES * n * np.minimum(af, 1 - af)
    factor = shrinkage.of_scan(scan).factor(np.array(z)) if len(rows) else np.empty(0)
    return {"n": n, "mac": mac, "beta": beta, "se": se, "beta_shrunken": beta * factor}


def people_at(scan: scan_statistics.Scan, rows: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """People with a call, and the ALT frequency in them [V], of trait number `which` [V] at each of `rows`."""
    table, groups = scan.variants, scan.traits["group"].to_list()
    names = [f":{groups[j]}" if f"n:{groups[j]}" in table.columns else "" for j in which]
    n, af = (
        [table[f"{column}{suffix}"][int(row)] for row, suffix in zip(rows, names, strict=True)]
        for column in ("n", "af")
    )
    return np.array(n, float), np.array(af, float)


def find(scan: scan_statistics.Scan, hits: Hits, linkage: Linkage, settings: Gwas) -> pl.DataFrame:
    """tables.LOCI_ANY_TRAIT from the hits of a scan; `linkage` is of their genotypes, row by row."""
    limit, table = -np.log10(settings.p_threshold), scan.variants[hits.rows]
    contig, position = table["contig"].to_numpy(), table["position"].to_numpy().astype(np.int64)
    strength = hits.corrected.max(axis=1)
    lead = clump(contig, position, strength, linkage.r2, settings.locus_window_bp, settings.locus_r2)
    leads = np.unique(lead)
    rows = [describe(scan, hits, np.flatnonzero(lead == i), int(i), limit) for i in leads]
    if not rows:
        return tables.LOCI_ANY_TRAIT.empty()
    loci = pl.DataFrame(rows)
    estimates = effects(scan, hits.rows[leads], loci["best_trait"].to_list())
    columns = [pl.Series(name, values).fill_nan(None) for name, values in estimates.items()]
    return tables.LOCI_ANY_TRAIT.typed(loci.with_columns(columns))


def main(
    sumstats: list[Path],
    trait_table: Path,
    manifest: Path,
    variants: Path,
    samples: Path,
    traits: Path,
    covariates: Path,
    settings: Gwas,
    loci: Path,
    any_trait: Path | None = None,
    tests: Path | None = None,
) -> None:
    """Loci of a scan, study-wide: p below the threshold in the joint test, or in a trait after correction.

    Args:
        sumstats: Parts of the scan, in order.
        trait_table: Its trait table.
        manifest: manifest.json of the genotypes.
        variants: variants.parquet of the genotypes.
        samples: samples.parquet of the genotypes.
        traits: traits.parquet of the model.
        covariates: covariates.parquet of the model.
        settings: The `gwas` block.
        loci: Written: loci whose lead is study-wide significant.
        any_trait: Written: loci with p below the threshold in the joint test or in any single trait, uncorrected.
        tests: Written: numbers of tests, thresholds, and how many loci are expected by chance.
    """
    scan, people = scan_statistics.read_scan(sumstats, trait_table), read_people(traits, covariates, samples)
    kept_variants = scan_statistics.same_rows(read_variants(variants), scan.variants)
    joint = scan.variants["joint_neg_log10_p"].count() > 0
    tested = kept_variants.filter(scan.variants["gg"].fill_nan(None).is_not_null())
    number = multiplicity.measure(tested, manifest, people, settings.p_threshold, settings.locus_window_bp, joint)
    hits = Hits(*significant(scan, -np.log10(settings.p_threshold)), number.trait_penalty)
    with GenotypeReader(manifest, kept_variants[hits.rows], people.samples) as reader:
        all_loci = find(scan, hits, Linkage(reader, people.c), settings)
    kept = all_loci.filter("study_wide").drop("study_wide")
    tables.LOCI.write(kept, loci)
    if any_trait is not None:
        tables.LOCI_ANY_TRAIT.write(all_loci, any_trait)
    if tests is not None:
        tables.MULTIPLICITY.write(number.table(), tests)
    row = number.row()
    print(
        f"{kept.height} loci (one joint test at {settings.p_threshold:.2g}, a trait at {row['trait_p_threshold']:.2g});"
        f" {all_loci.height} at {settings.p_threshold:.2g} in any of {row['n_traits']} traits,"
        f" {row['expected_any_trait']:.2g} expected by chance",
        flush=True,
    )


if __name__ == "__main__":
    run(main)
