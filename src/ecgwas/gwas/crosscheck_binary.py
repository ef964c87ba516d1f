"""Leads of 0/1 traits -> score, Wald, likelihood-ratio and Firth tests by us and by Hail: how far they are apart.

Hail's logistic regression knows no offset and no per-trait covariate: both sides test without predictions.
"""

from dataclasses import replace

import numpy as np
import polars as pl

from ecgwas.associations.analysed import People
from ecgwas.config import Gwas
from ecgwas.gwas import trait_groups
from ecgwas.gwas.engines import hail_regression, torch_logistic
from ecgwas.gwas.engines.torch_linear import coded
from ecgwas.stats import firth, logistic

MAX_TRAITS = 20  # Hail takes seconds a trait and test
TOLERANCE = 1e-3  # of z, and of beta and standard error in standard errors


def tested_traits(loci: pl.DataFrame, names: list[str]) -> list[int]:
    """Traits significant at a locus, those of the strongest loci first; without any, the first ones."""
    ranked = loci.sort("neg_log10_p", descending=True)
    found = list(dict.fromkeys(name for row in ranked["significant_traits"].to_list() for name in row))
    return [names.index(name) for name in (found or names)[:MAX_TRAITS]]


def ours(dosage: np.ndarray, people: People, settings: Gwas) -> dict[str, np.ndarray]:
    """The numbers of hail_regression.logistic [V, T]: the score test by the scan's engine, the others one by one."""
    plain = settings.model_copy(update={"correction": "none"})
    groups = trait_groups.build(people.y, people.c, axes=False)
    out = {"score_chi_sq_stat": torch_logistic.TorchLogistic(people, "", groups, plain).block(dosage).z ** 2}
    shape = (len(dosage), people.y.shape[1])
    names = [f"{test}_{field}" for test in ("wald", "lrt", "firth") for field in hail_regression.LOGISTIC[test]]
    out |= {name: np.full(shape, np.nan) for name in names}
    for j in range(shape[1]):
        seen = np.isfinite(people.y[:, j])
        y, x = people.y[seen, j], np.column_stack([np.ones(seen.sum()), people.c[seen]])
        g, sign, *_ = coded(dosage[:, seen].astype(np.float64))
        for i in range(shape[0]):
            beta, se, chi2 = logistic.with_genotype(y, x, g[i])
            out["wald_beta"][i, j] = out["lrt_beta"][i, j] = sign[i] * beta
            out["wald_standard_error"][i, j], out["lrt_chi_sq_stat"][i, j] = se, chi2
            beta, _, out["firth_chi_sq_stat"][i, j] = firth.exact(y, x, g[i])
            out["firth_beta"][i, j] = sign[i] * beta
    return out


def differences(our: dict[str, np.ndarray], hail: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Largest difference over traits [V]: beta and standard error in standard errors, the other tests in z."""
    unit = hail["wald_standard_error"]
    apart = {
        "beta_difference": np.abs(our["wald_beta"] - hail["wald_beta"]) / unit,
        "se_difference": np.abs(our["wald_standard_error"] - unit) / unit,
        "firth_beta_difference": np.abs(our["firth_beta"] - hail["firth_beta"]) / unit,
    }
    for test in ("score", "lrt", "firth"):
        name = f"{test}_chi_sq_stat"
        apart[f"{test}_difference"] = np.abs(np.sqrt(our[name]) - np.sqrt(hail[name]))
    return {name: np.nanmax(np.nan_to_num(value), axis=1, initial=0) for name, value in apart.items()}


def compare(
    dosage: np.ndarray, people: People, z: np.ndarray, loci: pl.DataFrame, settings: Gwas
) -> dict[str, np.ndarray]:
    """`differences` of the leads `dosage` [V, n], and how far the scan's own `z` [V, T] is from Hail's Firth test."""
    chosen = tested_traits(loci, people.traits)
    some = replace(people, y=people.y[:, chosen], traits=[people.traits[j] for j in chosen], loco=None)
    hail = hail_regression.logistic(dosage, some.y, some.c, ["score", "wald", "lrt", "firth"])
    apart = np.abs(np.abs(z[:, chosen]) - np.sqrt(hail["firth_chi_sq_stat"]))
    scan = np.nanmax(np.nan_to_num(apart), axis=1, initial=0)
    return differences(ours(dosage, some, settings), hail) | {"scan_difference": scan}
