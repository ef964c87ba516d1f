"""Embeddings, recordings and intervals of the cohorts -> what linear probes predict from them: wanted and unwanted."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import config, tables, user_tables
from ecgwas.cli import run
from ecgwas.embed import linear_probes
from ecgwas.errors import UserError
from ecgwas.people.values import not_traits
from ecgwas.stats import circular
from ecgwas.stats.repeated_measures import icc

WANTED = ["heart_rate_bpm", "pr_ms", "qrs_ms", "qt_ms", "p_frontal_mv", "t_frontal_mv"]
UNWANTED = ["cohort", "device", "native_lowpass_hz", "native_highpass_hz", "rate_hz", "unit"]
MIN_PEOPLE = 10  # of a class, and with several recordings
MIN_READ = 50  # people with a measurement
CLASSES = 20  # the most frequent ones
AXES = 16  # principal axes whose repeatability is estimated
REPEATED = 5000  # people with several recordings that are used, at most


@dataclass(frozen=True)
class Known:
    """Recordings with the values of a model."""

    table: pl.DataFrame  # cohort, person, WANTED and UNWANTED, one row per recording
    x: np.ndarray  # [recording, column], NaN missing
    of_people: bool = False  # recordings of a person share the person's values

    def of(self, rows: np.ndarray) -> "Known":
        """The recordings chosen by a mask."""
        return Known(self.table.filter(pl.Series(rows)), self.x[rows], self.of_people)


@dataclass(frozen=True)
class Score:
    """A score with its interval, or the reason why there is none."""

    score: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    people: int = 0
    classes: int | None = None
    reason: str | None = None


def numbers(path: Path, classical: bool) -> tuple[pl.DataFrame, list[str]]:
    """A model's table and its numeric columns; of the classical measurements those scanned by default."""
    given = user_tables.read(path).need(["person_id"])
    table, unused = given.frame, {*user_tables.IDS, *not_traits(given, whole=False)}
    names = [name for name, kind in table.schema.items() if kind.is_numeric() and name not in unused]
    names = [n for n in names if n in config.SCANNED_INTERVALS or not (classical or n.startswith("machine_"))]
    if not names:
        raise UserError(f"{path}: no numeric column to probe; the table has {', '.join(table.columns)}")
    return table, names


def gather(
    cohorts: list[str], values: list[Path], recordings: list[Path], intervals: list[Path], classical: bool
) -> Known:
    """Every recording of the cohorts with its values; in a table of people, a recording has its person's."""
    parts, chosen, on = [], None, ""
    for cohort, *paths in zip(cohorts, values, recordings, intervals, strict=True):
        table, names = numbers(paths[0], classical)
        if chosen not in (None, names):
            raise UserError(f"{paths[0]}: {len(names)} columns, {len(chosen)} in another cohort; use one model for all")
        chosen, on = names, "recording_id" if "recording_id" in table.columns else "person_id"
        measured = tables.INTERVALS.read(paths[2], ["recording_id", *WANTED])
        about = tables.RECORDINGS.read(paths[1], ["recording_id", "person_id", *UNWANTED[1:]])
        about = about.with_columns(cohort=pl.lit(cohort), person=pl.lit(f"{cohort}/") + pl.col("person_id"))
        found = table.select(on, *(pl.col(name).cast(pl.Float64).alias(f"x:{name}") for name in names))
        parts.append(about.join(measured, on="recording_id", how="left").join(found, on=on, how="inner"))
    whole = pl.concat(parts).sort("cohort", "recording_id")
    x = whole.select(f"x:{name}" for name in chosen or []).to_numpy(writable=True)
    for j in tables.circular(chosen or []):
        x[:, j] = circular.around(x[:, j])
    known = Known(
        whole.select("cohort", "person", *WANTED, *UNWANTED[1:]), np.where(np.isfinite(x), x, np.nan), on == "person_id"
    )
    return known.of(np.isfinite(known.x).any(1))


def measurement(x: np.ndarray, y: np.ndarray, person: np.ndarray, seed: int) -> Score:
    """Cross-validated R² of ridge regression of y on x, people held out by folds; NaN in y are excluded."""
    seen = np.isfinite(y)
    x, y = x[seen], y[seen]
    ids, group = np.unique(person[seen], return_inverse=True)
    score = Score("R2", n=len(y), people=len(ids))
    if len(ids) < MIN_READ or not np.ptp(y) > 0:
        return _without(score, f"{len(ids)} people have a value, fewer than {MIN_READ}, or all the same value")
    x = linear_probes.features(x)
    predicted = linear_probes.out_of_fold(x, y[:, None], linear_probes.folds(group, seed))[:, 0]
    value = linear_probes.r2(y, predicted, np.ones((1, len(y))))[0]
    again = np.concatenate([linear_probes.r2(y, predicted, w) for w in linear_probes.weights(group, seed)])
    return _with(score, value, again)


def label(x: np.ndarray, words: pl.Series, person: np.ndarray, seed: int, group: np.ndarray | None = None) -> Score:
    """Macro AUROC, one class against the rest, of a label predicted from x, people held out by folds.

    The probe is linear regression of the classes' indicators (Hastie, Tibshirani & Friedman 2009, section 4.2).
    Classes of fewer than MIN_PEOPLE people are excluded. `group`: units of the bootstrap; the people, by default.
    """
    words = words.cast(pl.String)
    counts = pl.DataFrame({"word": words, "person": person}).drop_nulls().group_by("word").agg(pl.n_unique("person"))
    usable = counts.filter(pl.col("person") >= MIN_PEOPLE).sort(["person", "word"], descending=[True, False])
    names = usable["word"].head(CLASSES).sort().to_list()
    seen = words.is_in(names).fill_null(False).to_numpy()
    score = Score("AUROC", n=int(seen.sum()), people=len(np.unique(person[seen])), classes=len(names))
    if len(names) < 2:
        return _without(score, _why_no_label(counts, names))
    x, person = linear_probes.features(x[seen]), np.unique(person[seen], return_inverse=True)[1]
    code = words.filter(pl.Series(seen)).replace_strict(names, range(len(names)), return_dtype=pl.Int32).to_numpy()
    fold = linear_probes.folds(person, seed)
    predicted = linear_probes.out_of_fold(x, (code[:, None] == np.arange(len(names))).astype(float), fold)
    value = linear_probes.macro_auroc(code, predicted, fold, np.ones((1, len(code))))[0]
    drawn = linear_probes.weights(person if group is None else group[seen], seed)
    return _with(score, value, np.concatenate([linear_probes.macro_auroc(code, predicted, fold, w) for w in drawn]))


def _why_no_label(counts: pl.DataFrame, names: list[str]) -> str:
    if counts.is_empty():
        return "no recording says it"
    if counts.height == 1:
        return f"one class only: {counts['word'][0]}"
    return f"{len(names)} of {counts.height} classes with at least {MIN_PEOPLE} people"


def repeatability(x: np.ndarray, person: np.ndarray, seed: int, replicates: int = linear_probes.REPLICATES) -> Score:
    """Median over the leading AXES principal axes of ICC(1,1), and its interval, people resampled."""
    _, group, counts = np.unique(person, return_inverse=True, return_counts=True)
    several = np.flatnonzero(counts >= 2)
    score = Score("ICC", people=len(several), n=int(counts[several].sum()))
    x = linear_probes.features(x)
    if len(several) < MIN_PEOPLE or not x.shape[1]:
        return _without(score, f"{len(several)} people have two recordings, fewer than {MIN_PEOPLE}")
    y = principal(x)
    chosen = np.random.default_rng([seed, 3]).permutation(several)[:REPEATED]
    rows = _rows(group, chosen)
    value = _median_icc(y, rows, np.arange(len(rows)))
    rng = np.random.default_rng([seed, 4])
    again = [_median_icc(y, rows, rng.integers(0, len(rows), len(rows))) for _ in range(replicates)]
    return _with(score, value, np.array(again))


def principal(x: np.ndarray) -> np.ndarray:
    """Scores [recording, axis] on the leading principal axes of standardised columns x."""
    _, v = np.linalg.eigh(x.T @ x)
    return x @ v[:, ::-1][:, :AXES]


def _rows(group: np.ndarray, chosen: np.ndarray) -> list[np.ndarray]:
    """Rows of the recordings of each chosen person, from one sort."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(group.max() + 2))
    return [order[starts[k] : starts[k + 1]] for k in chosen]


def _median_icc(y: np.ndarray, rows: list[np.ndarray], drawn: np.ndarray) -> float:
    """Median over axes of the ICC of resampled people; one sampled twice counts as two."""
    places = np.concatenate([rows[k] for k in drawn])
    person = np.repeat(np.arange(len(drawn)), [len(rows[k]) for k in drawn])
    return float(np.nanmedian([icc(column, person)[1] for column in y[places].T]))


def _with(score: Score, value: float, again: np.ndarray) -> Score:
    low, high = linear_probes.interval(again)
    return Score(score.score, float(value), low, high, score.n, score.people, score.classes)


def _without(score: Score, reason: str) -> Score:
    return Score(score.score, n=score.n, people=score.people, classes=score.classes, reason=reason)


def scored(known: Known, cohort: str, classical: bool, seed: int) -> Iterator[dict]:
    """Rows of tables.READOUT of these recordings, without the model."""
    person = known.table["person"].to_numpy().astype(str)
    for name in WANTED:
        y = known.table[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        same = _without(Score("R2"), "one of the model's own numbers")
        yield _row(cohort, name, "wanted", same if classical else measurement(known.x, y, person, seed))
    one_each = _without(Score("ICC"), "a table of people: one value a person")
    repeated = one_each if known.of_people else repeatability(known.x, person, seed)
    yield _row(cohort, "repeatability", "wanted", repeated)
    for name in UNWANTED[0 if cohort == "all" else 1 :]:
        yield _row(cohort, name, "unwanted", label(known.x, known.table[name], person, seed))


def _row(cohort: str, quantity: str, kind: str, s: Score) -> dict:
    finite = {name: v if v is not None and np.isfinite(v) else None for name, v in _values(s).items()}
    about = {"cohort": cohort, "quantity": quantity, "kind": kind, "score": s.score}
    return about | finite | {"n": s.n, "n_people": s.people, "n_classes": s.classes, "reason": s.reason}


def _values(s: Score) -> dict[str, float | None]:
    return {"value": s.value, "low": s.low, "high": s.high}


def readout(known: Known, model: str, classical: bool, seed: int) -> pl.DataFrame:
    """tables.READOUT of one model: all cohorts together, then each where there are several."""
    cohorts = known.table["cohort"].unique().sort().to_list()
    rows = list(scored(known, "all", classical, seed))
    for cohort in cohorts if len(cohorts) > 1 else []:
        rows += scored(known.of((known.table["cohort"] == cohort).to_numpy()), cohort, classical, seed)
    schema = tables.READOUT.schema
    return pl.DataFrame([{"model": model} | row for row in rows], schema=schema)


def main(
    model: str,
    cohorts: list[str],
    values: list[Path],
    recordings: list[Path],
    intervals: list[Path],
    readout_out: Path,
    classical: bool = False,
    seed: int = 1,
) -> None:
    """What linear probes predict from a model's values: measurements (wanted); source, device, bandwidth (unwanted).

    Args:
        model: Its name.
        cohorts: Names of the cohorts, as a JSON list; the next three are in their order.
        values: The model's values: embeddings, intervals or a table.
        recordings: recordings.parquet.
        intervals: intervals.parquet.
        readout_out: Written: one row per quantity, for all cohorts together and for each.
        classical: The model is the classical measurements.
        seed: Seed of folds and bootstrap.
    """
    known = gather(cohorts, values, recordings, intervals, classical)
    made = readout(known, model, classical, seed)
    known_rows = made.filter(pl.col("value").is_not_null())
    print(f"{known.table.height} recordings, {known_rows.height} of {made.height} quantities scored", flush=True)
    tables.READOUT.write(made, readout_out)


if __name__ == "__main__":
    run(main)
