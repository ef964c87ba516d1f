"""Risk models and the people of a test split -> rows of performance, with a bootstrap over people."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ecgwas.config import Predict
from ecgwas.predict.survival.risk_models import RiskModel
from ecgwas.stats import bootstrap
from ecgwas.stats.survival import curves, metrics

GRID = 40  # times of a curve
BINS = 10


@dataclass(frozen=True)
class FollowUp:
    """People of one outcome in a test split."""

    years: np.ndarray
    event: np.ndarray
    horizons: list[float]
    limit: float  # of Uno's C: the last horizon that somebody is followed past
    left: metrics.Censoring
    draws: bootstrap.Draws


def follow_up(years: np.ndarray, event: np.ndarray, settings: Predict, seed: int) -> FollowUp:
    """Horizons that at least min_cell people are followed past, and resamples of people with and without the event."""
    horizons = [t for t in sorted(settings.horizons_years) if (years > t).sum() >= settings.min_cell]
    limit = horizons[-1] if horizons else float(np.quantile(years, 0.9))
    hit = (event == 1).astype(float)[:, None]
    draws = bootstrap.draw(np.arange(len(years)), hit, settings.resamples, seed)
    return FollowUp(years, event, horizons, limit, metrics.censoring(years, event), draws)


Measures = dict[tuple[str, float | None], float]


def measures(given: FollowUp, linear: np.ndarray, told: np.ndarray, weight: np.ndarray | None = None) -> Measures:
    """Measures of one model by name and horizon; told: predicted risk [n, horizon]; `weight`: counts in a resample."""
    years, event, w = given.years, given.event, np.ones(len(linear)) if weight is None else weight
    left = given.left if weight is None else metrics.censoring(years, event, w)
    made: Measures = {("harrell", None): metrics.harrell(years, event, linear, w)}
    made["uno", None] = metrics.uno(years, event, linear, given.limit, left, w)
    for t, risk in zip(given.horizons, told.T, strict=True):
        case, seen = metrics.at_horizon(years, event, t, left)
        both = seen * w
        made["auc", t] = metrics.auc(case, both, linear)
        if not np.isfinite(risk).all():
            continue
        made["brier", t] = metrics.brier(case, both, risk)
        made["slope", t], made["intercept", t] = metrics.slope(case, both, risk)
        made["predicted", t] = float(np.average(risk, weights=w))
    return made


def performance_rows(given: FollowUp, risks: list[RiskModel], x: Callable[[RiskModel], np.ndarray]) -> Iterator[dict]:
    """Rows of every model's measures, and of differences of both C from the model of age and sex, same resamples."""
    told = {}
    for risk in risks:
        z = x(risk)
        told[risk.model, risk.head] = risk.linear(z), risk.incidence(z, np.array(given.horizons))
    again: dict[tuple[str, str], list[Measures]] = {key: [] for key in told}
    for counts in given.draws.counts:
        for key, (linear, chance) in told.items():
            again[key].append(measures(given, linear, chance, counts.astype(float)))
    whole = {key: measures(given, *values) for key, values in told.items()}
    for key, found in whole.items():
        others = [o for o in whole if o[1] == key[1] and o[0] in ("demographics", "intervals") and o != key]
        for name, value in found.items():
            drawn = np.array([m.get(name, np.nan) for m in again[key]])
            yield _row(key, name, None, value, drawn, given)
            for other in others if name[0] in ("harrell", "uno", "auc") else []:
                beside = np.array([m.get(name, np.nan) for m in again[other]])
                yield _row(key, name, other[0], value - whole[other][name], drawn - beside, given)
        yield from _integrated(key, given, told[key][1])


def _row(
    key: tuple[str, str],
    name: tuple[str, float | None],
    other: str | None,
    value: float,
    drawn: np.ndarray,
    given: FollowUp,
) -> dict:
    ends = [float(v) if np.isfinite(v) else None for v in (value, *bootstrap.interval(drawn))]
    reason = "not estimable: no pair, or no maximum" if ends[0] is None else None
    reason = reason or ("resamples do not have it: no interval" if ends[1] is None else None)
    who = {"method": key[0], "head": key[1], "metric": name[0], "horizon_years": name[1], "other": other}
    return who | dict(zip(("value", "low", "high"), ends, strict=True)) | {"n": len(given.years), "reason": reason}


def _integrated(key: tuple[str, str], given: FollowUp, told: np.ndarray) -> Iterator[dict]:
    """The Brier score over the horizons, where there are several."""
    if len(given.horizons) > 1 and np.isfinite(told).all():
        times = np.array(given.horizons)
        value = metrics.integrated_brier(given.years, given.event, told, times, given.left)
        yield _row(key, ("integrated_brier", None), None, value, np.zeros(0), given)


def calibration_rows(given: FollowUp, risk: RiskModel, x: np.ndarray, settings: Predict) -> Iterator[dict]:
    """Rows by group of predicted risk and horizon: mean predicted and observed risk (Aalen–Johansen)."""
    told = risk.incidence(x, np.array(given.horizons))
    for t, chance in zip(given.horizons, told.T, strict=True):
        if not np.isfinite(chance).all():
            continue
        cases = int(((given.event == 1) & (given.years <= t)).sum())
        bins = int(np.clip(cases // max(settings.min_cell, 1), 1, BINS))
        place = np.searchsorted(np.quantile(chance, np.arange(1, bins) / bins), chance, side="right")
        for k in range(bins):
            mine = place == k
            if mine.sum() < settings.min_cell:
                continue
            made = curves.curve(given.years[mine], given.event[mine])
            events = int(((given.event == 1) & (given.years <= t) & mine).sum())
            seen = min(events, int(mine.sum()) - events) >= settings.min_cell
            value, spread = made.at(made.incidence, t), made.at(made.variance, t)
            ends = [float(v) for v in (value, *curves.limits(value, spread))] if seen else [None] * 3
            row = {"method": risk.model, "head": risk.head, "horizon_years": t, "bin": k + 1, "n": int(mine.sum())}
            row |= dict(zip(("observed", "low", "high"), ends, strict=True))
            yield row | {"predicted": float(chance[mine].mean()), "reason": None if seen else "few_events"}


def curve_rows(given: FollowUp, risk: RiskModel, x: np.ndarray, settings: Predict) -> Iterator[dict]:
    """Rows of the curves of each group of risk; none where fewer than min_cell are at risk, or have had the event.

    Between two rows nobody, or at least min_cell people, have had the event, and so have left without it: a difference
    of rows is a cell like any other.
    """
    group = np.searchsorted(risk.cuts, risk.linear(x), side="right")
    p = curves.log_rank(given.years, given.event, group)[1] if len(np.unique(group)) > 1 else np.nan
    for k in np.unique(group):
        mine = group == k
        made = curves.curve(given.years[mine], given.event[mine])
        shown = 0, 0  # who had had the event, and had left without it, by the last row
        for t in np.linspace(0, given.limit, GRID + 1)[1:]:
            at_risk = int((given.years[mine] >= t).sum())
            events = int(((given.event == 1) & (given.years <= t) & mine).sum())
            now = events, int(mine.sum()) - at_risk - events
            since = [a - b for a, b in zip(now, shown, strict=True)]
            if min(at_risk, events) < settings.min_cell or any(0 < n < settings.min_cell for n in since):
                continue
            shown = now
            row = {
                "method": risk.model,
                "head": risk.head,
                "group": int(k) + 1,
                "years": float(t),
                "n_at_risk": at_risk,
            }
            for name, values, spread, start in (
                ("survival", made.survival, made.survival_variance, 1.0),
                ("incidence", made.incidence, made.variance, 0.0),
            ):
                value = made.at(values, t, start)
                low, high = curves.limits(value, made.at(spread, t))
                row |= {name: float(value), f"{name}_low": float(low), f"{name}_high": float(high)}
            yield row | {"p_log_rank": p if np.isfinite(p) else None}
