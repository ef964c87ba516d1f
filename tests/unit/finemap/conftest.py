"""Genotypes with linkage disequilibrium, and one small cohort written as the stages before fine-mapping write it."""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msprime
import numpy as np
import polars as pl
import pytest

from ecgwas import tables
from ecgwas.gwas import trait_groups
from ecgwas.stats import tails
from ecgwas.stats.linear import unit_residuals


@functools.lru_cache(maxsize=16)
def coalescent_dosages(seed: int, people: int, variants: int, length_bp: float = 2e5) -> np.ndarray:
    """Dosages int8 [variant, person] of common variants (MAF over 2 %) of a coalescent simulation, evenly thinned."""
    ancestry = msprime.sim_ancestry(
        people, sequence_length=length_bp, recombination_rate=1e-8, population_size=10_000, random_seed=seed + 1
    )
    mutated = msprime.sim_mutations(ancestry, rate=2e-8, random_seed=seed + 1, model=msprime.BinaryMutationModel())
    haplotypes = mutated.genotype_matrix().astype(np.int8)
    dosages = haplotypes[:, ::2] + haplotypes[:, 1::2]
    frequency = dosages.mean(axis=1) / 2
    common = np.flatnonzero(np.minimum(frequency, 1 - frequency) > 0.02)
    assert len(common) >= variants
    return dosages[common[np.linspace(0, len(common) - 1, variants).astype(int)]]


@pytest.fixture(scope="session")
def genotypes() -> Callable[[int, int, int], np.ndarray]:
    """(seed, people, variants) -> dosages int8 [variant, person] with realistic linkage disequilibrium."""
    return coalescent_dosages


def standardised(dosages: np.ndarray) -> np.ndarray:
    """Rows of mean 0 and variance 1."""
    centred = dosages - dosages.mean(axis=1, keepdims=True)
    return centred / centred.std(axis=1, keepdims=True)


def pack(calls: np.ndarray) -> bytes:
    """PLINK 1 .bed of ALT counts [variant, person], -1 missing."""
    codes = np.array([3, 2, 0, 1], np.uint8)[calls]
    codes = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 4))).reshape(len(codes), -1, 4)
    packed = codes[..., 0] | codes[..., 1] << 2 | codes[..., 2] << 4 | codes[..., 3] << 6
    return b"\x6c\x1b\x01" + packed.tobytes()


@dataclass
class Study:
    """Paths of a cohort with a locus of axis01 on contig 1 and a joint locus on contig 2, and its causal variants."""

    folder: Path
    causal: dict[str, int]  # contig -> position

    def inputs(self) -> dict:
        """Arguments of the fine-mapping step but its outputs and settings."""
        names = ["loci", "manifest", "variants", "samples", "traits", "covariates"]
        files = {name: self.folder / f"{name}.{'json' if name == 'manifest' else 'parquet'}" for name in names}
        return files | {
            "sumstats": [self.folder / "part-000.parquet"],
            "trait_table": self.folder / "traits-000.parquet",
        }


def locus_row(table: pl.DataFrame, p: np.ndarray, names: list[str], contig: str) -> dict:
    """The locus of the strongest joint test of a contig."""
    mine = np.flatnonzero(table["contig"] == contig)
    lead = mine[table["joint_neg_log10_p"].to_numpy()[mine].argmax()]
    row, best = table.row(int(lead), named=True), p[mine].max(axis=0)
    return {
        "locus": f"{contig}:{row['position']}",
        "contig": contig,
        "start": row["position"],
        "end": row["position"],
        "lead_position": row["position"],
        "lead_ref": row["ref"],
        "lead_alt": row["alt"],
        "lead_rsid": row["rsid"],
        "lead_af": row["af"],
        "lead_test": "joint" if row["joint_neg_log10_p"] > best.max() else names[int(best.argmax())],
        "neg_log10_p": max(row["joint_neg_log10_p"], best.max()),
        "joint_neg_log10_p": row["joint_neg_log10_p"],
        "best_trait": names[int(best.argmax())],
        "best_trait_neg_log10_p": float(best.max()),
        "significant_traits": [name for name, value in zip(names, best, strict=True) if value > -np.log10(5e-8)],
        "n_variants": 1,
    } | dict.fromkeys(("n", "mac", "beta", "se", "beta_shrunken"))


def simulated_scan(calls: np.ndarray, y: np.ndarray, c: np.ndarray) -> tuple[pl.DataFrame, np.ndarray, int]:
    """Statistics of calls [variant, person] (-1 missing): table of a sumstats part, -log10 p [variant, trait], df."""
    group = trait_groups.build(y, c)[0]
    residuals = unit_residuals(np.where(calls < 0, np.nan, calls).astype(np.float32), group.q)
    r = residuals @ group.unit
    t = r * np.sqrt(group.df / (1 - r**2))
    joint = tails.from_r2(((r @ group.w) ** 2).sum(axis=1), y.shape[1], group.df + 1 - y.shape[1])
    columns = {f"t:axis{k + 1:02d}": t[:, k].astype(np.float32) for k in range(y.shape[1])}
    af = np.where(calls < 0, 0, calls).sum(axis=1) / 2 / (calls >= 0).sum(axis=1)
    table = pl.DataFrame({"af": af, "joint_neg_log10_p": joint} | columns)
    return table, tails.from_t(t, group.df), group.df


def write_study(folder: Path, seed: int = 3, people: int = 1200, per_contig: int = 250, axes: int = 8) -> Study:
    """Simulate and write everything that fine-mapping reads."""
    rng = np.random.default_rng(seed)
    blocks = [coalescent_dosages(number, people + 10, per_contig) for number in (1, 2)]
    contig = np.repeat(["1", "2"], [len(block) for block in blocks])
    calls = np.concatenate(blocks)
    position = np.concatenate([1_000_000 + 400 * np.arange(len(block)) for block in blocks])
    first, second = 100, len(blocks[0]) + 140
    keep = np.sort(rng.choice(people + 10, people, replace=False))
    x = standardised(calls[[first, second]])
    c = rng.normal(size=(people, 2))
    y = rng.normal(size=(people, axes)) + c @ rng.normal(size=(2, axes))
    y[:, 0] += 0.35 * x[0, keep]
    y += 0.085 * x[1, keep][:, None] * np.where(np.arange(axes) % 2, 1, -1)
    calls = np.where(rng.random(calls.shape) < 0.002, -1, calls).astype(np.int8)

    (folder / "genotypes.bed").write_bytes(pack(calls))
    n, ids = people + 10, [f"s{i:05d}" for i in range(people + 10)]
    source = {"path": str(folder / "genotypes.bed"), "format": "plink", "n_variants": len(calls), "n_samples": n}
    (folder / "manifest.json").write_text(json.dumps({"sources": [source], "sample_ids": ids, "build": "GRCh37"}))
    names = {"contig": contig, "position": position.astype(np.int32), "ref": "A", "alt": "G"}
    variants = pl.DataFrame(names).with_columns(
        rsid=pl.format("rs{}_{}", "contig", "position"), source=pl.lit(0), source_index=pl.int_range(pl.len())
    )
    variants.write_parquet(folder / "variants.parquet")
    pl.DataFrame({"sample_id": ids, "index": np.arange(n, dtype=np.int32)}).write_parquet(folder / "samples.parquet")
    who = pl.DataFrame({"person_id": [f"p{i}" for i in keep], "sample_id": [ids[i] for i in keep]})
    traits = [f"axis{k + 1:02d}" for k in range(axes)]
    who.hstack(pl.DataFrame(y, schema=traits)).write_parquet(folder / "traits.parquet")
    who.hstack(pl.DataFrame(c, schema=["age", "sex"])).write_parquet(folder / "covariates.parquet")
    statistics, p, df = simulated_scan(calls[:, keep], y, c)
    table = variants.select("contig", "position", "ref", "alt", "rsid").hstack(statistics)
    table.write_parquet(folder / "part-000.parquet")
    scanned = {"trait": traits, "group": "all", "n": people, "df": df, "yy": 1.0}
    pl.DataFrame(scanned).write_parquet(folder / "traits-000.parquet")
    rows = [locus_row(table, p, traits, name) for name in "12"]
    tables.LOCI.typed(pl.DataFrame(rows)).write_parquet(folder / "loci.parquet")
    return Study(folder, {"1": int(position[first]), "2": int(position[second])})


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """One small cohort with two planted loci."""
    return write_study(tmp_path_factory.mktemp("finemap"))
