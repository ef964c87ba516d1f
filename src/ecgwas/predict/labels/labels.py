"""Recordings, people, statements, diagnoses, follow-up -> labels and splits of recordings; exclusions."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ecgwas import config, tables
from ecgwas import people as cohort_people
from ecgwas.cli import run
from ecgwas.errors import UserError
from ecgwas.people.outcomes import zero_one
from ecgwas.predict.labels import codes, splits

DAYS_A_YEAR = 365.25


@dataclass(frozen=True)
class Sources:
    """Tables of a cohort; None where it has none."""

    cohort: str
    people: Path | None
    statements: pl.DataFrame | None  # recording_id and, where present, codes, fold, time
    diagnoses: pl.DataFrame | None  # person_id, code, date
    followup: pl.DataFrame | None  # person_id, end, death

    @property
    def coded(self) -> bool:
        """Whether statements have codes; they may have the time or the fold alone."""
        return self.statements is not None and "codes" in self.statements.columns


def read_sources(cohort: str, labels: config.Labels | None, people: Path | None) -> Sources:
    """Read and check the tables that the cohort names."""
    labels = labels or config.Labels()
    return Sources(
        cohort,
        people,
        codes.statements(labels) if labels.statements else None,
        codes.diagnoses(labels.diagnoses) if labels.diagnoses else None,
        codes.followup(labels.followup) if labels.followup else None,
    )


# ------------------------------------------------------------------------------------------------ recordings


def candidates(recordings: pl.DataFrame, sources: Sources) -> pl.DataFrame:
    """recording_id, person_id, time (ISO), date, fold, codes, age, sex: one row per recording, each person's by time.

    The time of `statements` comes before that of the file; recordings without a time come last.
    """
    table = recordings.select("recording_id", "person_id", file_time="start_time")
    blank = {"codes": pl.List(pl.String), "fold": pl.Int32, "time": pl.String}
    stated = sources.statements
    if stated is None:
        table = table.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in blank.items())
        table = table.with_columns(stated=pl.lit(False))
    else:
        table = table.join(
            stated.with_columns(stated=pl.lit(True)), on="recording_id", how="left", maintain_order="left"
        )
        absent = [pl.lit(None, dtype).alias(name) for name, dtype in blank.items() if name not in table.columns]
        table = table.with_columns(absent).with_columns(pl.col("stated").fill_null(False))
    table = table.with_columns(time=pl.coalesce("time", "file_time")).drop("file_time")
    date = pl.col("time").str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    table = table.with_columns(date=date).join(
        demographics(sources.people), on="person_id", how="left", maintain_order="left"
    )
    return table.sort("person_id", "time", "recording_id", nulls_last=True)


def demographics(people: Path | None) -> pl.DataFrame:
    """person_id, age (years) and sex (female, male or null)."""
    schema = {"person_id": pl.String, "age": pl.Float64, "sex": pl.String}
    return pl.DataFrame(schema=schema) if people is None else cohort_people.read(people).select(*schema)


def excluded(table: pl.DataFrame, reason: str, detail: str, outcome: str | None = None) -> pl.DataFrame:
    """tables.LABELS_EXCLUDED of these recordings."""
    added = {"outcome": pl.lit(outcome, pl.String), "reason": pl.lit(reason), "detail": pl.lit(detail)}
    return tables.LABELS_EXCLUDED.typed(table.select("recording_id", "person_id", **added))


def counted(
    table: pl.DataFrame, withdrawn: Path | None, settings: config.Predict, training: bool, seed: int
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """The recordings used, with their split, and exclusions with reasons."""
    gone = []

    def leave(chosen: pl.Expr, reason: str, detail: str) -> None:
        nonlocal table
        gone.append(excluded(table.filter(chosen), reason, detail))
        table = table.filter(~chosen)

    table = cohort_people.read_withdrawn(withdrawn).without(table, "person_id")  # no row, nor a reason
    table = table.with_columns(splits.split(table, settings.splits, training, seed))
    leave(pl.col("split").is_null(), "fold", "of a fold that predict.splits does not name, or of none")
    if settings.recording != "all":
        order = pl.int_range(pl.len()).over("person_id")
        place = 0 if settings.recording == "first" else pl.len().over("person_id") - 1
        if settings.recording == "last":  # recordings without a time come last in the table and first here
            table = table.sort("person_id", "time", "recording_id", nulls_last=False)
        leave(order != place, "another_recording", f"predict.recording: {settings.recording}")
    return table, gone


# --------------------------------------------------------------------------------------------------- outcomes


def prevalent(table: pl.DataFrame, outcome: config.Outcome, sources: Sources) -> pl.DataFrame:
    """`table` with y (0, 1 or null) and reason (null with a label)."""
    if outcome.column:
        return by_column(table, outcome.column, sources)
    stated = matches_any(outcome.codes)
    of_statement = pl.when(pl.col("stated") & pl.col("codes").is_not_null()).then(stated)
    table = table.with_columns(s=of_statement if sources.coded else pl.lit(False))
    table = table.with_columns(d=pl.lit(False), open=pl.lit(False))
    if sources.diagnoses is not None:
        table = table.drop("d", "open").join(
            first_dates(outcome, sources.diagnoses), on="person_id", how="left", maintain_order="left"
        )
        limit = pl.col("date") + pl.duration(days=outcome.window_days)
        known = pl.col("undated").fill_null(False) | (pl.col("first") <= limit).fill_null(False)
        table = table.with_columns(d=known, open=pl.col("first").is_not_null() & pl.col("date").is_null() & ~known)
    y = pl.when(pl.col("s").fill_null(False) | pl.col("d")).then(1.0)
    y = y.when(pl.col("s").is_not_null() & ~pl.col("open")).then(0.0)
    reason = pl.when(pl.col("open")).then(pl.lit("no_time")).otherwise(pl.lit("no_statement"))
    return table.with_columns(y=y).with_columns(reason=pl.when(pl.col("y").is_null()).then(reason))


def matches_any(patterns: list[str]) -> pl.Expr:
    """Whether any code of a recording's statement is among the patterns."""
    return pl.col("codes").list.eval(codes.matches(pl.element(), patterns)).list.any()


def first_dates(outcome: config.Outcome, diagnoses: pl.DataFrame) -> pl.DataFrame:
    """person_id, first (the first dated diagnosis of the outcome), undated (whether there is one without a date)."""
    mine = diagnoses.filter(codes.matches(pl.col("code"), outcome.codes))
    return mine.group_by("person_id").agg(first=pl.col("date").min(), undated=pl.col("date").is_null().any())


def by_column(table: pl.DataFrame, column: str, sources: Sources) -> pl.DataFrame:
    """The 0/1 column of the people table."""
    people = cohort_people.read(sources.people)
    if column not in people.columns:
        raise UserError(f"{sources.people}: no column {column} (predict.outcomes); it has {', '.join(people.columns)}")
    value = pl.Series("y", zero_one(sources.people, people[column])).fill_nan(None)
    table = table.join(
        people.select("person_id").with_columns(value, known=True), on="person_id", how="left", maintain_order="left"
    )
    reason = pl.when(pl.col("known").is_null()).then(pl.lit("unknown_person")).otherwise(pl.lit("no_value"))
    return table.with_columns(reason=pl.when(pl.col("y").is_null()).then(reason))


def incident(table: pl.DataFrame, outcome: config.Outcome, sources: Sources) -> pl.DataFrame:
    """`table` with years, event (0 censored, 1 event, 2 died before), y and reason.

    Time runs from the landmark, `landmark_days` after the recording, to the first diagnosis, death or the end of
    follow-up. On the day of the recording a diagnosis is prevalent. Death is a competing event (Wolbers et al. 2009,
    Epidemiology 20:555).
    """
    table = table.join(first_dates(outcome, sources.diagnoses), on="person_id", how="left", maintain_order="left")
    table = table.join(sources.followup, on="person_id", how="left", maintain_order="left")
    start = pl.col("date") + pl.duration(days=outcome.landmark_days)
    last = pl.min_horizontal("end", "death")
    had = pl.col("first").is_not_null() & (pl.col("first") <= last)
    stop = pl.when(had).then(pl.col("first")).otherwise(last)
    here = matches_any(outcome.codes).fill_null(False) if sources.coded else pl.lit(False)
    reason = (
        pl.when(pl.col("date").is_null()).then(pl.lit("no_time"))
        .when(pl.col("end").is_null()).then(pl.lit("no_followup"))
        .when(here | (pl.col("first") <= pl.col("date"))).then(pl.lit("prevalent"))
        .when(pl.col("undated")).then(pl.lit("undated_diagnosis"))
        .when(stop <= start).then(pl.lit("left_before_landmark"))
    )  # fmt: skip
    died = pl.col("death").is_not_null() & (pl.col("death") <= pl.col("end"))
    event = pl.when(had).then(1).when(died).then(2).otherwise(0)
    years = (stop - start).dt.total_days() / DAYS_A_YEAR
    table = table.with_columns(reason=reason, years=years, event=event.cast(pl.Int8))
    known = pl.col("reason").is_null()
    table = table.with_columns(pl.when(known).then(pl.col(name)).alias(name) for name in ("years", "event"))
    return table.with_columns(y=(pl.col("event") == 1).cast(pl.Float64))


DETAILS = {
    "no_statement": "the cohort's statements have no codes of this recording",
    "no_time": "the time of the recording is not known",
    "unknown_person": "the person is not in the people table",
    "no_value": "the column is empty",
    "no_followup": "no end of follow-up is known",
    "prevalent": "had it by the day of the recording",
    "undated_diagnosis": "a diagnosis without a date may be older or younger than the recording",
    "left_before_landmark": "event, death or end of follow-up by the landmark",
    "no_source": "the cohort has no table that tells of it",
}


def has_source(outcome: config.Outcome, sources: Sources) -> bool:
    """Whether the cohort has a source for the outcome."""
    if outcome.column:
        return sources.people is not None and outcome.column in cohort_people.read(sources.people).columns
    if outcome.kind == "incident":
        return sources.diagnoses is not None and sources.followup is not None
    return sources.coded or sources.diagnoses is not None


def remedy(name: str, outcome: config.Outcome, cohort: str) -> str:
    """The remedy where a training cohort has no source for an outcome."""
    if outcome.column:
        return f"predict.outcomes.{name}: the people table of cohort {cohort} has no column {outcome.column}"
    keys = "labels: {diagnoses: …, followup: …}" if outcome.kind == "incident" else "labels: {statements: …}"
    return f"predict.outcomes.{name}: cohort {cohort} has no table for it; write {keys} in its file"


def label(
    table: pl.DataFrame, settings: config.Predict, sources: Sources, training: bool
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """The columns of every outcome beside `table`, and the rows of those without a label."""
    gone = []
    for name, outcome in settings.outcomes.items():
        if not has_source(outcome, sources):
            if training:
                raise UserError(remedy(name, outcome, sources.cohort))
            made = table.with_columns(y=pl.lit(None, pl.Float64), reason=pl.lit("no_source"))
        else:
            made = (incident if outcome.kind == "incident" else prevalent)(table, outcome, sources)
        for reason in made["reason"].drop_nulls().unique().sort():
            gone.append(excluded(made.filter(pl.col("reason") == reason), reason, DETAILS[reason], name))
        columns = {f"y:{name}": made["y"]}
        if outcome.kind == "incident":
            blank = pl.Series([None] * made.height)
            columns[f"years:{name}"] = made.get_column("years", default=blank).cast(pl.Float64)
            columns[f"event:{name}"] = made.get_column("event", default=blank).cast(pl.Int8)
        table = table.with_columns(series.alias(column) for column, series in columns.items())
    return table, gone


def main(
    cohort: str,
    recordings: Path,
    settings: config.Predict,
    labels_out: Path,
    excluded_out: Path,
    labels: config.Labels | None = None,
    people: Path | None = None,
    withdrawn: Path | None = None,
    training: bool = False,
    seed: int = 1,
) -> None:
    """Label the recordings of a cohort for each outcome.

    Args:
        cohort: Its name, for messages.
        recordings: Its recordings.parquet.
        settings: The predict block, as JSON.
        labels_out: Written: tables.LABELS, the labelled recordings.
        excluded_out: Written: tables.LABELS_EXCLUDED, the exclusions, with reasons.
        labels: The cohort's labels block, as JSON.
        people: Its table of people.
        withdrawn: People who withdrew consent, one id a line.
        training: Predictors are fitted to this cohort; other cohorts are test data as a whole.
        seed: Seed of the split.
    """
    sources = read_sources(cohort, labels, people)
    listed = tables.RECORDINGS.read(recordings, ["recording_id", "person_id", "start_time"])
    table = candidates(listed, sources)
    table, gone = counted(table, withdrawn, settings, training, seed)
    table, unlabelled = label(table, settings, sources, training)
    outcomes = [f"y:{name}" for name in settings.outcomes]
    table = table.filter(pl.any_horizontal(pl.col(name).is_not_null() for name in outcomes))
    gone = pl.concat([tables.LABELS_EXCLUDED.empty(), *gone, *unlabelled])
    if table.is_empty() and training:
        told = ", ".join(f"{reason} {n}" for reason, n in sorted(Counter(gone["reason"]).items()))
        raise UserError(f"cohort {cohort}: no recording has a label ({told}); check predict.outcomes and labels")
    kept = [name for name in table.columns if tables.LABELS.is_declared(name)]
    tables.LABELS_EXCLUDED.write(gone, excluded_out)
    tables.LABELS.write(table.select(kept).sort("recording_id"), labels_out)
    told = ", ".join(f"{name[2:]} {table[name].sum():.0f} of {table[name].count()}" for name in outcomes)
    print(f"{table.height} recordings of {table['person_id'].n_unique()} people; cases: {told}", flush=True)


if __name__ == "__main__":
    run(main)
