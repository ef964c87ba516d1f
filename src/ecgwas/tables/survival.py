"""Risk of incident disease and its evaluation."""

from ecgwas.tables.base import Table

_WHO = {
    "cohort": ("String", "The cohort; of hazard ratios the training cohort."),
    "outcome": ("String", "The incident outcome."),
    "split": ("String", "train or test."),
    "method": ("String", "demographics (age, sex), intervals or embedding (with age and sex each); null where none is estimable."),
}
_HEAD = {"head": ("String", "cox: proportional hazards; discrete: logistic regression on intervals of time.")}
_ENDS = {"low": ("Float64", "Lower end of the 95 % interval."), "high": ("Float64", "Upper end.")}
_REASON = {"reason": ("String", "Why a value or interval is missing; null where none is.")}

SURVIVAL = Table("predict/{model}/survival.parquet", {
    **_WHO,
    **_HEAD,
    "metric": ("String", "harrell, uno (up to the last horizon that people are followed past); at a horizon auc, brier, slope, intercept, predicted (mean predicted risk); integrated_brier (over the horizons, no interval)."),
    "horizon_years": ("Float64", "The horizon, years; null where there is none."),
    "other": ("String", "The method that is subtracted, on the same people and resamples; null: the value itself."),
    "value": ("Float64", "The value."),
    **_ENDS,
    "n": ("Int32", "People."),
    "n_events": ("Int32", "People with the event; null where fewer than predict.min_cell have, or have not, had it (small-cell suppression)."),
    **_REASON,
})

SURVIVAL_HAZARD_RATIOS = Table("predict/{model}/hazard_ratios.parquet", {
    **_WHO,
    "penalty": ("Float64", "Ridge on all but age and sex: 0, or that of the model, whose intervals are those of shrunken coefficients."),
    "covariate": ("String", "age, male, a measurement, or axis_1, … of the embedding."),
    "sd": ("Float64", "Its SD among the training people, in its own unit."),
    "value": ("Float64", "Cause-specific hazard ratio per SD."),
    **_ENDS,
    "p_proportional": ("Float64", "p for a change of the hazard ratio with the rank of time; of penalty 0."),
    "p_proportional_all": ("Float64", "The same for all covariates together."),
    "n": ("Int32", "Training people."),
    **_REASON,
})

SURVIVAL_CURVES = Table("predict/{model}/survival_curves.parquet", {
    **_WHO,
    **_HEAD,
    "group": ("Int32", "Group of risk, 1 the lowest: thirds of the training people."),
    "years": ("Float64", "Time; none where fewer than predict.min_cell are at risk or have had the event."),
    "n_at_risk": ("Int32", "People still at risk."),
    "survival": ("Float64", "Share with neither event nor death (Kaplan-Meier)."),
    "survival_low": ("Float64", "Lower end of its 95 % interval."),
    "survival_high": ("Float64", "Upper end."),
    "incidence": ("Float64", "Share with the event, death before it competing (Aalen-Johansen)."),
    "incidence_low": ("Float64", "Lower end of its 95 % interval."),
    "incidence_high": ("Float64", "Upper end."),
    "p_log_rank": ("Float64", "p that the groups' hazards of the event are the same."),
})

SURVIVAL_CALIBRATION = Table("predict/{model}/survival_calibration.parquet", {
    **_WHO,
    **_HEAD,
    "horizon_years": ("Float64", "The horizon, years."),
    "bin": ("Int32", "Group of predicted risk, 1 the lowest."),
    "n": ("Int32", "People."),
    "predicted": ("Float64", "Mean predicted risk."),
    "observed": ("Float64", "Share with the event by then (Aalen-Johansen); null where fewer than predict.min_cell events are observed."),
    **_ENDS,
    **_REASON,
})

SURVIVAL_RISKS = Table("predict/{model}/survival_risks.parquet", {
    "recording_id": ("String", "The first recording of the person."),
    "person_id": ("String", "The person."),
    **_WHO,
    **_HEAD,
    "linear": ("Float64", "Log hazard ratio (cox) or log odds ratio against the mean training person."),
    "horizon_years": ("Float64", "The horizon, years."),
    "risk": ("Float64", "Predicted share with the event by then, death before it competing; null after the last training time."),
    "reason": ("String", "no_embedding: followed, but without an embedding, and so excluded from fit and evaluation; null for a predicted risk."),
})
