"""Who counts for which outcome, and what predictors say of them."""

import polars as pl

from ecgwas.tables.base import Schema

LABELS: Schema = {
    "recording_id": (pl.String(), "A recording that counts (predict.recording)."),
    "person_id": (pl.String(), "Its person."),
    "split": (pl.String(), "train, validation or test; of cohorts that predictors are not fitted to, test."),
    "time": (pl.String(), "When it was recorded, ISO 8601; null where not known."),
    "age": (pl.Float64(), "Age by the people table, years; null where not known, or 120 and more."),
    "sex": (pl.String(), "Sex by the people table. Then `y:{outcome}` an outcome (Float64: 1 case, 0 control, null unlabelled); incident ones also `years:{outcome}`, from the landmark to event, death or end of follow-up, and `event:{outcome}` (Int8: 0 censored, 1 event, 2 died before)."),
}

LABELS_EXCLUDED: Schema = {
    "recording_id": (pl.String(), "Recording that does not count."),
    "person_id": (pl.String(), "Its person."),
    "outcome": (pl.String(), "For which outcome; null: for all."),
    "reason": (pl.String(), "fold, another_recording; of an outcome: no_statement, no_time, unknown_person, no_value, no_followup, prevalent, undated_diagnosis, left_before_landmark, no_source."),
    "detail": (pl.String(), "What was seen."),
}

SCORES: Schema = {
    "recording_id": (pl.String(), "The recordings of labels.parquet."),
    "person_id": (pl.String(), "Their person."),
    "method": (pl.String(), "How the predictor was made (predict.methods)."),
    "share": (pl.Float64(), "Share of the training people whose labels it learnt from."),
    "draw": (pl.Int32(), "Number of the draw of these people."),
    "reason": (pl.String(), "Why there is no score: nothing_to_see; null where there is one. Then a column an outcome: its logit (Float64)."),
}
