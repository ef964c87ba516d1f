"""The one causal variant that many axes share."""

import numpy as np
import pytest
from scipy.stats import chi2

from ecgwas.finemap.credible_sets import smallest_set
from ecgwas.finemap.shared_effect import shared_effect
from ecgwas.finemap.susie import Options, adjusted_z, susie

PEOPLE, VARIANTS, AXES = 1500, 250, 12


def test_one_axis_is_a_single_effect(genotypes):
    """With one axis the posterior is that of SuSiE with one effect and known residual variance."""
    x = genotypes(1, PEOPLE, VARIANTS)
    R = np.corrcoef(x)
    y = np.random.default_rng(1).normal(size=PEOPLE) + 0.3 * x[40]
    r = np.array([np.corrcoef(y, row)[0, 1] for row in x])[None]
    z = adjusted_z(r * np.sqrt((PEOPLE - 2) / (1 - r**2)), [PEOPLE - 2])
    single = susie(z, R, [PEOPLE], Options(effects=1, estimate_residual_variance=False))
    joint = shared_effect(z)
    np.testing.assert_allclose(joint.pip, single.alpha[0, 0], atol=1e-6)
    assert joint.log_bf == pytest.approx(single.log_bf[0, 0], abs=1e-6)


def test_null_axes_add_no_noise():
    """An axis whose evidence favours no effect is switched off: the posterior is that without it."""
    rng = np.random.default_rng(2)
    z = rng.normal(size=(1, 50)) + np.where(np.arange(50) == 7, 6, 0)
    quiet = np.full((3, 50), 0.5) * rng.choice([-1, 1], (3, 50))
    np.testing.assert_allclose(shared_effect(np.vstack([z, quiet])).pip, shared_effect(z).pip, atol=1e-6)
    assert (shared_effect(np.vstack([z, quiet])).ratio[1:] == 0).all()


def test_order_and_sign_of_axes_change_nothing():
    rng = np.random.default_rng(3)
    z = rng.normal(size=(6, 80))
    z[:, 11] += 3
    order, sign = rng.permutation(6), rng.choice([-1, 1], (6, 1))
    np.testing.assert_allclose(shared_effect((z * sign)[order]).pip, shared_effect(z).pip, atol=1e-4)


def test_evidence_grows_with_each_cycle():
    rng = np.random.default_rng(4)
    z = rng.normal(size=(8, 60)) + np.where(np.arange(60) == 5, 2.5, 0)
    evidence = [shared_effect(z, max_iterations=limit).log_bf for limit in range(1, 8)]
    assert (np.diff(evidence) > -1e-9).all()
    assert shared_effect(z).converged


def only_jointly_significant(x: np.ndarray, rng: np.random.Generator, dense: bool, loci: int = 150):
    """(causal variant, z [axis, variant]) of simulated loci past p = 5e-8 in the joint test and in no single axis."""
    causal, direction = rng.integers(len(x), size=loci), rng.normal(size=(loci, AXES))
    direction *= 1 if dense else np.arange(AXES) < 4
    direction *= np.sqrt(rng.uniform(0.03, 0.05, (loci, 1))) / np.linalg.norm(direction, axis=1, keepdims=True)
    y = rng.normal(size=(PEOPLE, loci, AXES)) + x[causal].T[:, :, None] * direction
    y = ((y - y.mean(axis=0)) / y.std(axis=0)).reshape(PEOPLE, -1)
    z = (np.sqrt(PEOPLE - 1) / PEOPLE * (x @ y)).reshape(len(x), loci, AXES).transpose(1, 2, 0)
    joint, single = chi2.sf((z**2).sum(axis=1).max(axis=1), AXES), chi2.sf((z**2).max(axis=(1, 2)), 1)
    return [(causal[k], z[k]) for k in np.flatnonzero((joint < 5e-8) & (single > 5e-8))]


@pytest.mark.parametrize("dense", [True, False])
def test_coverage_where_only_the_joint_test_is_significant(genotypes, dense):
    """95 % sets hold the causal variant in at least 93 %, just past p = 5e-8 of the joint test."""
    rng = np.random.default_rng([6, dense])
    covered, sizes, seed = [], [], 0
    while len(covered) < 200:
        x = genotypes(seed % 4, PEOPLE, VARIANTS)
        x = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
        for causal, z in only_jointly_significant(x, rng, dense):
            chosen = smallest_set(shared_effect(z).pip, 0.95)
            covered.append(causal in chosen)
            sizes.append(len(chosen))
        seed += 1
    print(f"{len(covered)} sets, coverage {np.mean(covered):.3f}, median size {np.median(sizes)}")
    assert np.mean(covered) >= 0.93
    assert np.median(sizes) < VARIANTS / 5
