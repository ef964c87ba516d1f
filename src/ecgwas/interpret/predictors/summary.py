"""Explained recordings of an outcome -> rows of the tables: means over recordings and their intervals."""

from collections import Counter
from typing import Any

import numpy as np

from ecgwas import config
from ecgwas.interpret.predictors.maps import Explained, folds_s
from ecgwas.interpret.predictors.segments import SEGMENTS
from ecgwas.stats import Z

OCCLUSIONS = ("line", "usual")


def mean_interval(values: np.ndarray) -> tuple[float | None, float | None, float | None, int]:
    """Mean of the finite values [n], its 95 % normal interval, and their number; None where there are too few."""
    values = values[np.isfinite(values)]
    n = len(values)
    if not n:
        return None, None, None, 0
    mean = float(values.mean())
    if n == 1:
        return mean, None, None, 1
    half = Z * float(values.std(ddof=1)) / np.sqrt(n)
    return mean, mean - half, mean + half, n


def mean_table(tables: list[np.ndarray]) -> np.ndarray:
    """Mean of [L, G] tables over recordings, NaN where none has the cell."""
    stack = np.stack(tables)
    n = np.isfinite(stack).sum(0)
    return np.where(n > 0, np.nansum(stack, 0) / np.maximum(n, 1), np.nan)


def occlusion_rows(found: list[Explained], channels: list[str], excluded: Counter) -> list[dict[str, Any]]:
    """Rows of INTERPRET_OCCLUSION, without method and outcome; excluded: reasons of other recordings."""
    rows = []
    for by in OCCLUSIONS:
        tables = np.stack([one.occlusions[by] for one in found] or [np.full((len(channels), len(SEGMENTS)), np.nan)])
        total = np.nansum(np.abs(mean_table(list(tables))))
        for i, lead in enumerate(channels):
            for k, segment in enumerate(SEGMENTS):
                mean, low, high, n = mean_interval(tables[:, i, k])
                why = Counter(one.reasons.get(segment, "no_lead") for one in found) or excluded
                row = {
                    "by": by,
                    "lead": lead,
                    "segment": segment,
                    "delta_logit": mean,
                    "low": low,
                    "high": high,
                    "n": n,
                }
                share = abs(mean) / total if n and total > 0 else None
                rows.append(row | {"share": share, "reason": None if n else why.most_common(1)[0][0]})
    return rows


def attribution_rows(found: list[Explained], channels: list[str]) -> list[dict[str, Any]]:
    """Rows of INTERPRET_ATTRIBUTIONS, without method and outcome."""
    rows = []
    times = np.mean([one.time_shares for one in found], 0) / len(channels)
    for name in found[0].maps:
        value = np.mean([one.maps[name].value for one in found], 0)
        share = mean_table([one.maps[name].share for one in found])
        for i, lead in enumerate(channels):
            for k, segment in enumerate(SEGMENTS):
                row = {"map": name, "lead": lead, "segment": segment, "value": value[i, k]}
                rows.append(row | {"share": share[i, k], "time_share": times[k], "n": len(found)})
    return rows


def beat_rows(found: list[Explained], channels: list[str], ingest: config.Ingest) -> list[dict[str, Any]]:
    """Rows of INTERPRET_BEAT_MAPS, without method and outcome."""
    samples = found[0].beat_mv.shape[1]
    at = {"strip": folds_s(ingest), "beat": np.arange(samples) / ingest.beat_rate_hz - ingest.beat_before_s}
    beat_mv, rows = mean_table([one.beat_mv for one in found]), []
    for name in found[0].maps:
        for view, at_s in at.items():
            stack = np.stack([getattr(one.maps[name], view) for one in found])
            value, magnitude = stack.mean(0), np.abs(stack).mean(0)
            for i, lead in enumerate(channels):
                for j, time in enumerate(1000 * at_s):
                    row = {"map": name, "view": view, "lead": lead, "time_ms": time, "value": value[i, j]}
                    height = beat_mv[i, j] if view == "beat" else np.nan
                    rows.append(row | {"magnitude": magnitude[i, j], "millivolt": height})
    return rows


def check_rows(measured: dict[tuple[str, str], list[float]]) -> list[dict[str, Any]]:
    """Rows of INTERPRET_CHECKS, without method and outcome, of values by (map, check)."""
    rows = []
    for (name, check), values in measured.items():
        mean, low, high, n = mean_interval(np.array(values, float))
        row = {"map": name, "check": check, "value": mean, "low": low, "high": high, "n": n}
        rows.append(row | {"reason": None if n else "constant_map"})
    return rows
