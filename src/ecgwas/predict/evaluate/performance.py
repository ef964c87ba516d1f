"""Scored recordings -> rows of performance and of paired differences, from one pass over the resamples."""

import itertools
from collections.abc import Iterator

import numpy as np

from ecgwas.predict.evaluate.scored import Key, ScoredOutcome, ScoredSplit
from ecgwas.stats import calibration, delong, discrimination
from ecgwas.stats.bootstrap import interval

METRICS = ("auroc", "auprc")
MACRO = "macro"
Resampled = dict[Key, np.ndarray]  # [1 + b, METRICS]: as it is, then in each resample


def resampled(outcome: ScoredOutcome) -> Resampled:
    """METRICS of every method and label share, mean over its label subsamples; the same resamples for all."""
    ranks = {key: [discrimination.ranking(outcome.y, s) for s in draws] for key, draws in outcome.logits.items()}
    flat = list(itertools.chain.from_iterable(ranks.values()))
    if outcome.reason or not flat:
        return {}
    again = outcome.draws.over(outcome.person, lambda w: np.stack([discrimination.ranked(r, w) for r in flat], axis=1))
    again = again.reshape(-1, len(flat), len(METRICS))
    found, start = {}, 0
    for key, draws in outcome.logits.items():
        areas = [(discrimination.auroc(outcome.y, s), discrimination.auprc(outcome.y, s)) for s in draws]
        once = np.array(areas).mean(0)
        found[key] = np.concatenate([once[None], again[:, start : start + len(draws)].mean(1)])
        start += len(draws)
    return found


def counts(outcome: ScoredOutcome, least: int) -> dict:
    """Numbers of recordings and people of an outcome after small-cell suppression."""
    few = min(outcome.cases, outcome.controls) < least
    none = outcome.cases + outcome.controls < least
    people = None if none else outcome.cases + outcome.controls
    return {"n": None if none else len(outcome.y), "n_people": people, "n_cases": None if few else outcome.cases}


def discrimination_rows(scored: ScoredSplit, found: dict[str, Resampled], least: int) -> Iterator[dict]:
    """Rows of AUROC and average precision, by outcome and macro, with intervals over people."""
    for outcome in scored.outcomes:
        head = {"outcome": outcome.name, **counts(outcome, least), "redrawn": outcome.draws.redrawn}
        for key, why in outcome.unscored.items():
            yield from (_row(head | _key(key), metric, None, why) for metric in METRICS)
        for key in outcome.logits:
            values = found[outcome.name].get(key)
            for j, metric in enumerate(METRICS):
                why = outcome.reason or outcome.draws.reason
                yield _row(head | _key(key), metric, None if values is None else _ends(values[:, j]), why)
        for method, s in outcome.methods.items():
            if outcome.reason is None:
                yield _row(head | _key((method, 1.0)), "auroc_delong", _delong(outcome, s), None)
    yield from _macro(scored, found)


def _delong(outcome: ScoredOutcome, s: np.ndarray) -> tuple[float, float, float]:
    return delong.auroc_interval(outcome.y, s, outcome.person)


def macros(scored: ScoredSplit, found: dict[str, Resampled]) -> tuple[Resampled, dict[Key, str | None]]:
    """Means over estimable outcomes, [1 + b, METRICS], and notes; without resamples where outcomes share none.

    Incident outcomes are excluded, unless there are no others.
    """
    values, left = {}, {}
    averaged = [outcome for outcome in scored.outcomes if not outcome.incident] or scored.outcomes
    keys = dict.fromkeys(key for outcome in scored.outcomes for key in [*outcome.logits, *outcome.unscored])
    estimable = [outcome.name for outcome in averaged if found[outcome.name]]
    for key in keys:
        if not estimable or any(key not in found[name] for name in estimable):
            left[key] = "not every estimable outcome is scored" if estimable else "no outcome is estimable"
            continue
        rows = slice(None) if scored.joint.reason is None else slice(1)
        values[key] = np.mean([found[name][key][rows] for name in estimable], axis=0)
        lost = [outcome.name for outcome in averaged if outcome.name not in estimable]
        notes = [f"without {', '.join(lost)}: not estimable"] if lost else []
        left[key] = "; ".join(notes + ([scored.joint.reason] if scored.joint.reason else [])) or None
    return values, left


def _macro(scored: ScoredSplit, found: dict[str, Resampled]) -> Iterator[dict]:
    values, left = macros(scored, found)
    head = {"outcome": MACRO, "n": None, "n_people": None, "n_cases": None, "redrawn": scored.joint.redrawn}
    for key, why in left.items():
        for j, metric in enumerate(METRICS):
            yield _row(head | _key(key), metric, _ends(values[key][:, j]) if key in values else None, why)


def difference_rows(scored: ScoredSplit, found: dict[str, Resampled]) -> Iterator[dict]:
    """Rows of each pair of methods trained on the same share of labels, by outcome and macro."""
    for outcome in scored.outcomes:
        yield from _paired(outcome.name, found[outcome.name], outcome.draws.reason)
        if outcome.reason is None:
            yield from _delong_pairs(outcome)
    yield from _paired(MACRO, macros(scored, found)[0], scored.joint.reason)


def _paired(name: str, values: Resampled, why: str | None) -> Iterator[dict]:
    for (a, share), (b, other_share) in itertools.combinations(values, 2):
        if share != other_share:
            continue
        head = {"outcome": name, "method": a, "other": b, "label_share": share, "test": "bootstrap", "p": None}
        for j, metric in enumerate(METRICS):
            yield _row(head, metric, _ends(values[a, share][:, j] - values[b, share][:, j]), why)


def _delong_pairs(outcome: ScoredOutcome) -> Iterator[dict]:
    names = list(outcome.methods)
    if len(names) < 2:
        return
    auc, covariance = delong.covariance(outcome.y, np.stack(list(outcome.methods.values())), outcome.person)
    for i, j in itertools.combinations(range(len(names)), 2):
        made = delong.compared(auc[[i, j]], covariance[np.ix_([i, j], [i, j])])
        head = {"outcome": outcome.name, "method": names[i], "other": names[j], "label_share": 1.0, "test": "delong"}
        why = None if np.isfinite(made.p) else "the variance is not known: fewer than two people, or no error"
        yield _row(head | {"p": _finite(made.p)}, "auroc", (made.value, made.low, made.high), why)


def calibration_rows(
    outcome: ScoredOutcome, method: str, probabilities: np.ndarray, least: int, platt: calibration.Platt
) -> Iterator[dict]:
    """Rows of Brier score, slope, intercept, ECE, prevalence and Platt coefficients."""
    head = {"outcome": outcome.name, **counts(outcome, least), "redrawn": outcome.draws.redrawn} | _key((method, 1.0))
    found = calibration.measures(outcome.y, probabilities, outcome.person, outcome.draws, least)
    for metric, value in found.items():
        yield _row(head, metric, value, outcome.draws.reason or platt.reason)
    yield _row(head, "prevalence", (float(outcome.y.mean()), None, None), None)
    for metric, value in (("platt_slope", platt.slope), ("platt_intercept", platt.intercept)):
        yield _row(head, metric, (value, None, None), platt.reason)


def _key(key: Key) -> dict:
    return {"method": key[0], "label_share": key[1]}


def _ends(values: np.ndarray) -> tuple[float, float, float]:
    return (float(values[0]), *interval(values[1:]))


def _row(head: dict, metric: str, value: tuple | None, reason: str | None) -> dict:
    value = value or (None, None, None)
    return head | {"metric": metric, **named("value", "low", "high", values=value), "reason": reason}


def named(*names: str, values: tuple) -> dict:
    """Values by name, None for what is not a number."""
    return {name: _finite(value) for name, value in zip(names, values, strict=True)}


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
