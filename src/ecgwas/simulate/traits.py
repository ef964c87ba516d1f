"""Genotypes and people -> ECG parameters and diseases: every component of the variance has its declared share."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import stats

from ecgwas.config import Simulate
from ecgwas.errors import UserError
from ecgwas.simulate.ecg import PARAMETERS
from ecgwas.simulate.genotypes import Variants
from ecgwas.simulate.genotypes_people import ANCESTRY

POLYGENIC_VARIANTS = 300  # of each parameter, at most

# Prevalence, and weights of standardised parameters, age, male sex and BMI in the liability.
DISEASES = {
    "af": (0.06, {"age": 0.5, "male": 0.2, "bmi": 0.2, "pr_ms": 0.3, "p_amplitude_mv": -0.3}),
    "hf": (0.04, {"age": 0.4, "bmi": 0.2, "qrs_ms": 0.4, "t_amplitude_mv": -0.3, "heart_rate_bpm": 0.2}),
    "mi": (0.06, {"age": 0.4, "male": 0.4, "bmi": 0.2, "t_axis_deg": 0.2, "t_amplitude_mv": -0.2, "qt_ms": 0.1}),
    "conduction": (0.05, {"age": 0.4, "pr_ms": 0.5, "qrs_ms": 0.5}),
}


@dataclass(frozen=True)
class Truth:
    """Parameters and where their variance comes from."""

    values: dict[str, np.ndarray]  # float64 [member] of each parameter, in its unit
    betas: np.ndarray  # float64 [locus], change of the parameter in its unit for one ALT allele
    polygenic: dict[str, tuple[np.ndarray, np.ndarray]]  # variants (rows) and betas, unit per ALT allele


def simulate_people(male: np.ndarray, ancestry: np.ndarray, same_age: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Age (years), bmi (kg/m2) [member]; `same_age` [member] names the member whose age one has (twins), or itself."""
    rng = np.random.default_rng([seed, 5])
    age = np.clip(rng.normal(57, 9, len(male)), 30, 85).round(1)[same_age]
    log_bmi = rng.normal(np.log(26.5), 0.15, len(male)) + 0.002 * (age - 57) + 0.02 * male + 0.05 * ancestry[:, 0]
    return {"age": age, "bmi": np.exp(log_bmi).round(1)}


def simulate_parameters(
    settings: Simulate, variants: Variants, male: np.ndarray, deme: np.ndarray, people: dict[str, np.ndarray], seed: int
) -> Truth:
    """Parameters of all members: covariates + offset of ancestry + planted + polygenic + noise.

    The noise is made orthogonal to the sum of the others and fills the variance up to one in-sample, so a planted
    variant explains the declared share of its parameter's variance (before values are clipped to their range).
    """
    rng = np.random.default_rng([seed, 6])
    z: dict[str, np.ndarray] = {}
    betas, polygenic, values = np.zeros(len(settings.loci)), {}, {}
    eligible = np.isin(variants.contig, [str(c) for c in settings.polygenic_chromosomes]) & ~variants.dense
    for name, parameter in PARAMETERS.items():
        parts = parameter.age * scaled(people["age"]) + parameter.male * (male - male.mean())
        parts += parameter.bmi * scaled(people["bmi"]) + parameter.heart_rate * z.get("heart_rate_bpm", 0.0)
        parts += settings.population_variance**0.5 * scaled((ANCESTRY @ rng.standard_normal(3))[deme])
        for number, locus in enumerate(settings.loci):
            if locus.parameter == name:
                dose = variants.genotypes[variants.planted == number][0].astype(float)
                beta = rng.choice([-1, 1]) * (locus.variance_explained / dose.var()) ** 0.5
                parts += beta * (dose - dose.mean())
                betas[number] = beta * parameter.sd
        rows, effects, score = polygenic_score(variants, eligible, settings.polygenic_variance, rng)
        polygenic[name] = (rows, effects * parameter.sd)
        z[name] = fill_with_noise(name, parts + score, rng)
        values[name] = np.clip(parameter.mean + parameter.sd * z[name], parameter.low, parameter.high)
    return Truth(values, betas, polygenic)


def scaled(values: np.ndarray) -> np.ndarray:
    """Mean 0 and variance 1; zeros stay where all are equal."""
    centred = values - values.mean()
    return centred / (centred.std() or 1.0)


def polygenic_score(
    variants: Variants, eligible: np.ndarray, variance: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, effects per ALT allele (SD) and score [member] of `variance`, in equal shares of random variants."""
    candidates = np.flatnonzero(eligible)
    rows = np.sort(rng.choice(candidates, min(POLYGENIC_VARIANTS, len(candidates)), replace=False))
    doses = variants.genotypes[rows].astype(float)
    effects = rng.standard_normal(len(rows)) / doses.std(axis=1)
    score = effects @ (doses - doses.mean(axis=1, keepdims=True))
    scale = variance**0.5 / (score.std() or 1.0)
    return rows, effects * scale, score * scale


def fill_with_noise(name: str, parts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`parts` [member] plus noise uncorrelated with them in-sample, together of variance 1."""
    parts = parts - parts.mean()
    if parts.var() >= 0.98:
        raise UserError(
            f"simulate: the shares declared for {name} add up to {parts.var():.2f} of its variance; lower them"
        )
    noise = scaled(rng.standard_normal(len(parts)))
    noise = scaled(noise - parts * (noise @ parts) / (parts @ parts or 1.0))
    return parts + (1 - parts.var()) ** 0.5 * noise


def simulate_diseases(
    values: dict[str, np.ndarray], male: np.ndarray, people: dict[str, np.ndarray], seed: int
) -> dict[str, np.ndarray]:
    """0/1 [member] of each disease: liability over the threshold that gives its prevalence (Falconer 1965)."""
    rng = np.random.default_rng([seed, 7])
    terms = {"age": scaled(people["age"]), "bmi": scaled(people["bmi"]), "male": male - male.mean()}
    terms |= {name: scaled(value) for name, value in values.items()}
    diseases = {}
    for name, (prevalence, weights) in DISEASES.items():
        liability = sum(weight * terms[term] for term, weight in weights.items()) + rng.standard_normal(len(male))
        diseases[name] = (liability > np.quantile(liability, 1 - prevalence)).astype(int)
    return diseases


def power(
    dose: np.ndarray, value: np.ndarray, beta: float, covariates: np.ndarray, p: float = 5e-8
) -> dict[str, float]:
    """Analytic power of the t test of a planted variant in n people, adjusted for `covariates` [n, k].

    Chi-square with one degree of freedom and noncentrality n f² with f² = r²/(1 - r²) (Cohen 1988, section 9.3), r² the
    share of the parameter's variance left by the covariates; expected −log10 p is at the median statistic.
    """
    design = np.column_stack([np.ones(len(dose)), covariates])
    dose_left, value_left = (v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (dose, value))
    r2 = beta**2 * dose_left.var() / value_left.var()
    noncentrality = len(dose) * r2 / (1 - r2)
    return {
        "n_expected": len(dose),
        "partial_r2": r2,
        "noncentrality": noncentrality,
        "power": float(stats.ncx2.sf(stats.chi2.isf(p, 1), 1, noncentrality)),
        "expected_neg_log10_p": float(-stats.norm.logsf(noncentrality**0.5) / np.log(10) - np.log10(2)),
    }


def locus_table(
    settings: Simulate, variants: Variants, truth: Truth, analysed: np.ndarray, covariates: np.ndarray
) -> pl.DataFrame:
    """One row a planted locus: the variant, its effect, and its power among `analysed` members (bool [member])."""
    rows = []
    for number, locus in enumerate(settings.loci):
        row = np.flatnonzero(variants.planted == number)[0]
        dose, value = variants.genotypes[row].astype(float), truth.values[locus.parameter]
        frequency, beta = dose.mean() / 2, truth.betas[number]
        rows.append(
            {
                "contig": str(variants.contig[row]),
                "position": int(variants.position[row]),
                "ref": str(variants.ref[row]),
                "alt": str(variants.alt[row]),
                "rsid": f"snp{variants.contig[row]}_{variants.position[row]}",
                "parameter": locus.parameter,
                "variance_explained": locus.variance_explained,
                "variance_explained_realised": beta**2 * dose.var() / value.var(),
                "maf": locus.maf,
                "maf_realised": min(frequency, 1 - frequency),
                "af": frequency,
                "beta": beta,
                **power(dose[analysed], value[analysed], beta, covariates[analysed]),
            }
        )
    return pl.DataFrame(rows)
