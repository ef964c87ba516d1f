"""Classical measurements, or age and sex -> logits: baselines without signals."""

from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch

from ecgwas import tables
from ecgwas.errors import UserError
from ecgwas.predict.inputs import CohortFiles, FitInputs, Logits
from ecgwas.predict.labels.labels import demographics
from ecgwas.predict.methods import probe

NOT_MEASURED = ("recording_id", "person_id", "n_beats")
FEWEST = 0.05  # share of the training recordings that must have a feature


def features(method: str, cohort: CohortFiles, ids: pl.DataFrame) -> pl.DataFrame:
    """One column per feature, rows as in `ids` (recording_id, person_id); null where missing.

    demographics: age, its square and male sex. intervals: every number and flag of intervals.parquet but the machine's;
    axes in degrees are cosine and sine, so that 179 and -179 are neighbours.
    """
    if method == "demographics":
        cohort.need(method, "people")
        people = ids.join(demographics(cohort.people), on="person_id", how="left", maintain_order="left")
        male = pl.when(pl.col("sex") == "male").then(1.0).when(pl.col("sex") == "female").then(0.0)
        return people.select("age", age_squared=(pl.col("age") / 10) ** 2, male=male)
    cohort.need(method, "intervals")
    table = tables.INTERVALS.read(cohort.intervals)
    kinds = {n: d for n, d in table.schema.items() if n not in NOT_MEASURED and not n.startswith("machine_")}
    names = [n for n, d in kinds.items() if d.is_numeric() or d == pl.Boolean]
    joined = ids.select("recording_id").join(table, on="recording_id", how="left", maintain_order="left")
    axes = [names[j] for j in tables.circular(names)]
    return joined.select(
        part for name in names for part in (_cosine_and_sine(name) if name in axes else [_number(name)])
    )


def _number(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Float64)


def _cosine_and_sine(name: str) -> list[pl.Expr]:
    """Two features of an axis in degrees: qrs_axis_deg -> qrs_axis_cos, qrs_axis_sin."""
    radians, stem = _number(name).radians(), name.removesuffix("_deg").removesuffix("_degrees")
    return [radians.cos().alias(f"{stem}_cos"), radians.sin().alias(f"{stem}_sin")]


class Design(NamedTuple):
    """Features used, and the values imputed for missing ones."""

    names: list[str]
    middle: np.ndarray  # [feature], medians of the training recordings

    @classmethod
    def of(cls, x: pl.DataFrame, train: np.ndarray) -> "Design":
        """The features that enough of the training rows of x have."""
        known = x[train]
        seen = known.select(pl.all().is_not_null().mean())
        names = [name for name in x.columns if (seen[name][0] or 0) >= FEWEST]
        return cls(names, np.nanmedian(known.select(names).to_numpy().astype(float), axis=0) if names else np.empty(0))

    def rows(self, x: pl.DataFrame) -> np.ndarray:
        """[n, 2·feature]: features with the training median where missing, and 1 where one is missing."""
        values = x.select(self.names).to_numpy().astype(float)
        missing = ~np.isfinite(values)
        return np.column_stack([np.where(missing, self.middle, values), missing])

    def to_dict(self) -> dict[str, Any]:
        """What a predictor's file holds of it."""
        return {"features": self.names, "middle": torch.from_numpy(self.middle)}


def fit(given: FitInputs) -> dict[str, Any]:
    """Contents of the predictor's file: features, their medians, and regression weights of each outcome."""
    examples = given.examples
    train, validation = examples.rows("train"), examples.rows("validation")
    x = features(given.method, given.cohort, examples.table)
    design = Design.of(x, train)
    if not design.names:
        raise UserError(f"method {given.method}: nothing is known of the training recordings; leave it out of methods")
    z = design.rows(x)
    fits = [probe.fit(z[train], y[train], z[validation], y[validation]) for y in examples.y.T]
    told = zip(examples.outcomes, fits, strict=True)
    tensors = {"weight": np.stack([f.weight for f in fits]), "bias": np.array([f.bias for f in fits])}
    chosen = {name: {"scale": f.scale, "penalty": f.penalty, "loss": f.loss} for name, f in told}
    return design.to_dict() | {"chosen": chosen} | {name: torch.from_numpy(a) for name, a in tensors.items()}


def score(predictor: dict[str, Any], cohort: CohortFiles, ids: pl.Series, threads: int = 1, batch: int = 0) -> Logits:
    """Logits of the recordings named; features that the cohort lacks are missing."""
    people = tables.RECORDINGS.read(cohort.recordings, ["recording_id", "person_id"])
    table = pl.DataFrame({"recording_id": ids}).join(people, on="recording_id", how="left", maintain_order="left")
    x, names = features(predictor["method"], cohort, table), predictor["features"]
    absent = [name for name in names if name not in x.columns]
    if absent:
        print(f"without {', '.join(absent)}: taken as missing", flush=True)
    x = x.with_columns(pl.lit(None, pl.Float64).alias(name) for name in absent)
    z = Design(names, predictor["middle"].numpy()).rows(x)
    return Logits(z @ predictor["weight"].numpy().T + predictor["bias"].numpy(), [None] * table.height)
