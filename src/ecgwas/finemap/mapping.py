"""One region -> posteriors of causal variants: SuSiE of each significant trait, and the effect shared by all axes."""

from dataclasses import dataclass, replace

import numpy as np

from ecgwas.config import Finemap
from ecgwas.finemap import ld
from ecgwas.finemap.credible_sets import CredibleSet, credible_sets
from ecgwas.finemap.regions import JOINT, Region
from ecgwas.finemap.shared_effect import shared_effect
from ecgwas.finemap.susie import Options, adjusted_z, susie
from ecgwas.gwas import trait_groups
from ecgwas.stats import linear, tails


@dataclass(frozen=True)
class Panel:
    """Linkage disequilibrium of a region in the people of one group of traits."""

    used: np.ndarray  # rows of the region that are fine-mapped: tested, with variance
    residuals: np.ndarray  # [used, person] unit length, covariates projected out
    R: np.ndarray  # [used, used]
    lead_r2: np.ndarray  # [variant] of the region, with the lead of its locus
    n: int
    min_eigenvalue: float


@dataclass(frozen=True)
class Result:
    """One trait of one region, or the joint effect at one locus of it, fine-mapped."""

    trait: str
    covered: np.ndarray  # rows of the region that are reported
    rows: np.ndarray  # those of them that are fine-mapped
    pip: np.ndarray  # [rows]
    sets: list[CredibleSet]  # places among `rows`
    iterations: int
    converged: bool
    neg_log10_p: np.ndarray  # [variant] of the region
    lead_r2: np.ndarray  # [variant] of the region
    n: int
    min_eigenvalue: float
    first_set: int = 1


@dataclass(frozen=True)
class Mapped:
    """A locus and one of its tests: the result, or the reason why there is none."""

    locus: str
    trait: str
    result: Result | None
    reason: str | None


def in_people(dosages: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Columns of `dosages`, without a copy where they are all."""
    return dosages if len(rows) == dosages.shape[1] else dosages[:, rows]


def make_panel(region: Region, group: trait_groups.Group, tested: np.ndarray) -> Panel:
    """LD among the `tested` (mask) variants in the people of `group`."""
    residuals = linear.unit_residuals(in_people(region.dosages, group.rows), group.q)
    r2 = np.minimum((residuals @ residuals[region.leads()].T) ** 2, 1)
    lead_r2 = r2[np.arange(len(r2)), region.nearest()]
    used = np.flatnonzero(tested & residuals.any(axis=1))
    residuals = residuals[used]
    R = ld.correlation(residuals)
    low = ld.smallest_eigenvalue(R, group.df) if len(used) else float("nan")
    return Panel(used, residuals, R, lead_r2, len(group.rows), low)


def map_axes(
    region: Region, group: trait_groups.Group, traits: list[str], settings: Finemap, normal: bool = False
) -> dict[str, Result]:
    """SuSiE of `traits`, all of one group, on one LD matrix. `normal`: the statistics of 0/1 traits, z and not t."""
    t = region.t(traits)
    panel = make_panel(region, group, np.isfinite(t).all(axis=0))
    if not len(panel.used):
        return {}
    df = np.full(len(traits), float(group.df))
    options = Options(
        effects=settings.effects,
        prior_variance=settings.prior_variance,
        estimate_residual_variance=settings.estimate_residual_variance,
        max_iterations=settings.max_iterations,
    )
    fit = susie(adjusted_z(t[:, panel.used], df), panel.R, df + 2, options)
    purity = settings.min_abs_corr
    results = {}
    for k, trait in enumerate(traits):
        sets = credible_sets(fit.alpha[k], fit.prior_variance[k], fit.log_bf[k], panel.R, settings.coverage, purity)
        results[trait] = Result(
            trait=trait,
            covered=np.arange(region.variants.height),
            rows=panel.used,
            pip=fit.pip[k],
            sets=sets,
            iterations=int(fit.iterations[k]),
            converged=bool(fit.converged[k]),
            neg_log10_p=tails.from_t(t[k], np.inf if normal else group.df),
            lead_r2=panel.lead_r2,
            n=panel.n,
            min_eigenvalue=panel.min_eigenvalue,
        )
    return results


def given_leads(region: Region, group: trait_groups.Group, others: np.ndarray) -> trait_groups.Group:
    """The group with the genotypes at the rows `others` among the covariates, so that their effects are no part of it.

    Its joint axes are again of length 1.
    """
    if not len(others):
        return group
    leads = linear.unit_residuals(in_people(region.dosages, group.rows)[others], group.q)
    u, s, _ = np.linalg.svd(leads.T, full_matrices=False)
    basis = u[:, s > linear.RANK]
    axes = linear.project_out(basis, group.unit @ group.w)
    axes /= np.linalg.norm(axes, axis=0)
    return replace(group, q=np.column_stack([group.q, basis]), unit=axes, w=np.eye(axes.shape[1]))


def map_joint(region: Region, group: trait_groups.Group, locus: int, settings: Finemap) -> Result | None:
    """The one causal variant of a locus shared by all axes, in the people and on the axes of the joint test.

    Looked for among the variants that are nearer to this lead than to another of the region, given the other leads.
    """
    p, nearest = region.joint(), region.nearest() == locus
    conditional = given_leads(region, group, np.delete(region.leads(), locus))
    panel = make_panel(region, conditional, np.isfinite(p) & nearest)
    if not len(panel.used):
        return None
    z = np.sqrt(conditional.df + 1) * (panel.residuals @ (conditional.unit @ conditional.w)).T
    fit = shared_effect(z, settings.max_iterations)
    strength, always = np.array([fit.log_bf]), np.ones(1)
    sets = credible_sets(fit.pip[None], always, strength, panel.R, settings.coverage, settings.min_abs_corr)
    return Result(
        trait=JOINT,
        covered=np.flatnonzero(nearest),
        rows=panel.used,
        pip=fit.pip,
        sets=sets,
        iterations=fit.iterations,
        converged=fit.converged,
        neg_log10_p=p,
        lead_r2=panel.lead_r2,
        n=panel.n,
        min_eigenvalue=panel.min_eigenvalue,
    )


def trait_results(region: Region, cohort: ld.Cohort, settings: Finemap) -> dict[str, Result]:
    """Every significant trait whose strongest variant is in the region; traits of a group share one LD matrix."""
    wanted = [trait for trait in region.span.traits() if not region.stronger_outside(trait)]
    results: dict[str, Result] = {}
    for group in cohort.groups:
        members = [trait for trait in wanted if cohort.group_of(trait) is group]
        results |= map_axes(region, group, members, settings, cohort.people.binary) if members else {}
    return results


def map_region(region: Region, cohort: ld.Cohort, settings: Finemap) -> list[Mapped]:
    """Each locus with each of its significant traits; and the joint effect where no trait is, or where it is stronger.

    An effect spread over axes is weak on each: there the shared effect gives the smaller sets, at the same coverage.
    """
    if region.variants.height > settings.max_variants:
        return [Mapped(locus["locus"], trait, None, "too_many_variants") for locus, trait in region.span.wanted()]
    by_trait, mapped, sets = trait_results(region, cohort, settings), [], 1
    group = next((g for g in cohort.groups if g.w is not None), None)
    for locus, trait in region.span.wanted():
        result, reason = by_trait.get(trait), "no_variants"
        if trait == JOINT and group is None:
            reason = "no_joint_test"
        elif region.stronger_outside(trait):
            reason = "stronger_outside"
        elif trait == JOINT:
            result = map_joint(region, group, region.span.loci.index(locus), settings)
        if result is not None and trait == JOINT:
            result, sets = replace(result, first_set=sets), sets + len(result.sets)
        mapped.append(Mapped(locus["locus"], trait, result, None if result else reason))
    return mapped
