"""Our SuSiE against pysusie, a port of susieR 0.12 that agrees with it to 4e-8."""

from pathlib import Path

import msprime
import numpy as np
import pytest

from ecgwas.finemap.credible_sets import credible_sets
from ecgwas.finemap.susie import Options, adjusted_z, susie

pysusie = pytest.importorskip("pysusie")

LOCI = 10


def locus(seed: int, people: int = 800) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """t statistics [3 traits, variant], LD and degrees of freedom of a coalescent locus with 0 to 4 causal variants."""
    ancestry = msprime.sim_ancestry(
        people, sequence_length=150_000, recombination_rate=1e-8, population_size=10_000, random_seed=seed + 1
    )
    haplotypes = msprime.sim_mutations(ancestry, rate=1e-8, random_seed=seed + 1).genotype_matrix() > 0
    dosages = haplotypes[:, ::2].astype(float) + haplotypes[:, 1::2]
    frequency = dosages.mean(axis=1) / 2
    x = dosages[(frequency > 0.02) & (frequency < 0.98)]
    x = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
    rng = np.random.default_rng([seed, 1])
    y = rng.normal(size=(3, people))
    for trait in y:
        for j in rng.choice(len(x), rng.integers(0, 5), replace=False):
            trait += 0.25 * rng.normal() * x[j]
    y -= y.mean(axis=1, keepdims=True)
    r = (y @ x.T) / people / y.std(axis=1, keepdims=True)
    R = np.corrcoef(x)
    return r * np.sqrt((people - 2) / (1 - r**2)), R, np.full(len(y), people - 2.0)


def pip(alpha: np.ndarray, prior_variance: np.ndarray) -> np.ndarray:
    """PIP [variant] of effects with a prior variance over 1e-5 of the trait: smaller ones end in rounding errors."""
    return 1 - np.prod(1 - alpha[prior_variance > 1e-5], axis=0)


@pytest.mark.parametrize("estimate_residual_variance", [False, True])
@pytest.mark.parametrize(("estimate_prior_variance", "tolerance"), [(False, 1e-6), (True, 1e-4)])
def test_same_pips_sets_and_bound(estimate_prior_variance, tolerance, estimate_residual_variance):
    """Same PIPs, same 95 % credible sets, same evidence lower bound, with z scores adjusted for n by either side.

    Where susieR's local search of a prior variance ends on a lower hill than our global one, our bound is higher
    and PIPs may differ: seen for 1 of these 30 traits.
    """
    n_sets, higher = 0, 0
    for seed in range(LOCI):
        t, R, df = locus(seed)
        options = {
            "estimate_prior_variance": estimate_prior_variance,
            "estimate_residual_variance": estimate_residual_variance,
        }
        ours = susie(adjusted_z(t, df), R, df + 2, Options(max_iterations=500, **options))
        for k, z in enumerate(t):
            theirs = pysusie.susie_rss(z=z, R=R, n=df[k] + 2, max_iter=500, n_purity=10**6, **options)
            sets = credible_sets(ours.alpha[k], ours.prior_variance[k], ours.log_bf[k], R)
            expected = {tuple(found) for found in theirs["sets"]["cs"] or []}
            assert {tuple(found.variants) for found in sets} == expected
            n_sets += len(expected)
            assert ours.elbo[k][-1] > theirs["elbo"][-1] - 1e-3
            if ours.elbo[k][-1] > theirs["elbo"][-1] + 1e-2:
                higher += 1
                continue
            expected_pip = pip(theirs["alpha"], theirs["V"])
            assert np.abs(pip(ours.alpha[k], ours.prior_variance[k]) - expected_pip).max() < tolerance
            assert ours.residual_variance[k] == pytest.approx(theirs["sigma2"], rel=1e-4)
    assert n_sets >= LOCI
    assert higher <= estimate_prior_variance


@pytest.mark.realdata
def test_same_on_real_linkage(realdata: Path):
    """489 Europeans of 1000 Genomes, real LD with perfect proxies: same PIPs and sets."""
    pgenlib = pytest.importorskip("pgenlib")
    bed = realdata / "geno_1kg_eur_windows" / "1000G.subset.3.bed"
    rows = sum(1 for _ in bed.with_suffix(".bim").open())
    calls = np.empty((rows, 489), np.int8)
    pgenlib.PgenReader(str(bed).encode(), raw_sample_ct=489, variant_ct=rows).read_range(0, rows, calls)
    x = calls.astype(float)[(calls >= 0).all(axis=1)]
    frequency = x.mean(axis=1) / 2
    x = x[(frequency > 0.02) & (frequency < 0.98)][:500]
    x = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
    rng = np.random.default_rng(11)
    R = np.corrcoef(x)
    for j in rng.choice(len(x), 4, replace=False):
        y = 0.4 * x[j] + rng.normal(size=489)
        r = x @ (y - y.mean()) / 489 / y.std()
        t = r * np.sqrt(487 / (1 - r**2))
        ours = susie(adjusted_z(t[None], [487]), R, [489], Options(max_iterations=500))
        theirs = pysusie.susie_rss(z=t, R=R, n=489, max_iter=500, n_purity=10**6, estimate_residual_variance=True)
        sets = credible_sets(ours.alpha[0], ours.prior_variance[0], ours.log_bf[0], R)
        assert np.abs(ours.pip[0] - theirs["pip"]).max() < 1e-4
        assert {tuple(found.variants) for found in sets} == {tuple(found) for found in theirs["sets"]["cs"] or []}
