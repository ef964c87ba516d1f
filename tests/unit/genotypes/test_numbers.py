"""Pruning, kinship, components, unrelated sets and Hardy-Weinberg against brute force and closed forms."""

import itertools

import numpy as np
import pytest

from ecgwas.genotypes.qc import cohort, qc
from ecgwas.genotypes.qc.hardy_weinberg import hardy_weinberg_p, mid_p
from ecgwas.genotypes.structure import ancestry, kinship, pcs, prune, relatedness, relatives


def test_pruned_set_has_no_near_pair_in_ld_and_leaves_out_nothing_it_need_not():
    rng = np.random.default_rng([1])
    walk = rng.normal(0, 2, 80) + np.cumsum(rng.normal(0, 0.4, (300, 80)), 0)
    dosages = np.digitize(walk - walk.mean(1, keepdims=True), [-1.5, 1.5]).astype(np.float32)
    dosages[rng.random(dosages.shape) < 0.02] = np.nan
    contig = np.repeat(["1", "2"], 150)
    position = np.tile(np.arange(150) * 1000, 2)
    kept = prune.prune(np.split(dosages, 10), contig, position, 0.1, 20_000)
    filled = np.where(np.isnan(dosages), np.nanmean(dosages, 1, keepdims=True), dosages)
    r2 = np.corrcoef(filled) ** 2
    near = (contig[:, None] == contig) & (np.abs(position[:, None] - position) <= 20_000)
    np.fill_diagonal(near, False)
    conflict = (r2 > 0.1) & near
    assert 0 < kept.sum() < 300
    assert not conflict[np.ix_(kept, kept)].any()
    earlier = np.tril(conflict, -1)
    assert (earlier[~kept][:, kept].any(1)).all()
    for size in (1, 7, 300):
        blocks = [dosages[i : i + size] for i in range(0, 300, size)]
        assert (prune.prune(blocks, contig, position, 0.1, 20_000) == kept).all()


def king_by_hand(a: np.ndarray, b: np.ndarray) -> float:
    """Manichaikul et al. 2010, equation 11, one pair at a time."""
    called = (a >= 0) & (b >= 0)
    a, b = a[called], b[called]
    n_a, n_b = (a == 1).sum(), (b == 1).sum()
    both, opposite = ((a == 1) & (b == 1)).sum(), (np.abs(a - b) == 2).sum()
    return (both - 2 * opposite) / (2 * min(n_a, n_b)) + 0.5 - 0.25 * (n_a + n_b) / min(n_a, n_b)


def test_king_equals_the_formula_pair_by_pair(family_calls, monkeypatch):
    monkeypatch.setattr(kinship, "SAMPLES", 50)
    monkeypatch.setattr(kinship, "VARIANTS", 700)
    phi = kinship.king_block(family_calls, family_calls)
    pairs = [(0, 1), (2, 3), (4, 5), (7, 100), (60, 61), (3, 119)]
    by_hand = [king_by_hand(family_calls[:, i], family_calls[:, j]) for i, j in pairs]
    assert [phi[p] for p in pairs] == pytest.approx(by_hand, abs=1e-6)
    assert kinship.king_pairs(family_calls, *np.array(pairs).T) == pytest.approx(by_hand, abs=1e-6)
    assert phi[0, 1] > 0.4
    assert 0.2 < phi[2, 3] < 0.3
    assert 0.15 < phi[4, 5] < 0.3


@pytest.mark.parametrize(("few", "limit"), [(0.0, -0.01), (1.0, -0.01), (0.02, 0.0442)])
def test_bounded_king_keeps_exactly_the_pairs_above_the_limit(family_calls, monkeypatch, few, limit):
    monkeypatch.setattr(kinship, "SAMPLES", 50)
    monkeypatch.setattr(kinship, "FEW", few)
    calls = family_calls.copy()
    calls[np.random.default_rng([13]).random(3000) < 0.3, 7] = -1  # a sample with many missing calls
    phi = kinship.king_block(calls, calls)
    assert (kinship.king_bound(calls, calls, *[kinship._sizes(calls)] * 2) >= phi - 1e-6).all()
    found = kinship.king_above(calls, limit)
    assert found.tuples() == [tuple(p) for p in np.argwhere(np.triu(phi > limit, 1)).tolist()]
    assert np.allclose(found.phi, phi[found.i, found.j], atol=1e-6)
    assert (0, 1) in found.tuples()


def test_pc_relate_finds_the_planted_relatives_and_no_other(family_calls, monkeypatch):
    components = pcs.fit(family_calls, 10)
    assert pcs.n_structural(components.eigenvalues) >= 1
    scores, everyone = pcs.project(components, family_calls)[:, :1], np.ones(120, bool)
    model = kinship.frequency_model(family_calls, scores, everyone)
    phi = kinship.pc_relate_block(family_calls, scores, model, slice(0, 120), slice(0, 120))
    assert np.diag(phi).mean() == pytest.approx(0.5, abs=0.02)
    for size in (2048, 50):
        monkeypatch.setattr(kinship, "SAMPLES", size)
        related, limit = kinship.pc_relate_above(family_calls, scores, everyone, 0.0884)
        assert related.tuples() == [(0, 1), (2, 3), (4, 5)]
        assert np.allclose(related.phi, phi[related.i, related.j], atol=1e-6)
        assert limit == 0.0884


def test_one_of_copies_stands_for_all_and_relatives_stay():
    pairs = kinship.Pairs(np.array([0, 1, 4]), np.array([1, 2, 5]), np.full(3, 0.5))
    unrelated, preferred = np.ones(7, bool), np.ones(7, bool)
    unrelated[[0, 2]] = False  # 1 is in the unrelated set; of 4 and 5 neither is, and only 5 has an ECG
    unrelated[[4, 5]] = preferred[4] = False
    assert relatedness.copies(pairs, unrelated, preferred).tolist() == [1, -1, 1, -1, 5, -1, -1]


def test_components_without_the_gram_matrix_are_the_same(family_calls, monkeypatch):
    whole = pcs.fit(family_calls, 3)
    monkeypatch.setattr(pcs, "GRAM", 10)
    blocked = pcs.fit(family_calls, 3)
    assert np.allclose(blocked.eigenvalues, whole.eigenvalues, rtol=1e-5)
    assert np.allclose(np.abs((blocked.loadings * whole.loadings).sum(0)), 1, atol=1e-4)


def test_components_are_eigenvectors_and_projection_gives_back_the_scores(family_calls):
    components = pcs.fit(family_calls, 5)
    p = pcs.frequencies(family_calls)
    z = pcs.standardise(family_calls, p, len(p))
    values, vectors = np.linalg.eigh(z.T @ z)
    scores = pcs.project(components, family_calls)
    assert np.allclose(components.eigenvalues, values[::-1][:5])
    for k in range(5):
        assert abs(scores[:, k] @ vectors[:, -1 - k]) == pytest.approx(np.sqrt(values[-1 - k]), rel=1e-6)
    again = pcs.project(pcs.fit(family_calls, 5), family_calls)
    assert (scores == again).all()


@pytest.mark.parametrize("seed", range(6))
def test_unrelated_set_is_the_best_there_is(seed):
    rng = np.random.default_rng([2, seed])
    n = 11
    pairs = [(i, j) for i in range(n) for j in range(i) if rng.random() < 0.25]
    preferred = rng.random(n) < 0.5
    chosen = relatives.unrelated(n, pairs, preferred)
    assert not any(chosen[i] and chosen[j] for i, j in pairs)
    best = (0, 0)
    for size in range(n + 1):
        for people in itertools.combinations(range(n), size):
            if not any(i in people and j in people for i, j in pairs):
                best = max(best, (int(preferred[list(people)].sum()), size))
    assert (int(preferred[chosen].sum()), int(chosen.sum())) == best
    assert (relatives.unrelated(n, pairs[::-1], preferred) == chosen).all()


def test_large_families_get_a_maximal_set():
    ring = [(i, (i + 1) % 60) for i in range(60)]
    chosen = relatives.unrelated(61, ring, np.zeros(61, bool))
    assert chosen[60]
    assert not any(chosen[i] and chosen[j] for i, j in ring)
    assert all(chosen[i] or chosen[i - 1] or chosen[(i + 1) % 60] for i in range(60))


def test_hardy_weinberg_mid_p_by_enumeration():
    # 3 people, 2 rare alleles: 0 heterozygotes with probability 1/5, 2 with 4/5
    assert mid_p(2, 0, 1) == pytest.approx(0.1)
    assert mid_p(1, 2, 0) == pytest.approx(0.2 + 0.4)
    assert hardy_weinberg_p(np.array([[0, 50, 0], [10, 0, 0], [25, 50, 25]])).tolist()[1:] == pytest.approx(
        [1, 0.92], abs=0.02
    )
    assert mid_p(500, 0, 500) < 1e-200


def test_hardy_weinberg_p_is_uniform_under_the_null():
    rng = np.random.default_rng([3])
    calls = rng.binomial(2, 0.4, (4000, 500))
    counts = np.stack([(calls == g).sum(1) for g in range(3)], 1)
    p = hardy_weinberg_p(counts)
    assert (p < 0.05).mean() == pytest.approx(0.05, abs=0.012)


def test_ancestry_groups_part_two_populations_and_leave_out_those_between():
    rng = np.random.default_rng([4])
    points = np.concatenate([rng.normal(0, 0.1, (100, 1)), rng.normal(3, 0.1, (100, 1)), np.full((5, 1), 1.5)])
    group = ancestry.groups(points, 1)
    assert set(group[:90]) - {-1} != set(group[100:190]) - {-1}
    assert (group[200:] == -1).all()
    assert len(np.unique(group[group >= 0])) == 2
    assert (ancestry.groups(points, 0) == 0).all()


def test_heterozygosity_outliers_stand_out_of_ancestry():
    rng = np.random.default_rng([5])
    pc = rng.normal(size=(500, 2))
    f = 0.02 * pc[:, 0] + 0.01 * pc[:, 1] ** 2 + rng.normal(0, 0.002, 500)
    f[[7, 8]] += [0.03, -0.03]
    z = qc.heterozygosity_z(f, pc)
    assert set(np.flatnonzero(np.abs(z) > 5)) == {7, 8}


def test_inbreeding_tells_the_sexes_apart():
    rng = np.random.default_rng([6])
    p = rng.uniform(0.1, 0.5, (300, 1))
    women, men = rng.binomial(2, p, (300, 40)), 2 * rng.binomial(1, p, (300, 40))
    f = qc.inbreeding(np.concatenate([women, men], 1).astype(np.int8), haploid_males=True)
    assert f[40:].min() == 1
    assert f[:40].max() < 0.75


@pytest.mark.parametrize(("variants", "low", "high"), [(10, 0.05, 0.1), (40, 0.1, 0.5), (300, 0.1, 0.5)])
def test_spread_of_womens_inbreeding_is_as_told(variants, low, high):
    rng = np.random.default_rng([26])
    p = rng.uniform(low, high, variants)
    women, men = rng.binomial(2, p[:, None], (variants, 4000)), 2 * rng.binomial(1, p[:, None], (variants, 4000))
    f = qc.inbreeding(np.concatenate([women, men], 1).astype(np.int8), haploid_males=True)[:4000]
    sd = qc.inbreeding_sd(p)
    assert f.std() == pytest.approx(sd, rel=0.1)
    made, taken_for_men = sd * cohort.SEX_SDS <= 0.8, (f > 0.8).mean()
    assert made == (variants == 300)
    if made:
        assert taken_for_men == 0
    if variants == 10:
        assert taken_for_men > 0.1  # why the check is not made then


def test_no_x_variant_tells_no_sex():
    assert qc.inbreeding_sd(np.zeros(0)) == np.inf


def test_few_strangers_exceed_the_king_limit():
    rng = np.random.default_rng([12])
    p = rng.uniform(0.05, 0.95, 1000)
    calls = rng.binomial(2, p[:, None], (1000, 200)).astype(np.int8)
    phi = kinship.king_block(calls, calls)
    limit = kinship.king_limit(p, 200, 0)
    assert (np.triu(phi, 1) > limit).sum() < 0.001 * 200 * 199 / 2
    assert kinship.king_limit(p, 200, 0.4) == 0.4
