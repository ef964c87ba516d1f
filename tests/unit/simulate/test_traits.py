"""Parameters have the declared components of variance, in closed form and by regression."""

import numpy as np
import pytest
from scipy import stats

from ecgwas.config import Simulate
from ecgwas.errors import UserError
from ecgwas.simulate.ecg import PARAMETERS
from ecgwas.simulate.genotypes import Variants
from ecgwas.simulate.genotypes_people import ANCESTRY
from ecgwas.simulate.traits import (
    DISEASES,
    fill_with_noise,
    locus_table,
    power,
    simulate_diseases,
    simulate_parameters,
    simulate_people,
)

N = 4000
LOCI = [
    {"parameter": "qrs_axis_deg", "variance_explained": 0.05, "maf": 0.3},
    {"parameter": "r_amplitude_mv", "variance_explained": 0.1, "maf": 0.1},
]
SETTINGS = Simulate(people=N, loci=LOCI, polygenic_chromosomes=[1, 2])


@pytest.fixture(scope="module")
def cohort():
    rng = np.random.default_rng(1)
    contig = np.repeat(["1", "2", "3", "4"], 150)
    calls = rng.binomial(2, rng.uniform(0.1, 0.9, (600, 1)), (600, N)).astype(np.int8)
    calls[10], calls[160] = rng.binomial(2, 0.3, N), rng.binomial(2, 0.1, N)
    planted = np.full(600, -1)
    planted[[10, 160]] = [0, 1]
    bases = np.full(600, "A")
    variants = Variants(contig, np.arange(600) + 1, bases, np.full(600, "C"), planted >= 0, planted, calls)
    male, deme = rng.random(N) < 0.5, rng.choice(4, N)
    people = simulate_people(male, ANCESTRY[deme], np.arange(N), 1)
    return variants, male, deme, people, simulate_parameters(SETTINGS, variants, male, deme, people, 1)


def test_planted_shares_are_exact_in_sample(cohort):
    variants, *_, truth = cohort
    table = locus_table(SETTINGS, variants, truth, np.ones(N, bool), np.empty((N, 0)))
    np.testing.assert_allclose(table["variance_explained_realised"], [0.05, 0.1], rtol=0.02)  # clipping at the range


def test_planted_effects_are_recovered_by_regression(cohort):
    variants, *_, truth = cohort
    for number, locus in enumerate(SETTINGS.loci):
        fit = stats.linregress(variants.genotypes[variants.planted == number][0], truth.values[locus.parameter])
        assert abs(fit.slope - truth.betas[number]) < 4 * fit.stderr


def test_nothing_on_other_chromosomes(cohort):
    """Chromosomes 3 and 4 carry no polygenic variant, and their z scores are those of a null."""
    variants, *_, truth = cohort
    null = ~np.isin(variants.contig, ["1", "2"])
    assert not any(null[rows].any() or variants.dense[rows].any() for rows, _ in truth.polygenic.values())
    doses = variants.genotypes[null].astype(float)
    for values in truth.values.values():
        z = [stats.pearsonr(row, values)[0] * N**0.5 for row in doses]
        assert stats.kstest(z, "norm").pvalue > 1e-4


def test_polygenic_share(cohort):
    variants, *_, truth = cohort
    for name, (rows, betas) in truth.polygenic.items():
        score = betas @ variants.genotypes[rows]
        assert score.var() / PARAMETERS[name].sd ** 2 == pytest.approx(SETTINGS.polygenic_variance)


def test_means_spreads_and_covariate_effects(cohort):
    _, male, _, people, truth = cohort
    for name, parameter in PARAMETERS.items():
        assert truth.values[name].mean() == pytest.approx(parameter.mean, abs=0.05 * parameter.sd)
        assert truth.values[name].std() == pytest.approx(parameter.sd, rel=0.05)
        design = np.column_stack([np.ones(N), male, people["age"], people["bmi"], truth.values["heart_rate_bpm"]])
        if name != "heart_rate_bpm":
            effect = np.linalg.lstsq(design, truth.values[name], rcond=None)[0][1]
            assert effect / parameter.sd == pytest.approx(parameter.male, abs=0.15)


def test_noise_is_orthogonal_and_fills_the_variance():
    rng = np.random.default_rng(2)
    parts = rng.standard_normal(500) * 0.7
    whole = fill_with_noise("x", parts, rng)
    assert whole.var() == pytest.approx(1)
    assert np.corrcoef(whole - parts, parts)[0, 1] == pytest.approx(0, abs=1e-12)
    with pytest.raises(UserError, match="declared for x add up to"):
        fill_with_noise("x", parts * 2, rng)


def test_power_agrees_with_replicates():
    rng = np.random.default_rng(3)
    dose, beta, covariates = rng.binomial(2, 0.3, 600).astype(float), 0.45, rng.standard_normal((600, 2))
    left = (
        dose
        - np.column_stack([np.ones(600), covariates])
        @ np.linalg.lstsq(np.column_stack([np.ones(600), covariates]), dose, rcond=None)[0]
    )
    values = beta * dose + rng.standard_normal((2000, 600))
    analytic = np.mean([power(dose, value, beta, covariates)["power"] for value in values[:200]])
    residual = values - values.mean(axis=1, keepdims=True)
    slope = residual @ left / (left @ left)
    error = ((residual - slope[:, None] * left).var(axis=1) * 600 / 598 / (left @ left)) ** 0.5
    assert analytic == pytest.approx(np.mean(stats.norm.isf(2.5e-8) < slope / error), abs=0.05)


def test_diseases_have_their_prevalence_and_causes(cohort):
    _, male, _, people, truth = cohort
    diseases = simulate_diseases(truth.values, male, people, 1)
    for name, (prevalence, weights) in DISEASES.items():
        assert diseases[name].mean() == pytest.approx(prevalence, abs=0.005)
        for parameter in set(weights) & set(PARAMETERS):
            case = truth.values[parameter][diseases[name] == 1].mean()
            control = truth.values[parameter][diseases[name] == 0].mean()
            assert (case - control) * weights[parameter] > 0
