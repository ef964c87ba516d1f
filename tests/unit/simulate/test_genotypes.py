"""Simulated genotypes obey Mendel, have the structure declared, and do not depend on threads."""

import itertools

import numpy as np
import pytest

from ecgwas.config import Simulate
from ecgwas.errors import UserError
from ecgwas.simulate import genotypes
from ecgwas.simulate.genotypes import Variants, redeal, simulate_genotypes, spread
from ecgwas.simulate.genotypes_faults import choose_faults, spoil
from ecgwas.simulate.genotypes_people import Pedigree, drop_genes, gamete, make_pedigree

LOCI = [{"parameter": "pr_ms", "variance_explained": 0.2, "maf": 0.3}]
SETTINGS = Simulate(people=300, sparse_variants=1150, dense_variants=80, loci=LOCI)
THREE = ("1", "2", "X")


@pytest.fixture(scope="module")
def pedigree() -> Pedigree:
    return make_pedigree(300, 60, np.random.default_rng(1))


@pytest.fixture(scope="module")
def variants(pedigree) -> Variants:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(genotypes, "CONTIGS", THREE)
        return simulate_genotypes(SETTINGS, pedigree, 1, threads=2)


def of_kind(pedigree, kind):
    return np.array([(a, b) for a, b, k in pedigree.pairs if k == kind]).T


def test_pedigree_counts(pedigree):
    kinds = [kind for *_, kind in pedigree.pairs]
    assert len(pedigree.deme) == 300
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"duplicate": 10, "siblings": 30, "parent_child": 20}
    assert (np.diff(pedigree.founder_deme) >= 0).all()


def test_threads_do_not_change_genotypes(pedigree, variants, monkeypatch):
    monkeypatch.setattr(genotypes, "CONTIGS", THREE)
    again = simulate_genotypes(SETTINGS, pedigree, 1, threads=1)
    for name in Variants.__annotations__:
        np.testing.assert_array_equal(getattr(again, name), getattr(variants, name))


def test_counts_positions_and_planted_variant(variants):
    assert [int(np.sum(variants.contig == c)) for c in THREE] == [130, 50, 50]
    assert variants.dense.sum() == 80
    assert set(variants.contig[variants.dense]) == {"1"}
    for contig in THREE:
        position = variants.position[variants.contig == contig]
        start = genotypes.REGION_START[contig] * 1_000_000
        assert (np.diff(position) > 0).all()
        assert start < position[0] < position[-1] <= start + 5_000_000
    (row,) = np.flatnonzero(variants.planted == 0)
    frequency = variants.genotypes[row].mean() / 2
    assert variants.dense[row]
    assert min(frequency, 1 - frequency) == pytest.approx(0.3, abs=0.03)
    assert (variants.ref != variants.alt).all()


def test_relatives_share_alleles(pedigree, variants):
    calls = variants.genotypes.astype(int)
    one, two = of_kind(pedigree, "duplicate")
    np.testing.assert_array_equal(calls[:, one], calls[:, two])
    parent, child = of_kind(pedigree, "parent_child")
    autosome = variants.contig != "X"
    assert np.abs(calls[autosome][:, parent] - calls[autosome][:, child]).max() == 1
    mother = ~pedigree.male[parent]
    assert np.abs(calls[~autosome][:, parent[mother]] - calls[~autosome][:, child[mother]]).max() == 1
    one, two = of_kind(pedigree, "siblings")
    opposite = np.abs(calls[autosome][:, one] - calls[autosome][:, two]) == 2
    strangers = np.abs(calls[autosome][:, one] - np.roll(calls[autosome][:, two], 1, axis=1)) == 2
    assert opposite.mean() < 0.5 * strangers.mean()


def test_males_are_hemizygous_on_x(pedigree, variants):
    x = variants.genotypes[variants.contig == "X"]
    assert not np.any(x[:, pedigree.male] == 1)
    assert np.mean(x[:, ~pedigree.male] == 1) > 0.1


def test_populations_differ_as_declared(pedigree, variants):
    """Hudson's Fst (Bhatia et al. 2013, eq. 10) between two of the populations, averaged over few contigs."""
    calls = variants.genotypes[(variants.contig != "X") & ~variants.dense]
    p, q = (calls[:, pedigree.deme == deme].mean(axis=1) / 2 for deme in (0, 1))
    n, m = (2 * np.sum(pedigree.deme == deme) for deme in (0, 1))
    above = (p - q) ** 2 - p * (1 - p) / (n - 1) - q * (1 - q) / (m - 1)
    fst = above.sum() / (p * (1 - q) + q * (1 - p)).sum()
    assert 0.03 < fst < 0.2


def test_dense_block_has_ld_and_sparse_variants_little(variants):
    def neighbours_r2(rows):
        return np.mean([np.corrcoef(a, b)[0, 1] ** 2 for a, b in itertools.pairwise(rows)])

    calls = variants.genotypes.astype(float)
    dense, sparse = calls[variants.dense], calls[~variants.dense & (variants.contig != "X")]
    assert neighbours_r2(dense) > 4 * neighbours_r2(sparse)


def test_redeal_keeps_the_frequencies_of_each_deme():
    rng = np.random.default_rng(3)
    deme = np.repeat([0, 1], [60, 40])
    haplotypes = (rng.random((30, 100)) < 0.3 + 0.4 * deme).astype(np.int8)
    dealt = redeal(haplotypes, np.arange(30) * 4_000, deme, rng)
    for d in (0, 1):
        np.testing.assert_array_equal(dealt[:, deme == d].sum(axis=1), haplotypes[:, deme == d].sum(axis=1))
    np.testing.assert_array_equal(dealt[0] + 2 * dealt[1], (dealt[:2] * [[1], [2]]).sum(axis=0))
    pairs = {tuple(column) for column in haplotypes[:2].T}
    assert {tuple(column) for column in dealt[:2].T} <= pairs  # positions 0 and 4000 lie in one segment


def test_gamete_crosses_over_at_one_centimorgan_a_megabase():
    rng = np.random.default_rng(4)
    haplotypes = np.tile(np.array([[0, 1]], np.int8), (200, 1))
    position = np.linspace(0, 10_000_000, 200)
    gametes = np.array([gamete(haplotypes, position, 0, 10_000_000, rng) for _ in range(2000)])
    crossovers = np.abs(np.diff(gametes, axis=1)).sum(axis=1)
    assert crossovers.mean() == pytest.approx(0.1, abs=4 * (0.1 / 2000) ** 0.5)
    assert gametes[:, 0].mean() == pytest.approx(0.5, abs=0.05)


def test_father_gives_x_to_daughters_only():
    pedigree = make_pedigree(40, 20, np.random.default_rng(5))
    rng = np.random.default_rng(6)
    haplotypes = rng.integers(0, 2, (200, 2 * len(pedigree.founder_deme))).astype(np.int8)
    calls = drop_genes(haplotypes, np.arange(200) * 10_000, pedigree, 2_000_000, True, rng)
    for child in np.flatnonzero(pedigree.father >= 0):
        paternal = haplotypes[:, 2 * pedigree.father[child]]
        if pedigree.male[child]:
            assert set(np.unique(calls[:, child])) == {0, 2}
        else:
            assert set(np.unique(calls[:, child] - paternal)) <= {0, 1}


def test_faults_are_where_they_are_listed(pedigree, variants):
    related = np.unique([m for *pair, _ in pedigree.pairs for m in pair])
    faults = choose_faults(SETTINGS, variants, np.setdiff1d(np.arange(300), related), 1)
    calls = spoil(variants, faults, pedigree.male, 0.002, 1)
    called = (calls >= 0).mean(axis=0)
    low = faults.samples["low_call_rate"]
    assert called[low].max() < 0.95 < np.delete(called, low).min()
    het = (calls[variants.contig != "X"] == 1).mean(axis=0)
    excess = faults.samples["excess_heterozygosity"]
    assert het[excess].min() > het.mean() + 4 * het.std() or het[excess].min() > np.delete(het, excess).max()
    assert not set(faults.variants["hwe"]) & set(np.flatnonzero(variants.planted >= 0))
    groups = [*faults.samples.values()]
    assert len(np.unique(np.concatenate(groups))) == sum(map(len, groups))


def test_missing_share_and_no_fault_elsewhere(pedigree, variants):
    faults = choose_faults(SETTINGS, variants, np.arange(300), 1)
    calls = spoil(variants, faults, pedigree.male, 0.01, 1)
    rows = np.setdiff1d(np.arange(len(calls)), np.concatenate([*faults.variants.values()]))
    columns = np.setdiff1d(np.arange(300), np.concatenate([*faults.samples.values()]))
    part, truth = calls[np.ix_(rows, columns)], variants.genotypes[np.ix_(rows, columns)]
    assert (part < 0).mean() == pytest.approx(0.01, abs=0.002)
    np.testing.assert_array_equal(part[part >= 0], truth[part >= 0])


def test_spread_is_even_and_complete():
    np.testing.assert_array_equal(spread(5, 5), np.arange(5))
    chosen = spread(1000, 100)
    assert len(chosen) == 100
    assert set(np.diff(chosen)) <= {10, 11}


def test_too_long_chromosomes_are_refused(pedigree):
    with pytest.raises(UserError, match="chromosome_mb is 30"):
        simulate_genotypes(Simulate(chromosome_mb=30), pedigree, 1, 1)
