"""Labelled recordings of each outcome, and scores of predictors."""

from ecgwas.tables.base import Table

LABELS = Table("cohorts/{cohort}/predict/labels.parquet", {
    "recording_id": ("String", "A recording used (predict.recording)."),
    "person_id": ("String", "Its person."),
    "split": ("String", "train, validation or test; test in all cohorts but the training cohort."),
    "time": ("String", "When it was recorded, ISO 8601; null where unknown."),
    "age": ("Float64", "Age by the people table, years; null where unknown, or 120 and more."),
    "sex": ("String", "Sex by the people table."),
}, further={
    "y:{outcome}": ("Float64", "1 case, 0 control, null unlabelled."),
    "years:{outcome}": ("Float64", "Of an incident outcome: years from the landmark to event, death or end of follow-up."),
    "event:{outcome}": ("Int8", "Of an incident outcome: 0 censored, 1 event, 2 died before."),
})

LABELS_EXCLUDED = Table("cohorts/{cohort}/predict/excluded.parquet", {
    "recording_id": ("String", "Excluded recording."),
    "person_id": ("String", "Its person."),
    "outcome": ("String", "The outcome; null: all outcomes."),
    "reason": ("String", "fold, another_recording; of an outcome: no_statement, no_time, unknown_person, no_value, no_followup, prevalent, undated_diagnosis, left_before_landmark, no_source."),
    "detail": ("String", "The finding, in words."),
})

SCORES = Table("cohorts/{cohort}/predict/{model}/scores-{fitted}.parquet", {
    "recording_id": ("String", "The recordings of labels.parquet."),
    "person_id": ("String", "Their person."),
    "method": ("String", "How the predictor was made (predict.methods)."),
    "share": ("Float64", "Share of the training people whose labels it was trained on."),
    "draw": ("Int32", "Number of the label subsample."),
    "reason": ("String", "Why the score is missing: nothing_to_see; null where it is not."),
}, further={
    "{outcome}": ("Float64", "Logit of an outcome."),
})
