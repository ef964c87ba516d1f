"""Labels and scores of a cohort -> arrays of the recordings of one split that every method scored."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import tables
from ecgwas.config import Predict
from ecgwas.errors import UserError
from ecgwas.stats import bootstrap
from ecgwas.stats.bootstrap import Draws

LEAST_SCORED = 0.9  # share of the labelled recordings below which a method is excluded from the comparison
NO_DRAWS = Draws(np.zeros((0, 0), np.int16), 0, "no outcome is estimable")
Key = tuple[str, float]  # method, share of labels


@dataclass(frozen=True)
class Protocol:
    """How a split is evaluated."""

    min_cases: int  # people with and without an outcome that is estimable
    resamples: int
    seed: int


@dataclass(frozen=True)
class CohortScores:
    """Logits of one cohort: [subsample, recording, outcome] of each method and label share, NaN where missing."""

    outcomes: list[str]
    logits: dict[Key, np.ndarray]


@dataclass(frozen=True)
class ScoredOutcome:
    """One outcome in one split of one cohort."""

    name: str
    rows: np.ndarray  # indices, among the split's recordings, of those evaluated
    y: np.ndarray  # [n], 0 or 1
    person: np.ndarray  # [n], codes of people in the resamples
    logits: dict[Key, np.ndarray]  # [subsample, n]
    cases: int  # people
    controls: int  # people without a case
    reason: str | None  # why it is not estimable
    unscored: dict[Key, str]  # methods excluded, and why
    incident: bool = False
    draws: Draws = NO_DRAWS

    @property
    def methods(self) -> dict[str, np.ndarray]:
        """Logits [n] of each method trained on all labels; the first subsample where there are several."""
        return {method: draws[0] for (method, share), draws in self.logits.items() if share == 1}


@dataclass(frozen=True)
class ScoredSplit:
    """One split of one cohort."""

    cohort: str
    split: str
    labels: pl.DataFrame  # one row per recording
    outcomes: list[ScoredOutcome]
    joint: Draws  # with both classes of every estimable outcome


def read_labels(path: Path, settings: Predict | None = None) -> pl.DataFrame:
    """recording_id, person_id, split, time, age, sex and `y:` columns, by recording_id.

    With settings that name outcomes, `y:` of the prevalent ones alone: incident ones are evaluated by `survival`.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file")
    table = tables.LABELS.read(path)
    needed = ["recording_id", "person_id", "split", "time", "age", "sex"]
    missing = [name for name in needed if name not in table.columns]
    if missing:
        raise UserError(f"{path}: columns {missing} are missing; make it with python -m ecgwas.predict.labels.labels")
    if table["recording_id"].is_duplicated().any():
        twice = table.filter(pl.col("recording_id").is_duplicated())["recording_id"][0]
        raise UserError(f"{path}: recording {twice!r} appears more than once; keep one row per recording")
    for name in outcome_names(table):
        known = table[f"y:{name}"].cast(pl.Float64).drop_nulls().drop_nans()
        wrong = known.filter((known != 0) & (known != 1))
        if len(wrong):
            raise UserError(f"{path}: column y:{name} has {wrong[0]}; labels are 0, 1 or empty")
    if settings and settings.outcomes:
        judged = {name for name, outcome in settings.outcomes.items() if outcome.kind == "prevalent"}
        table = table.drop(f"y:{name}" for name in outcome_names(table) if name not in judged)
    return table.sort("recording_id")


def outcome_names(labels: pl.DataFrame) -> list[str]:
    """Outcomes of a table of labels."""
    return [name.removeprefix("y:") for name in labels.columns if name.startswith("y:")]


def read_scores(labels: pl.DataFrame, methods: list[str], paths: list[Path]) -> CohortScores:
    """Scores by method in the order of the labels. Columns share and draw, if present, tell label subsamples apart."""
    outcomes = outcome_names(labels)
    found: dict[Key, list[np.ndarray]] = {}
    for method, path in zip(methods, paths, strict=True):
        if not path.exists():
            raise UserError(f"{path}: no such file")
        table = tables.SCORES.read(path)
        if "recording_id" not in table.columns:
            raise UserError(f"{path}: no column recording_id; the table has {', '.join(table.columns)}")
        others = table["method"].unique().to_list() if "method" in table.columns else [method]
        if others not in ([method], []):
            raise UserError(
                f"{path}: scores of {', '.join(map(str, others))}, given as {method}; order them by methods"
            )
        missing = {"share": pl.lit(1.0), "draw": pl.lit(0)}
        table = table.with_columns(**{name: value for name, value in missing.items() if name not in table.columns})
        # Without labels nothing is scored: the method is kept, with no recordings.
        parts = table.partition_by("share", "draw", as_dict=True) or {(1.0, 0): table}
        for (share, _), part in sorted(parts.items()):
            if part["recording_id"].is_duplicated().any():
                raise UserError(
                    f"{path}: a recording appears more than once; tell label subsamples apart by columns share and draw"
                )
            found.setdefault((method, float(share)), []).append(_aligned(labels, part, outcomes))
    return CohortScores(outcomes, {key: np.stack(draws) for key, draws in found.items()})


def _aligned(labels: pl.DataFrame, scores: pl.DataFrame, outcomes: list[str]) -> np.ndarray:
    """[recording, outcome] in the labels' order, NaN without a finite score."""
    absent = [pl.lit(None, pl.Float64).alias(name) for name in outcomes if name not in scores.columns]
    chosen = scores.with_columns(absent).select("recording_id", pl.col(outcomes).cast(pl.Float64))
    joined = labels.select("recording_id").join(chosen, on="recording_id", how="left", maintain_order="left")
    values = joined.select(outcomes).to_numpy().astype(np.float64).reshape(labels.height, len(outcomes))
    return np.where(np.isfinite(values), values, np.nan)


def scored_split(
    cohort: str, split: str, labels: pl.DataFrame, scores: CohortScores, protocol: Protocol
) -> ScoredSplit:
    """The recordings of a split, and resamples of its people: the same for every method and, where shared, outcome."""
    inside = (labels["split"] == split).fill_null(False).to_numpy()
    chosen = labels.filter(pl.Series(inside))
    person, people = bootstrap.codes(chosen["person_id"].cast(pl.String).to_numpy().astype(str))
    outcomes = []
    for k, name in enumerate(scores.outcomes):
        y = chosen[f"y:{name}"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        logits = {key: values[:, inside, k] for key, values in scores.logits.items()}
        outcome = _outcome(name, y, logits, person, protocol.min_cases)
        outcomes.append(replace(outcome, incident=f"years:{name}" in labels.columns))
    joint, own = _draws(outcomes, person, people, protocol)
    outcomes = [replace(outcome, draws=draws) for outcome, draws in zip(outcomes, own, strict=True)]
    return ScoredSplit(cohort, split, chosen, outcomes, joint)


def _outcome(
    name: str, y: np.ndarray, logits: dict[Key, np.ndarray], person: np.ndarray, min_cases: int
) -> ScoredOutcome:
    """The outcome, without resamples."""
    labelled = np.isfinite(y)
    scored = {key: np.isfinite(values).all(0) for key, values in logits.items()}
    any_scored = labelled & np.logical_or.reduce(list(scored.values())) if scored else np.zeros(len(y), bool)
    unscored = _unscored(scored, labelled, any_scored)
    kept = {key: values for key, values in logits.items() if key not in unscored}
    rows = np.flatnonzero(np.logical_and.reduce([any_scored, *(scored[key] for key in kept)]))
    cases = len(np.unique(person[rows][y[rows] == 1]))
    controls = len(np.unique(person[rows])) - cases
    few = min(cases, controls, len(np.unique(person[rows][y[rows] == 0]))) < min_cases
    return ScoredOutcome(
        name=name,
        rows=rows,
        y=y[rows],
        person=person[rows],
        logits={key: values[:, rows] for key, values in kept.items()},
        cases=cases,
        controls=controls,
        reason=f"not estimable: fewer than {min_cases} people with, or without, the outcome" if few else None,
        unscored=unscored,
    )


def _unscored(scored: dict[Key, np.ndarray], labelled: np.ndarray, any_scored: np.ndarray) -> dict[Key, str]:
    """Methods excluded for too few scores, and why; arrays [n] bool."""
    total = int(any_scored.sum())
    return {
        key: f"scored {int((good & labelled).sum())} of {total} recordings that another method scored; left out"
        if total
        else "no labelled recording is scored"
        for key, good in scored.items()
        if not total or (good & any_scored).sum() < LEAST_SCORED * total
    }


def _draws(
    outcomes: list[ScoredOutcome], person: np.ndarray, people: int, protocol: Protocol
) -> tuple[Draws, list[Draws]]:
    """Resamples for all outcomes together, and for each: the same, or its own where they share none."""
    known = np.full((len(person), len(outcomes)), np.nan)
    for k, outcome in enumerate(outcomes):
        known[outcome.rows, k] = outcome.y
    none = replace(NO_DRAWS, counts=np.zeros((0, people), np.int16))
    usable = [k for k, outcome in enumerate(outcomes) if outcome.reason is None]

    def draw(columns: list[int]) -> Draws:
        return bootstrap.draw(person, known[:, columns], protocol.resamples, protocol.seed, people)

    joint = draw(usable) if usable else none
    own = [(joint if joint.reason is None else draw([k])) if k in usable else none for k in range(len(outcomes))]
    return joint, own
