"""What of the ECG mattered for a prediction, and whether the maps that say so are worth printing."""

import polars as pl

from ecgwas.tables.base import Schema

_WHAT = {
    "method": (pl.String(), "The predictor's method, of interpret.methods."),
    "outcome": (pl.String(), "What it predicts."),
}
_CELL = {
    "lead": (pl.String(), "The lead."),
    "segment": (pl.String(), "P, PR, QRS, ST, T or TP, in every beat of the strip and in the median beat."),
}
_MAP = {"map": (pl.String(), "integrated_flat, integrated_usual (integrated gradients by baseline: 0 mV, usual shapes), attention; in checks also occlusion_line, occlusion_usual.")}

INTERPRET_OCCLUSION: Schema = {
    **_WHAT,
    "by": (pl.String(), "What is put in the segment's place: line, between its ends; usual, the mean shape of controls."),
    **_CELL,
    "delta_logit": (pl.Float64(), "Mean change of the logit."),
    "low": (pl.Float64(), "Lower end of the 95 % interval of the mean over recordings."),
    "high": (pl.Float64(), "Upper end."),
    "share": (pl.Float64(), "Its part of the sum of absolute mean changes over leads and segments."),
    "n": (pl.Int32(), "Recordings that have the segment and the lead."),
    "reason": (pl.String(), "Why there is no value, with the most frequent reason of a recording; null where there is one."),
}

INTERPRET_ATTRIBUTIONS: Schema = {
    **_WHAT,
    **_MAP,
    **_CELL,
    "value": (pl.Float64(), "Mean over recordings of the attributions summed over the cell, logits; of attention, relevance."),
    "share": (pl.Float64(), "Mean part of the absolute attributions of a recording that lies in the cell."),
    "time_share": (pl.Float64(), "Part of the strip that the segment takes, over the number of leads: what chance would give."),
    "n": (pl.Int32(), "Recordings."),
}

INTERPRET_BEAT_MAPS: Schema = {
    **_WHAT,
    **_MAP,
    "view": (pl.String(), "strip: summed over the beats of the strip, by time from each R peak; beat: the median beat."),
    "lead": (pl.String(), "The lead."),
    "time_ms": (pl.Float64(), "Time from the R peak, ms."),
    "millivolt": (pl.Float64(), "Mean median beat of the recordings explained, mV; null in view strip."),
    "value": (pl.Float64(), "Mean attribution, logits."),
    "magnitude": (pl.Float64(), "Mean absolute attribution."),
}

INTERPRET_CHECKS: Schema = {
    **_WHAT,
    **_MAP,
    "check": (
        pl.String(),
        "deletion, insertion: mean logit while the cells with the largest values go, or come, first (low, high is good),"
        " and deletion_random, insertion_random for random orders; residual: what is left of completeness, over the change"
        " of the logit; untimed: part of size and rate tokens; random_weights: Spearman correlation of the mean table with that of the"
        " network with shuffled weights (0 is good); seeds: the same between networks of other seeds (1 is good).",
    ),
    "value": (pl.Float64(), "Mean over recordings."),
    "low": (pl.Float64(), "Lower end of the 95 % interval of the mean; null where there is one table only."),
    "high": (pl.Float64(), "Upper end."),
    "n": (pl.Int32(), "Recordings, or pairs of networks."),
    "reason": (pl.String(), "Why there is no value; null where there is one. no_attention: a Conformer's or a convolution's has no such map."),
}
