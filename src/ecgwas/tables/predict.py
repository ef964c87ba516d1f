"""Predictions of disease and how they are judged."""

import polars as pl

from ecgwas.tables.base import Schema

_who = {
    "cohort": (pl.String(), "The cohort judged."),
    "method": (pl.String(), "The method, of predict.methods."),
    "outcome": (pl.String(), "The outcome, or macro: the unweighted mean over those estimable and, where there are such, prevalent."),
    "split": (pl.String(), "test; or validation: the split that selects settings and thresholds."),
}
_value = {
    "value": (pl.Float64(), "The value; null where it is not estimable."),
    "low": (pl.Float64(), "Lower end of the 95 % interval."),
    "high": (pl.Float64(), "Upper end."),
}
_reason = {"reason": (pl.String(), "Why there is no value or interval, or what it leaves out; null where all is there.")}

PREDICT_PERFORMANCE: Schema = {
    **_who,
    "label_share": (pl.Float64(), "Share of the training people's labels learnt from; a value under 1 is the mean over draws of people."),
    "metric": (pl.String(), "auroc, auprc, brier, slope, intercept, ece (people drawn again); auroc_delong (DeLong's interval); prevalence; platt_slope, platt_intercept (Platt scaling of the logits, fitted in the validation split)."),
    **_value,
    "n": (pl.Int32(), "Recordings: those that every method scored."),
    "n_people": (pl.Int32(), "Their people; null where fewer than predict.min_cell, as below."),
    "n_cases": (pl.Int32(), "People with a case among them; null also where the people without are fewer."),
    "redrawn": (pl.Int32(), "Resamples drawn again since a class was missing."),
    **_reason,
}

PREDICT_DIFFERENCES: Schema = {
    **_who,
    "other": (pl.String(), "The method it is compared with, on the same recordings."),
    "label_share": (pl.Float64(), "Share of labels that both learnt from."),
    "metric": (pl.String(), "auroc or auprc."),
    "test": (pl.String(), "bootstrap (the same resamples of people for both), or delong."),
    **_value,
    "p": (pl.Float64(), "Two-sided p of DeLong's test; null for the bootstrap."),
    **_reason,
}

PREDICT_THRESHOLDS: Schema = {
    **_who,
    "rule": (pl.String(), "youden or specificity: how the threshold is set in the validation split."),
    "threshold": (pl.Float64(), "The logit at or above which a recording is called positive, the same for every cohort."),
    "probability": (pl.Float64(), "The same as a probability."),
    "metric": (pl.String(), "sensitivity, specificity, ppv, npv; flagged: share called positive; screened: people called positive a case found, 1/ppv."),
    **_value,
    "n": (pl.Int32(), "Recordings that the share is of; null where fewer than predict.min_cell."),
    **_reason,
}

PREDICT_RELIABILITY: Schema = {
    **_who,
    "bin": (pl.Int32(), "Group of neighbouring risks, from 1; each has at least predict.min_cell cases and controls."),
    "n": (pl.Int32(), "Recordings."),
    "n_people": (pl.Int32(), "People."),
    "predicted": (pl.Float64(), "Mean probability."),
    "observed": (pl.Float64(), "Share of cases."),
    "low": (pl.Float64(), "Lower end of its 95 % Wilson interval."),
    "high": (pl.Float64(), "Upper end."),
    **_reason,
}

PREDICT_DECISION: Schema = {
    **_who,
    "risk": (pl.Float64(), "Risk at or above which one would act."),
    "strategy": (pl.String(), "model, all (act on everyone); or advantage: model less the better of all and nobody (0)."),
    **_value,
    **_reason,
}

PREDICT_SUBGROUPS: Schema = {
    **_who,
    "column": (pl.String(), "What makes the groups, of predict.subgroups."),
    "group": (pl.String(), "The group; unknown: the column is empty; all: none can be shown."),
    "metric": (pl.String(), "auroc, auprc, and at the threshold sensitivity, specificity; null where the group is not estimable."),
    **_value,
    "gap": (pl.Float64(), "The group's value less that of everybody else."),
    "gap_low": (pl.Float64(), "Lower end of its 95 % interval, the same resamples for both."),
    "gap_high": (pl.Float64(), "Upper end."),
    "n_people": (pl.Int32(), "People of the group; null where it, or another, could be worked out to be fewer than predict.min_cell."),
    "n_cases": (pl.Int32(), "Cases among them; null likewise."),
    **_reason,
}

PREDICT_POPULATION: Schema = {
    **_who,
    "view": (pl.String(), "total; risk: bands of risk; screening: all from a band up; date: year or month of the recording; or a column of predict.subgroups. The latest recording of each person."),
    "group": (pl.String(), "The group of people."),
    "n_people": (pl.Int32(), "People; null where this, or another of the same view, could be worked out to be fewer than predict.min_cell."),
    "n_cases": (pl.Int32(), "Cases among them; null likewise, and where controls could."),
    "risk": (pl.Float64(), "Mean probability."),
    "risk_low": (pl.Float64(), "Lower end of its 95 % interval."),
    "risk_high": (pl.Float64(), "Upper end."),
    "observed": (pl.Float64(), "Share of cases."),
    "observed_low": (pl.Float64(), "Lower end of its 95 % Wilson interval."),
    "observed_high": (pl.Float64(), "Upper end."),
    "screened": (pl.Float64(), "Number needed to screen: people a case found."),
    "screened_low": (pl.Float64(), "Lower end of its interval."),
    "screened_high": (pl.Float64(), "Upper end."),
    "found": (pl.Float64(), "Share of all cases that are found."),
    **_reason,
}
