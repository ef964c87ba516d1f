"""Labels, embeddings and intervals of all cohorts -> risk of diseases to come, and what it is worth in each cohort."""

from collections import defaultdict
from pathlib import Path

import numpy as np

from ecgwas import tables
from ecgwas.cli import run
from ecgwas.config import Predict
from ecgwas.errors import UserError
from ecgwas.predict.survival import covariates, evaluation, risk_models
from ecgwas.predict.survival.covariates import FollowedCohort
from ecgwas.predict.survival.risk_models import RiskModel

Rows = dict[tables.Table, list[dict]]


def lacking(event: np.ndarray, least: int) -> str | None:
    """Why events [n] of a split are not enough."""
    with_event, without = int((event == 1).sum()), int((event != 1).sum())
    return (
        f"not estimable: fewer than {least} people with, or without, the event"
        if min(with_event, without) < least
        else None
    )


def cohort_rows(cohort: FollowedCohort, outcome: str, risks: list[RiskModel], settings: Predict, seed: int) -> Rows:
    """Rows of a cohort's test people."""
    rows = cohort.followed(outcome, "test")
    years, event = cohort.times(outcome, rows)
    made: Rows = {tables.SURVIVAL_RISKS: _told(cohort, rows, risks, settings)}
    reason = lacking(event, max(settings.min_cases, settings.min_cell))  # what is told of a cohort tells its events
    if reason:
        return made | {tables.SURVIVAL: [_none(reason)]}
    given = evaluation.follow_up(years, event, settings, seed)
    count = int((event == 1).sum())
    shown = count if min(count, len(event) - count) >= settings.min_cell else None
    found = evaluation.performance_rows(given, risks, lambda risk: risk.space.of(cohort, rows))
    made[tables.SURVIVAL] = [row | {"n_events": shown} for row in found]
    for t in sorted(set(settings.horizons_years) - set(given.horizons)):
        reason = f"not estimable: fewer than {settings.min_cell} people followed past {t:g} years"
        made[tables.SURVIVAL].append(_none(reason) | {"horizon_years": t, "n": len(rows)})
    made[tables.SURVIVAL_CURVES], made[tables.SURVIVAL_CALIBRATION] = [], []
    for risk in risks:
        x = risk.space.of(cohort, rows)
        made[tables.SURVIVAL_CURVES] += evaluation.curve_rows(given, risk, x, settings)
        made[tables.SURVIVAL_CALIBRATION] += evaluation.calibration_rows(given, risk, x, settings)
    return made


def _none(reason: str) -> dict:
    empty = dict.fromkeys(
        ("method", "head", "metric", "horizon_years", "other", "value", "low", "high", "n", "n_events")
    )
    return empty | {"reason": reason}


def _told(cohort: FollowedCohort, rows: np.ndarray, risks: list[RiskModel], settings: Predict) -> list[dict]:
    """Rows of risks told, a person, model and horizon."""
    ids = cohort.table[rows.tolist()].select("recording_id", "person_id").to_dicts()
    made = []
    for risk in risks:
        x = risk.space.of(cohort, rows)
        linear, chance = risk.linear(x), risk.incidence(x, np.array(settings.horizons_years))
        for who, score, told in zip(ids, linear, chance, strict=True):
            for t, p in zip(settings.horizons_years, told, strict=True):
                row = {"method": risk.model, "head": risk.head, "linear": float(score), "horizon_years": t}
                made.append(who | row | {"risk": float(p) if np.isfinite(p) else None, "reason": None})
    return made


def _left_out(cohort: FollowedCohort, outcome: str, split: str) -> list[dict]:
    """Rows of a split's people who have a time, but no embedding."""
    ids = cohort.table[cohort.without_embedding(outcome, split).tolist()].select("recording_id", "person_id").to_dicts()
    empty = dict.fromkeys(("method", "head", "linear", "horizon_years", "risk"))
    who = {"cohort": cohort.name, "outcome": outcome, "split": split, "reason": "no_embedding"}
    return [one | empty | who for one in ids]


def outcome_rows(
    cohorts: list[FollowedCohort], learnt: FollowedCohort, outcome: str, settings: Predict, seed: int
) -> Rows:
    """Rows of one outcome: fitted in one cohort, judged in all."""
    rows, lost = learnt.followed(outcome, "train"), _left_out(learnt, outcome, "train")
    lost += [row for cohort in cohorts for row in _left_out(cohort, outcome, "test")]
    reason = (
        lacking(learnt.times(outcome, rows)[1], settings.min_cases) if len(rows) else "not estimable: nobody followed"
    )
    if reason:
        who = {"cohort": learnt.name, "outcome": outcome, "split": "train"}
        return {tables.SURVIVAL: [who | _none(reason)], tables.SURVIVAL_RISKS: lost}
    risks = risk_models.fit(learnt, outcome, settings)
    who = {"cohort": learnt.name, "outcome": outcome, "split": "train"}
    made: Rows = defaultdict(list, {tables.SURVIVAL_RISKS: lost})
    made[tables.SURVIVAL_HAZARD_RATIOS] = [
        who | row for risk in risks if risk.head == "cox" for row in risk_models.ratios(risk)
    ]
    for cohort in cohorts:
        who = {"cohort": cohort.name, "outcome": outcome, "split": "test"}
        if not len(cohort.followed(outcome, "test")):
            made[tables.SURVIVAL].append(who | _none("not estimable: nobody followed"))
            continue
        for table, found in cohort_rows(cohort, outcome, risks, settings, seed).items():
            made[table] += [who | row for row in found]
    return made


def main(
    cohorts: list[str],
    labels: list[Path],
    embeddings: list[Path],
    intervals: list[Path],
    survival_out: Path,
    hazard_ratios_out: Path,
    curves_out: Path,
    calibration_out: Path,
    risks_out: Path,
    settings: Predict | None = None,
    seed: int = 1,
) -> None:
    """Fit risk of incident outcomes in one cohort and judge it in all: nothing is fitted or chosen again there.

    Args:
        cohorts: Names of the cohorts, as a JSON list; the next lists are in their order.
        labels: labels.parquet of each cohort.
        embeddings: Embeddings of each cohort.
        intervals: intervals.parquet of each cohort.
        survival_out: Written: concordance, AUC, Brier score, calibration and differences.
        hazard_ratios_out: Written: hazard ratios and the check that hazards are proportional.
        curves_out: Written: Kaplan-Meier and Aalen-Johansen by group of risk.
        calibration_out: Written: told and observed risk by group.
        risks_out: Written: risk of each test person.
        settings: The study's block `predict`.
        seed: Seed of the bootstrap.
    """
    settings = settings or Predict()
    outcomes = [name for name, outcome in settings.outcomes.items() if outcome.kind == "incident"]
    if not outcomes:
        raise UserError("predict.outcomes: none of kind incident, which this step predicts; name one")
    read = [covariates.read(*paths) for paths in zip(cohorts, labels, embeddings, intervals, strict=True)]
    learnt = next((c for c in read if c.name == (settings.train or cohorts[0])), None)
    if learnt is None:
        raise UserError(f"predict.train names {settings.train!r}; the cohorts are {', '.join(cohorts)}; name one")
    rows: Rows = defaultdict(list)
    for outcome in outcomes:
        for table, found in outcome_rows(read, learnt, outcome, settings, seed).items():
            rows[table] += found
        print(f"{outcome}: {len(rows[tables.SURVIVAL])} rows so far", flush=True)
    outputs = {
        tables.SURVIVAL: survival_out,
        tables.SURVIVAL_HAZARD_RATIOS: hazard_ratios_out,
        tables.SURVIVAL_CURVES: curves_out,
        tables.SURVIVAL_CALIBRATION: calibration_out,
        tables.SURVIVAL_RISKS: risks_out,
    }
    for table, path in outputs.items():
        table.write(table.from_rows(rows[table]), path)


if __name__ == "__main__":
    run(main)
