"""Loci: clumping in bounded memory, effective numbers of tests, study-wide and wider lists, the winner's curse."""

import functools
import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from scipy import stats
from tests.unit.finemap.conftest import coalescent_dosages, pack

from ecgwas.associations import scan_statistics
from ecgwas.associations.analysed import People
from ecgwas.config import Gwas
from ecgwas.genotype_files.reader import GenotypeReader
from ecgwas.gwas import clump, loci, multiplicity, shrinkage
from ecgwas.stats import linear, tails
from ecgwas.stats.linear import unit_residuals

WITHOUT_TORCH = "import sys, ecgwas.gwas.loci, ecgwas.finemap.finemap; assert not {'torch', 'hail'} & set(sys.modules)"


def test_loci_and_fine_mapping_start_without_torch():
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH], check=True)


# Clumping


def test_clumping_joins_by_distance_and_by_ld():
    rng = np.random.default_rng(8)
    u = np.linalg.qr(rng.normal(size=(50, 4)))[0].T
    genotypes = np.stack([u[0], u[1], (0.5 * u[0] + 0.75**0.5 * u[2]), u[3], u[0]])
    contig = np.array(["1", "1", "1", "1", "2"])
    position = np.array([1_000_000, 1_200_000, 3_000_000, 9_000_000, 1_000_000])

    def r2(one, others):
        return (genotypes[others] @ genotypes[one]) ** 2

    lead = clump.clump(contig, position, np.array([9.0, 8, 10, 8, 8]), r2, 500_000, 0.1)
    assert lead.tolist() == [2, 1, 2, 3, 4]  # the weaker neighbour at 1.2 Mb is free of both: its own locus


def all_at_once(contig, position, strength, genotypes, window_bp, r2):
    """Greedy clumping with every genotype in memory: what the bounded one must equal."""
    lead = np.full(len(strength), -1)
    for i in np.argsort(-strength, kind="stable"):
        if lead[i] >= 0:
            continue
        away = np.where(contig == contig[i], np.abs(position - position[i]), np.iinfo(np.int64).max)
        linked = (away <= clump.LD_REACH_BP) & (lead < 0)
        linked[linked] = (away[linked] <= window_bp) | ((genotypes[linked] @ genotypes[i]) ** 2 > r2)
        lead[linked] = i
        lead[i] = i
    return lead


def reader_of(folder, calls, position, contig="1", people=None):
    """A reader of ALT counts [variant, person], -1 missing."""
    (folder / "g.bed").write_bytes(pack(calls))
    n = calls.shape[1]
    source = {"path": str(folder / "g.bed"), "format": "plink", "n_variants": len(calls), "n_samples": n}
    manifest = {"sources": [source], "sample_ids": [str(i) for i in range(n)], "build": "GRCh37"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    table = pl.DataFrame({"contig": contig, "position": position, "source": 0, "source_index": np.arange(len(calls))})
    return GenotypeReader(folder / "manifest.json", table, np.arange(n) if people is None else people)


@pytest.mark.parametrize("cache_bytes", [0, 10**9])
def test_bounded_clumping_is_that_of_everything_in_memory(tmp_path, cache_bytes):
    """1,500 significant variants in LD over 12 Mb, with a cache that holds hardly anything and one that holds all."""
    rng = np.random.default_rng(3)
    calls = coalescent_dosages(5, 400, 1500, 4e6).astype(np.int8)
    calls[rng.random(calls.shape) < 0.01] = -1
    position = 1 + 8_000 * np.arange(len(calls))
    contig, c = np.where(np.arange(len(calls)) < 1200, "1", "2"), rng.normal(size=(400, 3))
    strength = 7.3 + rng.exponential(20, len(calls)).round(1)  # with ties
    everything = np.where(calls < 0, np.nan, calls).astype(np.float32)
    expected = all_at_once(contig, position, strength, unit_residuals(everything, linear.orthonormal(c)), 60_000, 0.1)
    with reader_of(tmp_path, calls, position, contig) as reader:
        linkage = clump.Linkage(reader, c, cache_bytes)
        found = clump.clump(contig, position, strength, linkage.r2, 60_000, 0.1)
        assert len(linkage._kept) <= linkage._room
    assert found.tobytes() == expected.tobytes()
    assert 30 < len(np.unique(found)) < 1000


# Effective numbers of tests


def correlated(kind: str, count: int = 6) -> np.ndarray:
    if kind == "independent":
        return np.eye(count)
    if kind == "alike":
        return np.ones((count, count))
    rho = float(kind)
    return rho * np.ones((count, count)) + (1 - rho) * np.eye(count)


@pytest.mark.parametrize("kind", ["independent", "0.5", "0.9", "0.99", "alike"])
@pytest.mark.parametrize("p", [0.05, 1e-3])
def test_effective_number_of_traits_keeps_the_level(kind, p):
    """At 5 % and 1e-3, where it can be counted: the smallest of T p-values is below p/T_eff in a share p of draws."""
    R, rng = correlated(kind), np.random.default_rng(1)
    number = multiplicity.effective_traits(R, p, draws=40_000)
    value, vector = np.linalg.eigh(R)
    z = rng.standard_normal((1_000_000, len(R))) @ (vector * np.sqrt(np.maximum(value, 0))).T
    smallest = 2 * stats.norm.sf(np.abs(z).max(axis=1))
    share = (smallest < p / number).mean()
    union = 1 - (1 - p / number) ** number  # of independent tests: the sum of p less what they share
    assert 0.93 * union < share < p + 5 * (p / 1_000_000) ** 0.5
    expected = {"independent": (6, 6), "alike": (1, 1)}.get(kind, (1, 6))
    assert expected[0] - 0.2 <= number <= expected[1] + 1e-9


def test_whitened_traits_count_each_and_copies_once():
    rng = np.random.default_rng(2)
    y = rng.normal(size=(1500, 40))
    people = People(np.column_stack([y, y[:, :3]]), rng.normal(size=(1500, 2)), [f"t{j}" for j in range(43)], None)
    number = multiplicity.effective_traits(multiplicity.trait_correlation(people), 5e-8)
    assert number == pytest.approx(40, abs=0.5)


def test_traits_of_other_people_and_without_a_test():
    """Traits of disjoint people are independent; one without values has no test and does not count."""
    rng = np.random.default_rng(3)
    y = np.repeat(rng.normal(size=(1000, 1)), 4, axis=1)
    y[:500, 1], y[500:, 2], y[:, 3] = np.nan, np.nan, np.nan
    R = multiplicity.trait_correlation(People(y, rng.normal(size=(1000, 1)), list("abcd"), None))
    assert R.shape == (3, 3)
    assert abs(R[1, 2]) < 1e-9
    assert R[0, 1] == pytest.approx(0.5**0.5, abs=0.05)


def test_effective_variants_predict_the_loci_of_a_null_scan(tmp_path):
    """At p = 1e-3, 300 null traits: as many clumps as expected, far fewer than significant variants."""
    rng, p = np.random.default_rng(4), 1e-3
    calls = coalescent_dosages(6, 500, 1000, 2e6).astype(np.int8)
    position = 1 + 2_000 * np.arange(len(calls))
    c = rng.normal(size=(500, 2))
    with reader_of(tmp_path, calls, position) as reader:
        number = multiplicity.effective_variants(reader, c, p, 500_000)
    x = unit_residuals(calls.astype(np.float32), linear.orthonormal(c))
    z = x @ rng.normal(size=(500, 300))
    hits = np.abs(z) > stats.norm.isf(p / 2)
    found = 0
    for trait in range(300):
        mine = np.flatnonzero(hits[:, trait])
        strength = np.abs(z[mine, trait])

        def r2(one, others, mine=mine):
            return (x[mine[others]] @ x[mine[one]]) ** 2

        lead = clump.clump(np.full(len(mine), "1"), position[mine], strength, r2, 40_000, 0.1)
        found += len(np.unique(lead))
    expected = 300 * number * p
    assert hits.sum() > 1.5 * found
    assert 0.75 * found < expected < 1.3 * found


# The lists


def scan_of(folder, t, joint, traits="abcdefgh", n=1000):
    """Files of a scan with these t [V, T] and joint -log10 p, on contig 1, 100 kb apart."""
    count = len(t)
    head = {"contig": "1", "position": 1 + 100_000 * np.arange(count), "ref": "A", "alt": "C"}
    head |= {"rsid": [f"rs{i}" for i in range(count)], "n": n, "af": 0.8, "gg": 320.0, "reason": None}
    columns = {f"t:{name}": t[:, j] for j, name in enumerate(traits)}
    table = pl.DataFrame(head | {"joint_neg_log10_p": joint} | columns)
    table.cast({f"t:{name}": pl.Float32 for name in traits}).write_parquet(folder / "part.parquet")
    scanned = {"trait": list(traits), "group": "all", "n": n, "df": n - 2, "contig": None, "yy": 500.0}
    pl.DataFrame(scanned).cast({"contig": pl.String}).write_parquet(folder / "traits.parquet")
    return scan_statistics.read_scan([folder / "part.parquet"], folder / "traits.parquet")


class Apart:
    """No two variants are in LD."""

    def r2(self, one, others):
        return np.zeros(len(others))


def listed(scan, penalty, settings=None):
    settings = settings or Gwas()
    hits = loci.Hits(*loci.significant(scan, -np.log10(settings.p_threshold)), penalty)
    return loci.find(scan, hits, Apart(), settings)


def test_p_and_beta_are_of_the_same_variant_and_trait(tmp_path):
    """Another trait is stronger at another variant of the locus: the row is about the lead."""
    rng = np.random.default_rng(5)
    t, joint = rng.normal(size=(200, 8)), rng.exponential(0.4, 200)
    t[50, 2], t[51, 4], joint[50] = -6.5, 6.4, 15.0  # the lead by the joint test; trait c is the best there
    row = listed(scan_of(tmp_path, t, joint), np.log10(8)).row(0, named=True)
    assert row["locus"] == "1:5000001"
    assert (row["lead_test"], row["best_trait"]) == ("joint", "c")
    assert row["best_trait_neg_log10_p"] == pytest.approx(float(tails.from_t(np.float32(-6.5), 998)))
    se = np.sqrt(500 / (320 * (998 + 6.5**2)))
    assert (row["beta"], row["se"]) == pytest.approx((-6.5 * se, se))
    assert (row["n"], row["mac"]) == (1000, pytest.approx(400))
    assert row["beta"] < row["beta_shrunken"] < 0
    assert row["significant_traits"] == ["c", "e"]
    assert (row["start"], row["end"]) == (5_000_001, 5_100_001)


def test_a_single_trait_must_pass_the_corrected_threshold(tmp_path):
    """p = 2e-8 in one of 8 traits is in the wider list alone; the joint test at 2e-8 is study-wide."""
    t, joint = np.zeros((60, 8)), np.zeros(60)
    t[10, 0], joint[40] = stats.t.isf(1e-8, 998), -np.log10(2e-8)
    found = listed(scan_of(tmp_path, t, joint), np.log10(8))
    assert dict(found.select("locus", "study_wide").rows()) == {"1:1000001": False, "1:4000001": True}
    assert found["significant_traits"].to_list() == [["a"], []]
    assert listed(scan_of(tmp_path, t, joint), 0.0)["study_wide"].all()


def test_null_traits_make_many_loci_at_5e_8_and_hardly_any_study_wide(tmp_path):
    """256 null traits, a threshold of 1e-3 on 400 independent variants: the numbers expected by chance."""
    rng, p, count = np.random.default_rng(6), 1e-4, 2000
    t = rng.standard_t(998, (count, 256))
    scan = scan_of(tmp_path, t, rng.exponential(1 / np.log(10), count), [f"x{j}" for j in range(256)])
    settings = Gwas(p_threshold=p, locus_window_bp=1)
    found = listed(scan, np.log10(256), settings)
    number = multiplicity.Multiplicity(256, 256.0, True, p, count, float(count)).row()
    assert abs(found.height - number["expected_any_trait"]) < 4 * number["expected_any_trait"] ** 0.5
    assert found["study_wide"].sum() < number["expected_study_wide"] + 5
    assert number["expected_study_wide"] == pytest.approx(0.4)


def test_variants_without_a_joint_p_are_tolerated(tmp_path):
    t, joint = np.zeros((60, 8)), np.full(60, np.nan)
    t[10, 0] = 9.0
    row = listed(scan_of(tmp_path, t, joint), 0.9).row(0, named=True)
    assert row["joint_neg_log10_p"] is None
    assert (row["lead_test"], row["study_wide"]) == ("a", True)


# The winner's curse

TRAITS = 16
EFFECTS = {
    "polygenic": lambda n, rng: rng.normal(0, 2.5, n) * (rng.random(n) < 0.01),
    "few": lambda n, rng: rng.normal(0, 5, n) * (rng.random(n) < 1e-4),
    "large": lambda n, rng: rng.choice([-1, 1], n) * rng.uniform(3, 10, n) * (rng.random(n) < 1e-4),
    "laplace": lambda n, rng: rng.laplace(0, 2, n) * (rng.random(n) < 0.003),
}


def fitted(z):
    """The prior of these statistics."""
    edges = np.r_[np.arange(0, 40, 0.1), np.inf]
    counts = np.histogram(np.abs(z), edges)[0]
    return shrinkage.fit(np.column_stack([edges[:-1], edges[1:]])[counts > 0], counts[counts > 0])


@functools.lru_cache
def genomes(kind):
    """True z [variant, trait] of the associated variants of five scans, a hundred times each, and each scan's prior."""
    rng = np.random.default_rng(len(kind))
    made = []
    for _ in range(5):
        mu = EFFECTS[kind](20_000 * TRAITS, rng).reshape(-1, TRAITS)
        prior = fitted(mu + rng.normal(size=mu.shape))
        made.append((np.repeat(mu[mu.any(axis=1)], 100, axis=0), prior))
    return made


@pytest.mark.parametrize("kind", EFFECTS)
@pytest.mark.parametrize("select", ["each trait", "best of 16", "uncorrected"])
def test_shrunken_effects_have_less_bias_and_less_error(kind, select):
    """Of significant effects, however selected; a bias under 0.2 standard errors passes where there is no curse."""
    rng, naive, shrunken = np.random.default_rng(len(select)), [], []
    limit = stats.norm.isf(2.5e-8 / (1 if select == "uncorrected" else TRAITS))
    for mu, prior in genomes(kind):
        z = mu + rng.normal(size=mu.shape)
        best = np.abs(z).argmax(axis=1)
        if select == "best of 16":
            z, mu = z[np.arange(len(z)), best], mu[np.arange(len(z)), best]
        hit = np.abs(z) > limit
        own, true = z[hit], mu[hit]
        naive.append(np.sign(own) * (own - true))
        shrunken.append(np.sign(own) * (own * prior.factor(own) - true))
    naive, shrunken = np.concatenate(naive), np.concatenate(shrunken)
    print(f"{kind}, {select}: bias {naive.mean():.2f} -> {shrunken.mean():.2f}, "
          f"MSE {(naive**2).mean():.2f} -> {(shrunken**2).mean():.2f}")  # fmt: skip
    assert len(naive) > 300
    assert abs(shrunken.mean()) < max(naive.mean(), 0.2)
    assert (shrunken**2).mean() < (naive**2).mean()


def test_nothing_is_left_of_a_null_scan():
    rng = np.random.default_rng(7)
    prior = fitted(rng.normal(size=1_000_000))
    assert prior.factor(4.5)[0] < 0.5
    assert prior.factor([0.5, 1.0, 3.0]).max() < 0.2


def test_statistics_are_counted_by_degrees_of_freedom(tmp_path):
    rng = np.random.default_rng(8)
    t = rng.normal(size=(500, 8))
    t[3, 3] = np.nan
    scan = scan_of(tmp_path, t, np.zeros(500), n=12)
    edges, counts = shrinkage.count(scan)
    assert counts.sum() == 500 * 8 - 1
    at = np.searchsorted(edges[:, 1], 1.5)
    expected = (stats.t.sf(np.abs(t[np.isfinite(t)]), 10) < stats.norm.sf(edges[at, 0])).sum()
    assert counts[at:].sum() == pytest.approx(expected, abs=1)
