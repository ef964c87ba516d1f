"""Predictions of disease and their evaluation."""

from ecgwas.tables.base import Document, Table

_who = {
    "cohort": ("String", "The cohort evaluated."),
    "method": ("String", "The method, of predict.methods."),
    "outcome": ("String", "The outcome, or macro: the unweighted mean over estimable, prevalent outcomes (over incident ones where there are no others)."),
    "split": ("String", "test; or validation: the split that selects settings and thresholds."),
}
_value = {
    "value": ("Float64", "The value; null where it is not estimable."),
    "low": ("Float64", "Lower end of the 95 % interval."),
    "high": ("Float64", "Upper end."),
}
_reason = {"reason": ("String", "Why a value or interval is missing, or what it excludes; null where nothing is.")}

PREDICTOR = Document("predict/{model}/{fitted}.pt", "A fitted predictor: method, or method, share and draw of the labels; weights, settings, outcomes and their thresholds.")
BUNDLE = Document("predict/{model}/bundle-{method}", "Folder of a predictor for others: model.safetensors, config.json (preprocessing, outcomes, thresholds) and README.md with its performance.")

PREDICT_PERFORMANCE = Table("predict/{model}/performance.parquet", {
    **_who,
    "label_share": ("Float64", "Share of the training people's labels used; a value under 1 is the mean over label subsamples."),
    "metric": ("String", "auroc, auprc, brier, slope, intercept, ece (bootstrap over people); auroc_delong (DeLong's interval); prevalence; platt_slope, platt_intercept (Platt scaling of the logits, fitted in the validation split)."),
    **_value,
    "n": ("Int32", "Recordings that every method scored."),
    "n_people": ("Int32", "Their people; null where fewer than predict.min_cell, as below."),
    "n_cases": ("Int32", "People with a case among them; null also where the people without are fewer."),
    "redrawn": ("Int32", "Resamples redrawn because a class was missing."),
    **_reason,
})

PREDICT_DIFFERENCES = Table("predict/{model}/differences.parquet", {
    **_who,
    "other": ("String", "The method it is compared with, on the same recordings."),
    "label_share": ("Float64", "Share of labels that both were trained on."),
    "metric": ("String", "auroc or auprc."),
    "test": ("String", "bootstrap (the same resamples of people for both), or delong."),
    **_value,
    "p": ("Float64", "Two-sided p of DeLong's test; null for the bootstrap."),
    **_reason,
})

PREDICT_THRESHOLDS = Table("predict/{model}/thresholds.parquet", {
    **_who,
    "rule": ("String", "youden or specificity: how the threshold is set in the validation split."),
    "threshold": ("Float64", "The logit at or above which a recording is called positive, the same for every cohort."),
    "probability": ("Float64", "The same as a probability."),
    "metric": ("String", "sensitivity, specificity, ppv, npv; flagged: share called positive; screened: people called positive per case found, 1/ppv."),
    **_value,
    "n": ("Int32", "Recordings in the denominator; null where fewer than predict.min_cell."),
    **_reason,
})

PREDICT_RELIABILITY = Table("predict/{model}/reliability.parquet", {
    **_who,
    "bin": ("Int32", "Group of neighbouring risks, from 1; each has at least predict.min_cell cases and controls."),
    "n": ("Int32", "Recordings."),
    "n_people": ("Int32", "People."),
    "predicted": ("Float64", "Mean probability."),
    "observed": ("Float64", "Share of cases."),
    "low": ("Float64", "Lower end of its 95 % Wilson interval."),
    "high": ("Float64", "Upper end."),
    **_reason,
})

PREDICT_DECISION = Table("predict/{model}/decision.parquet", {
    **_who,
    "risk": ("Float64", "Risk at or above which one would act."),
    "strategy": ("String", "model, all (act on everyone); or advantage: model less the better of all and none (0)."),
    **_value,
    **_reason,
})

PREDICT_SUBGROUPS = Table("predict/{model}/subgroups.parquet", {
    **_who,
    "column": ("String", "The grouping column, of predict.subgroups."),
    "group": ("String", "The group; unknown: the column is empty; all: none can be shown."),
    "metric": ("String", "auroc, auprc, and at the threshold sensitivity, specificity; null where the group is not estimable."),
    **_value,
    "gap": ("Float64", "The group's value less that of everybody else."),
    "gap_low": ("Float64", "Lower end of its 95 % interval, the same resamples for both."),
    "gap_high": ("Float64", "Upper end."),
    "n_people": ("Int32", "People of the group; null (small-cell suppression) where it or another count under predict.min_cell could be derived."),
    "n_cases": ("Int32", "Cases among them; null likewise."),
    **_reason,
})

PREDICT_POPULATION = Table("predict/{model}/population.parquet", {
    **_who,
    "view": ("String", "total; risk: bands of risk; screening: all from a band up; date: year or month of the recording; or a column of predict.subgroups. The latest recording of each person."),
    "group": ("String", "The group of people."),
    "n_people": ("Int32", "People; null (small-cell suppression) where it or another count of the view under predict.min_cell could be derived."),
    "n_cases": ("Int32", "Cases among them; null likewise, and where controls could."),
    "risk": ("Float64", "Mean probability."),
    "risk_low": ("Float64", "Lower end of its 95 % interval."),
    "risk_high": ("Float64", "Upper end."),
    "observed": ("Float64", "Share of cases."),
    "observed_low": ("Float64", "Lower end of its 95 % Wilson interval."),
    "observed_high": ("Float64", "Upper end."),
    "screened": ("Float64", "Number needed to screen: people per case found."),
    "screened_low": ("Float64", "Lower end of its interval."),
    "screened_high": ("Float64", "Upper end."),
    "found": ("Float64", "Share of all cases found."),
    **_reason,
})
