"""Risk of diseases to come and how it is judged."""

import polars as pl

from ecgwas.tables.base import Schema

_WHO = {
    "cohort": (pl.String(), "The cohort; of hazard ratios the one learnt from."),
    "outcome": (pl.String(), "The incident outcome."),
    "split": (pl.String(), "train or test."),
    "method": (pl.String(), "demographics (age, sex), intervals or embedding (with age and sex each); null where nothing is estimable."),
}
_HEAD = {"head": (pl.String(), "cox: proportional hazards; discrete: logistic regression on intervals of time.")}
_ENDS = {"low": (pl.Float64(), "Lower end of the 95 % interval."), "high": (pl.Float64(), "Upper end.")}
_REASON = {"reason": (pl.String(), "Why there is no value or interval; null where all is there.")}

SURVIVAL: Schema = {
    **_WHO,
    **_HEAD,
    "metric": (pl.String(), "harrell, uno (up to the last horizon that people are followed past); at a horizon auc, brier, slope, intercept, predicted (mean told risk); integrated_brier (over the horizons, no interval)."),
    "horizon_years": (pl.Float64(), "The horizon, years; null where there is none."),
    "other": (pl.String(), "The method that is subtracted, on the same people and resamples; null: the value itself."),
    "value": (pl.Float64(), "The value."),
    **_ENDS,
    "n": (pl.Int32(), "People."),
    "n_events": (pl.Int32(), "People with the event; null where fewer than predict.min_cell have, or have not, had it."),
    **_REASON,
}

SURVIVAL_HAZARD_RATIOS: Schema = {
    **_WHO,
    "penalty": (pl.Float64(), "Ridge on all but age and sex: 0, or that of the model, whose intervals are those of shrunken coefficients."),
    "covariate": (pl.String(), "age, male, a measurement, or axis_1, … of the embedding."),
    "sd": (pl.Float64(), "Its SD among those who train, its own unit."),
    "value": (pl.Float64(), "Cause-specific hazard ratio per SD."),
    **_ENDS,
    "p_proportional": (pl.Float64(), "p for a change of the hazard ratio with the rank of time; of penalty 0."),
    "p_proportional_all": (pl.Float64(), "The same for all covariates together."),
    "n": (pl.Int32(), "People who train."),
    **_REASON,
}

SURVIVAL_CURVES: Schema = {
    **_WHO,
    **_HEAD,
    "group": (pl.Int32(), "Group of risk, 1 the lowest: thirds of those who train."),
    "years": (pl.Float64(), "Time; none where fewer than predict.min_cell are at risk or have had the event."),
    "n_at_risk": (pl.Int32(), "People followed so long."),
    "survival": (pl.Float64(), "Share with neither event nor death (Kaplan-Meier)."),
    "survival_low": (pl.Float64(), "Lower end of its 95 % interval."),
    "survival_high": (pl.Float64(), "Upper end."),
    "incidence": (pl.Float64(), "Share with the event, death before it competing (Aalen-Johansen)."),
    "incidence_low": (pl.Float64(), "Lower end of its 95 % interval."),
    "incidence_high": (pl.Float64(), "Upper end."),
    "p_log_rank": (pl.Float64(), "p that the groups' hazards of the event are the same."),
}

SURVIVAL_CALIBRATION: Schema = {
    **_WHO,
    **_HEAD,
    "horizon_years": (pl.Float64(), "The horizon, years."),
    "bin": (pl.Int32(), "Group of told risk, 1 the lowest."),
    "n": (pl.Int32(), "People."),
    "predicted": (pl.Float64(), "Mean told risk."),
    "observed": (pl.Float64(), "Share with the event by then (Aalen-Johansen); null where fewer than predict.min_cell events are seen."),
    **_ENDS,
    **_REASON,
}

SURVIVAL_RISKS: Schema = {
    "recording_id": (pl.String(), "The first recording of the person."),
    "person_id": (pl.String(), "The person."),
    **_WHO,
    **_HEAD,
    "linear": (pl.Float64(), "Log hazard ratio (cox) or log odds ratio against the mean person who trains."),
    "horizon_years": (pl.Float64(), "The horizon, years."),
    "risk": (pl.Float64(), "Told share with the event by then, death before it competing; null after the last time learnt from."),
    "reason": (pl.String(), "no_embedding: followed, but the recording has none, so that the person neither teaches nor is judged; null of a risk."),
}
