"""Explanations of predictions by segment and lead of the ECG, and checks of their faithfulness."""

from ecgwas.tables.base import Table

_WHAT = {
    "method": ("String", "The predictor's method, of interpret.methods."),
    "outcome": ("String", "Outcome predicted."),
}
_CELL = {
    "lead": ("String", "The lead."),
    "segment": ("String", "P, PR, QRS, ST, T or TP, in every beat of the strip and in the median beat."),
}
_MAP = {"map": ("String", "integrated_flat, integrated_usual (integrated gradients with baseline 0 mV, or mean shapes of controls), attention; in checks also occlusion_line, occlusion_usual.")}

INTERPRET_OCCLUSION = Table("cohorts/{cohort}/interpret/{model}/{method}/occlusion.parquet", {
    **_WHAT,
    "by": ("String", "Replacement of the segment: line, a straight line between its ends; usual, the mean shape of controls."),
    **_CELL,
    "delta_logit": ("Float64", "Mean change of the logit."),
    "low": ("Float64", "Lower end of the 95 % interval of the mean over recordings."),
    "high": ("Float64", "Upper end."),
    "share": ("Float64", "Share of the sum of absolute mean changes over leads and segments."),
    "n": ("Int32", "Recordings with the segment and the lead."),
    "reason": ("String", "Why the value is null: the most frequent reason among recordings."),
})

INTERPRET_ATTRIBUTIONS = Table("cohorts/{cohort}/interpret/{model}/{method}/attributions.parquet", {
    **_WHAT,
    **_MAP,
    **_CELL,
    "value": ("Float64", "Mean over recordings of the attributions summed over the cell, logits; of attention, relevance."),
    "share": ("Float64", "Mean share of the absolute attributions of a recording in the cell."),
    "time_share": ("Float64", "Share of the strip's time in the segment, divided by the number of leads: the share expected by chance."),
    "n": ("Int32", "Recordings."),
})

INTERPRET_BEAT_MAPS = Table("cohorts/{cohort}/interpret/{model}/{method}/beat_maps.parquet", {
    **_WHAT,
    **_MAP,
    "view": ("String", "strip: summed over the beats of the strip, by time from each R peak; beat: the median beat."),
    "lead": ("String", "The lead."),
    "time_ms": ("Float64", "Time from the R peak, ms."),
    "millivolt": ("Float64", "Mean median beat of the recordings explained, mV; null in view strip."),
    "value": ("Float64", "Mean attribution, logits."),
    "magnitude": ("Float64", "Mean absolute attribution."),
})

INTERPRET_CHECKS = Table("cohorts/{cohort}/interpret/{model}/{method}/checks.parquet", {
    **_WHAT,
    **_MAP,
    "check": (
        "String",
        "deletion, insertion: mean logit while cells are deleted, or inserted, in decreasing order of their values (low, high is good),"
        " deletion_random, insertion_random: the same in random order; residual: error of completeness, relative to the change"
        " of the logit; untimed: share of size and rate tokens; random_weights: Spearman correlation of the mean table with that of the"
        " network with shuffled weights (ideal: 0); seeds: the same between networks with other seeds (ideal: 1).",
    ),
    "value": ("Float64", "Mean over recordings."),
    "low": ("Float64", "Lower end of the 95 % interval of the mean; null where only one table is compared."),
    "high": ("Float64", "Upper end."),
    "n": ("Int32", "Recordings, or pairs of networks."),
    "reason": ("String", "Why the value is null. no_attention: Conformers and convolutional networks have no attention map."),
})
