"""Embeddings, intervals or any table of numbers -> traits, covariates, and the excluded with reasons."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import tables
from ecgwas.cli import run
from ecgwas.config import Phenotypes
from ecgwas.errors import UserError
from ecgwas.files import atomic
from ecgwas.people import read_withdrawn
from ecgwas.people.outcomes import read_outcomes
from ecgwas.phenotypes import (
    analysed_people,
    angles,
    design,
    exclusions,
    normalise,
    repeatability,
    study_covariates,
    testable_outcomes,
)
from ecgwas.phenotypes.analysed_people import Recordings
from ecgwas.phenotypes.formulas import Formulas
from ecgwas.phenotypes.study_covariates import Covariates
from ecgwas.stats.repeated_measures import person_means


@dataclass(frozen=True)
class Traits:
    """What a cohort is analysed by."""

    values: np.ndarray  # [person, trait], NaN missing
    names: list[str]
    reliability: pl.DataFrame
    excluded: pl.DataFrame
    transform: dict[str, np.ndarray]


def covariate_columns(
    joined: pl.DataFrame, formulas: Formulas, n_pcs: int, where: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The design [person, column] without intercept, standardised, and a row for each excluded collinear column."""
    pcs = [f"pc{k + 1}" for k in range(n_pcs)]
    designed = design.design(joined, formulas, where)
    names = [*designed.names, *pcs]
    x = np.column_stack([designed.x, design.standardise(joined.select(pcs).to_numpy())]) if pcs else designed.x
    kept = design.independent(x)
    detail = "constant, or a combination of the columns before it"
    collinear = [name for j, name in enumerate(names) if j not in kept]
    rows = [analysed_people.row("covariate", name, "collinear", detail) for name in collinear]
    rows += [analysed_people.row("covariate", name, "few_people", which) for name, which in designed.joined.items()]
    twice = next((names[j] for j in kept if [names[k] for k in kept].count(names[j]) > 1), None)
    if twice:
        raise UserError(f"{where}: two covariates are called {twice!r}; rename the column of the people table")
    table = joined.select("person_id", "sample_id").with_columns(pl.Series(names[j], x[:, j]) for j in kept)
    return table, pl.concat([tables.TRAITS_EXCLUDED.empty(), *rows])


def adjusted(recorded: Recordings, ids: np.ndarray, c: np.ndarray, coefficients: np.ndarray):
    """Recordings of the people `ids` less the covariate fit of their person: person [recording], values."""
    order = np.argsort(ids)
    at = np.clip(np.searchsorted(ids[order], recorded.person), 0, len(ids) - 1)
    known = ids[order][at] == recorded.person
    rows = order[at[known]]
    return recorded.person[known], recorded.values[known] - normalise.with_intercept(c[rows]) @ coefficients


def half_differences(person: np.ndarray, values: np.ndarray) -> np.ndarray:
    """[person with two recordings, column]: (first - second) / sqrt(2), whose variance is that within a person."""
    order = np.argsort(person, kind="stable")
    person, values = person[order], values[order]
    first = np.flatnonzero(np.r_[True, person[1:] != person[:-1]])
    twice = first[np.diff(np.r_[first, len(person)]) >= 2]
    return (values[twice] - values[twice + 1]) / np.sqrt(2)


def axes(y: np.ndarray, recorded: Recordings, ids: np.ndarray, c: np.ndarray, settings: Phenotypes) -> Traits:
    """Embedding means `y` [person, dimension] -> whitened axes, residualised again where rank-normalised."""
    if normalise.constant(y, y - y.mean(axis=0)):
        raise UserError(f"all {y.shape[1]} embedding dimensions are constant over {len(y)} people: nothing to analyse")
    first = normalise.whiten(y, c, settings.axes)
    person, values = adjusted(recorded, ids, c, first.coefficients)
    noise = half_differences(person, values)
    if settings.axes_by == "repeatability" and len(noise) < 2 * y.shape[1]:
        print(
            f"{len(noise)} people with two recordings for {y.shape[1]} dimensions: axes by variance instead", flush=True
        )
    elif settings.axes_by == "repeatability":
        first = normalise.whiten(y, c, settings.axes, noise)
    names = [f"axis{k + 1:02d}" for k in range(first.loadings.shape[1])]
    scores = (y - normalise.with_intercept(c) @ first.coefficients) @ first.loadings
    if settings.rank_normalise:
        scores = np.column_stack([normalise.normal_scores(s) for s in normalise.residual(scores, c).T])
    return Traits(
        scores,
        names,
        repeatability.table(values @ first.loadings, person, names),
        tables.TRAITS_EXCLUDED.empty(),
        {"coefficients": first.coefficients, "loadings": first.loadings, "variance": first.variance},
    )


def columns(y: np.ndarray, recorded: Recordings, ids: np.ndarray, c: np.ndarray, settings: Phenotypes) -> Traits:
    """Each column of means `y` [person, column] -> one trait; constant or rare ones are excluded."""
    coefficients = np.zeros((1 + c.shape[1], y.shape[1]))
    kept, values, excluded = [], [], [tables.TRAITS_EXCLUDED.empty()]
    for j, name in enumerate(recorded.names):
        seen = np.isfinite(y[:, j])
        if seen.sum() < settings.min_people:
            detail = f"{seen.sum()} people have a value, fewer than min_people = {settings.min_people}"
            excluded.append(analysed_people.row("trait", name, "too_few_people", detail))
            continue
        coefficients[:, j] = normalise.fit(y[seen, j], c[seen])
        resid = normalise.residual(y[seen, j], c[seen])
        if normalise.constant(y[seen, j], resid):
            detail = f"SD {np.std(y[seen, j]):.3g} over {seen.sum()} people, {np.std(resid):.3g} after covariates"
            excluded.append(analysed_people.row("trait", name, "constant", detail))
            continue
        kept.append(j)
        values.append(np.full(len(y), np.nan))
        values[-1][seen] = normalise.normal_scores(resid) if settings.rank_normalise else resid
    excluded_traits = pl.concat(excluded)
    if not kept:
        why = "; ".join(
            f"{r['id']}: {r['reason']} ({r['detail']})" for r in excluded_traits.head(5).iter_rows(named=True)
        )
        raise UserError(f"no trait is left to analyse of {len(recorded.names)}: {why}")
    names = [recorded.names[j] for j in kept]
    person, residuals = adjusted(recorded, ids, c, coefficients)
    repeatable = repeatability.table(residuals[:, kept], person, names)
    return Traits(np.column_stack(values), names, repeatable, excluded_traits, {"coefficients": coefficients[:, kept]})


def cases(y: np.ndarray, recorded: Recordings, c: np.ndarray, settings: Phenotypes) -> Traits:
    """Each 0/1 column of `y` [person, column] -> one trait as it is; those that cannot be tested are excluded."""
    kept, excluded = testable_outcomes.testable(y, recorded.names, c, settings.min_cases)
    names = [recorded.names[j] for j in kept]
    return Traits(y[:, kept], names, tables.RELIABILITY.empty(), excluded, {})


def analysed(
    recorded: Recordings,
    adjusting: Covariates,
    samples: pl.DataFrame,
    pcs: pl.DataFrame,
    settings: Phenotypes,
    where: str,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """People with trait, covariates and genotypes, in the order of the genotypes, and the excluded with reasons."""
    with_trait = np.unique(recorded.person.astype(str))
    chosen = analysed_people.analysable(with_trait, samples, where)
    base = adjusting.values(recorded)
    joined, incomplete = analysed_people.complete(chosen, base, pcs, adjusting.shown, settings.pcs)
    excluded = pl.concat([analysed_people.reasons(with_trait, samples), incomplete])
    if joined.height < settings.min_people:
        counts = excluded.filter(kind="person")["reason"].value_counts().sort("reason").rows()
        counted = ", ".join(f"{count} {reason}" for reason, count in counts)
        raise UserError(
            f"{where}: {joined.height} people have trait, covariates and genotypes, fewer than"
            f" `phenotypes.min_people` = {settings.min_people} (excluded: {counted or 'nobody'})"
        )
    return joined, excluded


def build(
    recorded: Recordings, joined: pl.DataFrame, c: np.ndarray, whiten: bool, settings: Phenotypes, outcomes: bool
) -> Traits:
    """Traits of the people `joined`, whose covariates are `c` [person, covariate]."""
    axes_deg = [] if whiten or outcomes else tables.circular(recorded.names)
    with_trait, means = person_means(recorded.person, recorded.values, axes_deg)
    ids = joined["person_id"].to_numpy().astype(str)
    y = means[np.searchsorted(with_trait, ids)]
    if outcomes:
        return cases(y, recorded, c, settings)
    if whiten:
        return axes(y, recorded, ids, c, settings)
    if not axes_deg:
        return columns(y, recorded, ids, c, settings)
    cut = angles.cuts(y, recorded.names)
    near = angles.of_recordings(recorded, with_trait, means, cut)
    traits = columns(angles.deviations(y, cut), near, ids, c, settings)
    kept = [recorded.names.index(name) for name in traits.names]
    return replace(traits, transform=traits.transform | {"cut_deg": cut[kept]})


def main(
    values: Path,
    whiten: bool,
    people: Path,
    samples: Path,
    pcs: Path,
    settings: Phenotypes,
    traits: Path,
    covariates: Path,
    reliability: Path,
    excluded: Path,
    transform: Path,
    classical: bool = False,
    outcomes: list[str] | None = None,
    recordings: Path | None = None,
    withdrawn: Path | None = None,
    bridge: Path | None = None,
) -> None:
    """Person means of `values` -> traits adjusted for covariates, for kept people with all covariates.

    Without one of each pair of relatives, unless `settings.relatives` keeps them.

    Args:
        values: table of numbers by person_id, or by recording_id and person_id.
        whiten: the numbers are an embedding, of which whitened axes are the traits.
        people: the cohort's people and their covariates.
        samples: genotyped samples, whether they are kept and unrelated.
        pcs: principal components of the genotypes.
        settings: the `phenotypes` block, as JSON.
        traits: table of the traits, written.
        covariates: table of the design without intercept, written.
        reliability: table of the repeatability of each trait, written.
        excluded: table of people, traits, covariates and recordings excluded, with reasons, written.
        transform: how the traits follow from the values (.npz), written.
        classical: the values are the classical measurements, of which `settings.intervals` are taken.
        outcomes: columns of the values that are 0/1 outcomes, written as they are, true and false.
        recordings: the cohort's recordings, for covariates of the recording.
        withdrawn: list of person or sample ids of people who withdrew consent, whose values are not read.
        bridge: table of person_id and sample_id.
    """
    wanted, consent = settings.intervals if classical else None, read_withdrawn(withdrawn, bridge)
    recorded = (
        Recordings(*read_outcomes(values, outcomes))
        if outcomes
        else analysed_people.recordings(values, whiten, wanted, consent)
    )
    recorded, unmeasured = exclusions.applied(recorded, settings.exclude)
    genotyped = tables.SAMPLES.read(samples)
    genotyped = (
        genotyped.with_columns(unrelated=pl.col("keep") & pl.col("copy_of").is_null())
        if settings.relatives == "keep"
        else genotyped
    )
    where = f"{values} with {people}"
    adjusting = study_covariates.read(people, recordings, settings.covariates, settings.pcs)
    joined, left_out = analysed(recorded, adjusting, genotyped, tables.PCS.read(pcs), settings, where)
    left_out = left_out.join(unmeasured, on=["kind", "id"], how="anti")  # one row per person
    design_columns, noted = covariate_columns(joined, adjusting.formulas, settings.pcs, where)
    c = design_columns.drop("person_id", "sample_id").to_numpy()
    built = build(recorded, joined, c, whiten, settings, bool(outcomes))
    rows = pl.concat([left_out, unmeasured, noted, recorded.excluded, built.excluded]).sort("kind", "reason", "id")
    counts = rows.group_by("kind", "reason").len().sort("kind", "reason").rows()
    print(f"{joined.height} people, {len(built.names)} traits; excluded: {counts}", flush=True)
    table = joined.select("person_id", "sample_id").with_columns(
        pl.Series(name, column).fill_nan(None).cast(pl.Boolean if outcomes else pl.Float64)
        for name, column in zip(built.names, built.values.T, strict=True)
    )
    tables.TRAITS.write(table, traits)
    tables.COVARIATES.write(design_columns, covariates)
    tables.RELIABILITY.write(built.reliability, reliability)
    tables.TRAITS_EXCLUDED.write(rows, excluded)
    stored = {
        "traits": np.array(built.names),
        "columns": np.array(recorded.names),
        "covariates": np.array(design_columns.columns[2:]),
        **built.transform,
    }
    with atomic(transform) as temporary, temporary.open("wb") as file:
        np.savez(file, **stored)


if __name__ == "__main__":
    run(main)
