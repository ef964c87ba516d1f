"""Labels and scores of all cohorts -> the tables of performance, calibration, decisions, subgroups and population."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from ecgwas import tables
from ecgwas.cli import run
from ecgwas.config import Predict
from ecgwas.errors import UserError
from ecgwas.predict.evaluate import operating_point, performance, scored, subgroups
from ecgwas.predict.evaluate.scored import ScoredSplit
from ecgwas.predict.evaluate.subgroups import GroupTables

Rows = dict[tables.Table, list[dict]]


def discriminated(part: ScoredSplit, settings: Predict) -> Rows:
    """Rows of AUROC and average precision, and of the methods' differences."""
    found = {outcome.name: performance.resampled(outcome) for outcome in part.outcomes}
    return {
        tables.PREDICT_PERFORMANCE: list(performance.discrimination_rows(part, found, settings.min_cell)),
        tables.PREDICT_DIFFERENCES: list(performance.difference_rows(part, found)),
    }


def applied(part: ScoredSplit, columns: GroupTables, fixed: dict, settings: Predict) -> Rows:
    """Rows of what thresholds and probabilities, fixed before, are worth among the people of a test split."""
    made: Rows = defaultdict(list)
    groups = {name: subgroups.grouping(name, part.labels, columns, settings.age_bands) for name in settings.subgroups}
    for outcome in part.outcomes:
        for method, s in outcome.methods.items():
            given = fixed.get((outcome.name, method)) or operating_point.not_estimable()
            p = given.platt.probabilities(s)
            made[tables.PREDICT_THRESHOLDS] += operating_point.threshold_rows(outcome, method, given, settings)
            if len(s):
                made[tables.PREDICT_POPULATION] += operating_point.population_rows(
                    part, outcome, method, p, groups, settings.min_cell
                )
            if outcome.reason:
                continue
            made[tables.PREDICT_PERFORMANCE] += performance.calibration_rows(
                outcome, method, p, settings.min_cell, given.platt
            )
            made[tables.PREDICT_RELIABILITY] += operating_point.reliability_rows(outcome, method, p, settings)
            made[tables.PREDICT_DECISION] += operating_point.decision_rows(outcome, method, p)
            made[tables.PREDICT_SUBGROUPS] += operating_point.subgroup_rows(outcome, method, given, groups, settings)
    return made


def evaluated(
    cohorts: dict[str, tuple[pl.DataFrame, scored.CohortScores, GroupTables]], settings: Predict, seed: int
) -> Iterator[tuple[str, str, Rows]]:
    """Cohort, split and rows: first the validation split of the training cohort, then every test split."""
    learnt = settings.train or next(iter(cohorts))
    if learnt not in cohorts:
        raise UserError(f"predict.train names {learnt!r}; the cohorts are {', '.join(cohorts)}; name one of them")
    labels, scores, _ = cohorts[learnt]
    # A prevalence, or the net benefit of acting on all, tells how many cases there are.
    protocol = scored.Protocol(max(settings.min_cases, settings.min_cell), settings.resamples, seed)
    validation = scored.scored_split(learnt, "validation", labels, scores, protocol)
    fixed = operating_point.fix(validation, settings)
    made = discriminated(validation, settings)
    made[tables.PREDICT_THRESHOLDS] = []
    for outcome in validation.outcomes:
        for method in outcome.methods:
            given = fixed.get((outcome.name, method)) or operating_point.not_estimable()
            made[tables.PREDICT_THRESHOLDS] += operating_point.threshold_rows(outcome, method, given, settings)
    yield learnt, "validation", made
    for cohort, (labels, scores, columns) in cohorts.items():
        part = scored.scored_split(cohort, "test", labels, scores, protocol)
        first, then = discriminated(part, settings), applied(part, columns, fixed, settings)
        yield cohort, "test", {table: first.get(table, []) + then.get(table, []) for table in first | then}


def tabled(parts: Iterator[tuple[str, str, Rows]]) -> dict[tables.Table, pl.DataFrame]:
    """Rows of all cohorts and splits as tables."""
    rows: Rows = defaultdict(list)
    for cohort, split, made in parts:
        print(f"{cohort}, {split}: {sum(map(len, made.values()))} rows", flush=True)
        for table, found in made.items():
            rows[table] += [{"cohort": cohort, "split": split} | row for row in found]
    return {table: table.from_rows(found) for table, found in rows.items()}


def read(
    cohorts: list[str],
    methods: list[str],
    labels: list[Path],
    scores: list[Path],
    columns: list[GroupTables],
    settings: Predict,
) -> dict[str, tuple[pl.DataFrame, scored.CohortScores, GroupTables]]:
    """Labels, scores and columns by cohort."""
    if len(scores) != len(cohorts) * len(methods):
        raise UserError(
            f"{len(scores)} tables of scores for {len(cohorts)} cohorts and {len(methods)} methods;"
            " give one a method, cohort by cohort"
        )
    found = {}
    for k, (cohort, path, about) in enumerate(zip(cohorts, labels, columns, strict=True)):
        table = scored.read_labels(path, settings)
        own = scores[k * len(methods) : (k + 1) * len(methods)]
        found[cohort] = table, scored.read_scores(table, methods, own), about
    return found


def main(
    cohorts: list[str],
    methods: list[str],
    labels: list[Path],
    scores: list[Path],
    recordings: list[Path],
    people: list[Path | None],
    samples: list[Path | None],
    performance_out: Path,
    differences_out: Path,
    thresholds_out: Path,
    reliability_out: Path,
    decision_out: Path,
    subgroups_out: Path,
    population_out: Path,
    settings: Predict | None = None,
    seed: int = 1,
) -> None:
    """Judge every method in every cohort by one protocol: thresholds and probabilities fixed in the validation split.

    Args:
        cohorts: Names of the cohorts, as a JSON list; the next lists are in their order.
        methods: Methods, as a JSON list; one may stand several times, for tables with other shares of labels.
        labels: labels.parquet of each cohort.
        scores: Scores of each cohort's methods, cohort by cohort; columns `share` and `draw` tell few labels apart.
        recordings: recordings.parquet of each cohort.
        people: People table of each cohort, or null.
        samples: samples.parquet of each cohort, or null.
        performance_out: Written: AUROC, average precision and calibration.
        differences_out: Written: paired differences of methods.
        thresholds_out: Written: sensitivity, specificity, PPV and NPV at the threshold carried over.
        reliability_out: Written: told and seen risk.
        decision_out: Written: net benefit.
        subgroups_out: Written: measures and gaps of groups of people.
        population_out: Written: distribution and trend of risk, whom screening finds.
        settings: The study's block `predict`.
        seed: Seed of the bootstrap.
    """
    columns = [GroupTables(*paths) for paths in zip(recordings, people, samples, strict=True)]
    settings = settings or Predict()
    made = tabled(evaluated(read(cohorts, methods, labels, scores, columns, settings), settings, seed))
    outputs = {
        tables.PREDICT_PERFORMANCE: performance_out,
        tables.PREDICT_DIFFERENCES: differences_out,
        tables.PREDICT_THRESHOLDS: thresholds_out,
        tables.PREDICT_RELIABILITY: reliability_out,
        tables.PREDICT_DECISION: decision_out,
        tables.PREDICT_SUBGROUPS: subgroups_out,
        tables.PREDICT_POPULATION: population_out,
    }
    for table, path in outputs.items():
        table.write(made.get(table, table.empty()), path)


if __name__ == "__main__":
    run(main)
