"""Who counts for which outcome, and what predictors say of them."""

from ecgwas.tables.base import Table

LABELS = Table("cohorts/{cohort}/predict/labels.parquet", {
    "recording_id": ("String", "A recording that counts (predict.recording)."),
    "person_id": ("String", "Its person."),
    "split": ("String", "train, validation or test; of cohorts that predictors are not fitted to, test."),
    "time": ("String", "When it was recorded, ISO 8601; null where not known."),
    "age": ("Float64", "Age by the people table, years; null where not known, or 120 and more."),
    "sex": ("String", "Sex by the people table."),
}, further={
    "y:{outcome}": ("Float64", "1 case, 0 control, null unlabelled."),
    "years:{outcome}": ("Float64", "Of an incident outcome: years from the landmark to event, death or end of follow-up."),
    "event:{outcome}": ("Int8", "Of an incident outcome: 0 censored, 1 event, 2 died before."),
})

LABELS_EXCLUDED = Table("cohorts/{cohort}/predict/excluded.parquet", {
    "recording_id": ("String", "Recording that does not count."),
    "person_id": ("String", "Its person."),
    "outcome": ("String", "For which outcome; null: for all."),
    "reason": ("String", "fold, another_recording; of an outcome: no_statement, no_time, unknown_person, no_value, no_followup, prevalent, undated_diagnosis, left_before_landmark, no_source."),
    "detail": ("String", "What was seen."),
})

SCORES = Table("cohorts/{cohort}/predict/{model}/scores-{fitted}.parquet", {
    "recording_id": ("String", "The recordings of labels.parquet."),
    "person_id": ("String", "Their person."),
    "method": ("String", "How the predictor was made (predict.methods)."),
    "share": ("Float64", "Share of the training people whose labels it learnt from."),
    "draw": ("Int32", "Number of the draw of these people."),
    "reason": ("String", "Why there is no score: nothing_to_see; null where there is one."),
}, further={
    "{outcome}": ("Float64", "Logit of an outcome."),
})
