"""Classical measurements, or age and sex -> logits: the baselines that need no signal."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from ecgwas.errors import UserError
from ecgwas.predict import linear
from ecgwas.predict.examples import Examples

NOT_MEASURED = ("recording_id", "person_id", "n_beats")
FEWEST = 0.05  # share of the training recordings that must have a feature


def features(method: str, labels: pl.DataFrame, intervals: Path | None) -> pl.DataFrame:
    """A column a feature, rows as in `labels`; null where missing.

    demographics: age, its square and male sex. intervals: every number and flag of intervals.parquet but the machine's.
    """
    if method == "demographics":
        age = pl.col("age").cast(pl.Float64)
        male = pl.when(pl.col("sex") == "male").then(1.0).when(pl.col("sex") == "female").then(0.0)
        return labels.select(age=age, age_squared=(age / 10) ** 2, male=male)
    if intervals is None:
        raise UserError("method intervals needs --intervals, the cohort's intervals.parquet")
    table = pl.read_parquet(intervals)
    kinds = {n: d for n, d in table.schema.items() if n not in NOT_MEASURED and not n.startswith("machine_")}
    names = [n for n, d in kinds.items() if d.is_numeric() or d == pl.Boolean]
    joined = labels.select("recording_id").join(table, on="recording_id", how="left", maintain_order="left")
    return joined.select(pl.col(name).cast(pl.Float64) for name in names)


def usable(x: pl.DataFrame, train: np.ndarray) -> list[str]:
    """Features that enough training recordings have."""
    seen = x.filter(pl.Series(train)).select(pl.all().is_not_null().mean())
    return [name for name in x.columns if seen[name][0] >= FEWEST]


def design(x: pl.DataFrame, names: list[str], middle: np.ndarray) -> np.ndarray:
    """[n, 2·feature]: features with the training median where missing, and 1 where one is missing."""
    values = x.select(names).to_numpy().astype(float)
    missing = ~np.isfinite(values)
    return np.column_stack([np.where(missing, middle, values), missing])


def fit(method: str, examples: Examples, intervals: Path | None) -> dict[str, Any]:
    """What the predictor's file holds: features, their medians and the regressions' weights."""
    x, train = features(method, examples.table, intervals), examples.of("train")
    names = usable(x, train)
    if not names:
        raise UserError(
            f"method {method}: no feature is known of the training recordings; leave it out of predict.methods"
        )
    middle = np.nanmedian(x.filter(pl.Series(train)).select(names).to_numpy().astype(float), axis=0)
    found, fits = linear.fit(design(x, names, middle), examples.y, train, examples.of("choose"))
    told = [{"scale": f.scale, "penalty": f.penalty, "loss": f.loss} if f else {"scale": "none"} for f in fits]
    tensors = {"middle": middle, "weight": found.weight, "bias": found.bias}
    return {"features": names, "trials": told} | {name: torch.from_numpy(a) for name, a in tensors.items()}


def score(predictor: dict[str, Any], labels: pl.DataFrame, intervals: Path | None) -> np.ndarray:
    """Logits [n, outcome] of the recordings in `labels`; what a cohort does not have counts as missing."""
    x, names = features(predictor["method"], labels, intervals), predictor["features"]
    absent = [name for name in names if name not in x.columns]
    x = x.with_columns(pl.lit(None, pl.Float64).alias(name) for name in absent)
    if absent:
        print(f"without {', '.join(absent)}: taken as missing", flush=True)
    regression = linear.Linear(predictor["weight"].numpy(), predictor["bias"].numpy())
    return regression(design(x, names, predictor["middle"].numpy()))
