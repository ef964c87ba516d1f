"""Sumstats, genotypes -> loci: significant variants joined by distance and LD to the strongest among them."""

from pathlib import Path

import numpy as np
import polars as pl
from scipy import stats

from ecgwas import tables
from ecgwas.cli import run
from ecgwas.config import Gwas
from ecgwas.files import write_parquet
from ecgwas.genotypes.reader import GenotypeReader
from ecgwas.gwas import groups, inputs, tails
from ecgwas.gwas.engine_torch import coded

LD_REACH_BP = 5_000_000  # LD beyond is not asked about


def least_t(df: np.ndarray, limit: float) -> np.ndarray:
    """A little less than the |t| whose -log10 p is `limit`, by degrees of freedom."""
    t = stats.t.isf(10.0**-limit / 2, df)
    return np.nan_to_num(t, nan=0.0, posinf=30.0) * (1 - 1e-6)


def residual_genotypes(dosage: np.ndarray, c: np.ndarray) -> np.ndarray:
    """[V, n]: genotypes with missing calls at the mean, covariates projected out, of length 1 (zero where constant)."""
    g = coded(dosage.astype(np.float64))[0].T
    rest = groups.project_out(groups.orthonormal(c), g)
    length = np.linalg.norm(rest, axis=0)
    return np.divide(rest, length, out=np.zeros_like(rest), where=length > 1e-9).T


def clump(
    contig: np.ndarray, position: np.ndarray, strength: np.ndarray, genotypes: np.ndarray, window_bp: int, r2: float
) -> np.ndarray:
    """For each significant variant the index of its lead; leads name themselves.

    Greedy from the strongest (ties: the first in genome order): all not yet taken that lie within `window_bp` of
    the lead, or within 5 Mb with r^2 > `r2` to it, join it. `genotypes` [V, n] of length 1.
    """
    lead = np.full(len(strength), -1)
    for i in np.argsort(-strength, kind="stable"):
        if lead[i] >= 0:
            continue
        away = np.where(contig == contig[i], np.abs(position - position[i]), np.iinfo(np.int64).max)
        linked = (away <= LD_REACH_BP) & (lead < 0)
        linked[linked] = (away[linked] <= window_bp) | ((genotypes[linked] @ genotypes[i]) ** 2 > r2)
        lead[linked] = i
        lead[i] = i
    return lead


def describe(variants: pl.DataFrame, p: np.ndarray, members: np.ndarray, lead: int, names: list[str], limit: float):
    """One row of tables.LOCI: `p` [V, T + 1] is -log10 p of the traits and, last, of the joint test."""
    top, of_traits = variants.row(lead, named=True), p[members][:, :-1]
    best = int(of_traits.max(axis=0).argmax())
    test = int(p[lead].argmax())
    positions = variants["position"].to_numpy()[members]
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
        "lead_test": [*names, "joint"][test],
        "neg_log10_p": p[lead, test],
        "joint_neg_log10_p": p[lead, -1] if np.isfinite(p[lead, -1]) else None,
        "best_trait": names[best],
        "best_trait_neg_log10_p": of_traits[:, best].max(),
        "significant_traits": [names[j] for j in np.flatnonzero(of_traits.max(axis=0) > limit)],
        "n_variants": len(members),
        "study_wide": bool(p[lead, test] > limit + np.log10(p.shape[1])),
    }


def significant(scan: inputs.Scan, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Variants with the joint or any trait's -log10 p above `limit`, and their p [V', T + 1], joint last.

    p is computed where |t| is large enough for it: of millions of t next to none are.
    """
    joint, df = scan.variants["joint_neg_log10_p"].fill_null(-np.inf).to_numpy(), scan.df
    rows = np.flatnonzero(scan.beyond(least_t(df, limit)) | (joint > limit))
    of_traits = tails.from_t(scan.t_at(rows), df)
    p = np.column_stack([np.where(np.isnan(of_traits), -np.inf, of_traits), joint[rows]])
    kept = p.max(axis=1) > limit
    return rows[kept], p[kept]


def find(scan: inputs.Scan, hits: np.ndarray, p: np.ndarray, genotypes: np.ndarray, settings: Gwas) -> pl.DataFrame:
    """tables.LOCI from the significant variants `hits`, their p [V', T + 1] and their unit genotypes [V', n]."""
    limit, table = -np.log10(settings.p_threshold), scan.variants[hits]
    contig, position = table["contig"].to_numpy(), table["position"].to_numpy().astype(np.int64)
    lead = clump(contig, position, p.max(axis=1), genotypes, settings.locus_window_bp, settings.locus_r2)
    rows = [describe(table, p, np.flatnonzero(lead == i), int(i), scan.names, limit) for i in np.unique(lead)]
    return tables.typed(pl.DataFrame(rows), tables.LOCI) if rows else tables.empty(tables.LOCI)


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
) -> None:
    """Loci of a scan: p below the threshold in the joint test or in any trait."""
    scan, people = inputs.read_scan(sumstats, trait_table), inputs.read_people(traits, covariates, samples)
    hits, p = significant(scan, -np.log10(settings.p_threshold))
    wanted = inputs.same_rows(inputs.read_variants(variants), scan.variants)[hits]
    with GenotypeReader(manifest, wanted, people.samples) as reader:
        genotypes = residual_genotypes(reader.read(slice(None)), people.c)
    found = find(scan, hits, p, genotypes, settings)
    write_parquet(found, loci)
    print(f"{len(hits)} significant variants in {found.height} loci", flush=True)


if __name__ == "__main__":
    run(main)
