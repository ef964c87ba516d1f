"""A threshold and probabilities fixed in the validation split -> rows of their performance in any cohort."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ecgwas.config import Predict
from ecgwas.predict.evaluate import population, subgroups
from ecgwas.predict.evaluate.performance import named
from ecgwas.predict.evaluate.scored import ScoredOutcome, ScoredSplit
from ecgwas.stats import calibration, net_benefit, thresholds
from ecgwas.stats.calibration import Platt
from ecgwas.stats.thresholds import Threshold


@dataclass(frozen=True)
class OperatingPoint:
    """Threshold and calibration of one method and outcome, fixed in the validation split."""

    threshold: Threshold | None
    platt: Platt


def fix(validation: ScoredSplit, settings: Predict) -> dict[tuple[str, str], OperatingPoint]:
    """Operating points by (outcome, method); none for an outcome that is not estimable in the validation split."""
    found = {}
    for outcome in validation.outcomes:
        for method, s in outcome.methods.items():
            if outcome.reason is None:
                chosen = thresholds.select(outcome.y, s, settings.threshold, settings.specificity)
                found[outcome.name, method] = OperatingPoint(chosen, calibration.platt(outcome.y, s))
    return found


def not_estimable() -> OperatingPoint:
    """No threshold, and the logit taken as the log odds: the outcome is not estimable in the validation split."""
    return OperatingPoint(
        None, Platt(0.0, 1.0, "probabilities are those of the logits: too few cases in the validation split")
    )


def threshold_rows(outcome: ScoredOutcome, method: str, fixed: OperatingPoint, settings: Predict) -> Iterator[dict]:
    """Sensitivity, specificity, PPV, NPV and the share called positive, with Wilson intervals."""
    head = {"outcome": outcome.name, "method": method, "rule": settings.threshold}
    empty = {"threshold": None, "probability": None, "n": None, **named("value", "low", "high", values=(None,) * 3)}
    if fixed.threshold is None or outcome.reason:
        why = outcome.reason or "no threshold: too few cases, or controls, in the validation split"
        yield from (head | empty | {"metric": metric, "reason": why} for metric in thresholds.MEASURES)
        return
    at = fixed.threshold.value
    head |= {"threshold": at, "probability": float(fixed.platt.probabilities(np.array(at)))}
    made = thresholds.rates(outcome.y, outcome.methods[method], at, outcome.person)
    # The share called positive reveals both counts, called and not called: hidden where either is small.
    called = min(made["ppv"].people, made["npv"].people)
    for metric, rate in made.items():
        few = (called if metric == "flagged" else rate.people) < settings.min_cell
        values = (None, None, None) if few else (rate.value, rate.low, rate.high)
        why = f"a share of fewer than {settings.min_cell} people" if few else None
        n = None if few else rate.n
        yield head | {"metric": metric, **named("value", "low", "high", values=values), "n": n, "reason": why}
        if metric == "ppv":
            screened = (None, None, None) if few else tuple(1 / v if v else None for v in (values[0], *values[:0:-1]))
            ends = named("value", "low", "high", values=screened)
            why = why or (None if ends["value"] else "nobody called positive is a case")
            yield head | {"metric": "screened", **ends, "n": n, "reason": why}


def reliability_rows(outcome: ScoredOutcome, method: str, p: np.ndarray, settings: Predict) -> Iterator[dict]:
    """Groups of neighbouring predicted risk: predicted and observed."""
    head = {"outcome": outcome.name, "method": method, "reason": None}
    for k, group in enumerate(calibration.bins(outcome.y, p, outcome.person, settings.min_cell)):
        whose = outcome.person[group.rows]
        made = thresholds.rate(outcome.y[group.rows] == 1, whose)
        ends = named("observed", "low", "high", values=(made.value, made.low, made.high))
        about = {"bin": k + 1, "n": made.n, "n_people": len(np.unique(whose)), "predicted": float(p[group.rows].mean())}
        yield head | about | ends


def decision_rows(outcome: ScoredOutcome, method: str, p: np.ndarray) -> Iterator[dict]:
    """Net benefit of the model, of acting on everyone, and the model's advantage over the better of all and none."""
    made = net_benefit.curve(outcome.y, p, outcome.person, outcome.draws)
    curves = {"model": made.benefit, "all": made.treat_all, "advantage": made.advantage}
    head = {"outcome": outcome.name, "method": method, "reason": outcome.draws.reason}
    for strategy, values in curves.items():
        for risk, column in zip(net_benefit.RISKS, values.T, strict=True):
            ends = named("value", "low", "high", values=tuple(column))
            yield head | {"risk": float(risk), "strategy": strategy} | ends


def subgroup_rows(
    outcome: ScoredOutcome, method: str, fixed: OperatingPoint, groups: dict[str, np.ndarray | str], settings: Predict
) -> Iterator[dict]:
    """Measures and gaps of each group; a column without groups has one row with the reason."""
    at = fixed.threshold.value if fixed.threshold else None
    scored = subgroups.ScoredRecordings(outcome.y, outcome.methods[method], outcome.person, outcome.draws, at)
    for column, group in groups.items():
        head = {"outcome": outcome.name, "method": method, "column": column}
        found = (
            [subgroups.GroupMeasure("all", None, None, None, None, None, group)]
            if isinstance(group, str)
            else subgroups.group_measures(scored, group[outcome.rows], settings.min_cell, settings.min_cases)
        )
        for part in found:
            value = named("value", "low", "high", values=part.value or (None,) * 3)
            gap = named("gap", "gap_low", "gap_high", values=part.gap or (None,) * 3)
            about = {"group": part.group, "metric": part.measure, "n_people": part.people, "n_cases": part.cases}
            yield head | about | value | gap | {"reason": part.reason}


def population_rows(
    scored: ScoredSplit,
    outcome: ScoredOutcome,
    method: str,
    p: np.ndarray,
    groups: dict[str, np.ndarray | str],
    least: int,
) -> Iterator[dict]:
    """Distribution, trend and highest-risk groups of the people's risks."""
    time = scored.labels["time"].cast(str).fill_null("").to_numpy().astype(str)[outcome.rows]
    last = population.latest(outcome.person, time)
    further = {name: group[outcome.rows][last] for name, group in groups.items() if not isinstance(group, str)}
    people = population.PredictedRisks(p[last], outcome.y[last].astype(int), time[last])
    for row in population.view(people, least, further):
        head = {"outcome": outcome.name, "method": method, "view": row.view, "group": row.group}
        about = {"n_people": row.people, "n_cases": row.cases, "found": row.found, "reason": row.reason}
        for name, values in (("risk", row.risk), ("observed", row.observed), ("screened", row.screen)):
            about |= named(name, f"{name}_low", f"{name}_high", values=values or (None,) * 3)
        yield head | about
