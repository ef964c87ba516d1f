"""What a locus, or an axis of the embedding, does to the ECG."""

import polars as pl

from ecgwas.tables.base import Schema

_LOCUS = {
    "locus": (pl.String(), "contig:position of the lead variant."),
    "effect_allele": (pl.String(), "ALT of the lead variant, whose copies are counted."),
    "other_allele": (pl.String(), "REF."),
}

ALLELE_BEATS: Schema = {
    **_LOCUS,
    "lead": (pl.String(), "The lead."),
    "time_ms": (pl.Float64(), "Time from the R peak, ms."),
    "beta_mv": (pl.Float64(), "Change of the median beat for each ALT allele, covariates held, mV."),
    "se_mv": (pl.Float64(), "Its standard error (HC3), mV; null where the genotype does not vary."),
    "low": (pl.Float64(), "Lower end of the 95 % band that holds for all samples of all leads at once, mV."),
    "high": (pl.Float64(), "Upper end."),
    "mean_mv": (pl.Float64(), "Mean median beat of the people analysed, mV."),
    "n": (pl.Int32(), "Unrelated people with the lead."),
}

ALLELE_TRAITS: Schema = {
    **_LOCUS,
    "trait": (pl.String(), "A column of intervals.parquet, in its unit; axes as the angle from their circular mean."),
    "beta": (pl.Float64(), "Change of the trait for each ALT allele, covariates held."),
    "se": (pl.Float64(), "Its standard error (HC3)."),
    "low": (pl.Float64(), "Lower end of the 95 % interval of this trait alone."),
    "high": (pl.Float64(), "Upper end."),
    "neg_log10_p": (pl.Float64(), "-log10 p of no change."),
    "sd": (pl.Float64(), "SD of the trait after covariates."),
    "n": (pl.Int32(), "Unrelated people with the trait."),
}

TRAVERSAL: Schema = {
    "trait": (pl.String(), "The axis of the embedding that is moved."),
    "sd": (pl.Float64(), "How far, in SD of the axis among people; 0 is the mean recording."),
    "lead": (pl.String(), "The lead; of limb leads that are not decoded, the sum of I and II."),
    "time_ms": (pl.Float64(), "Time from the R peak, ms."),
    "mv": (pl.Float64(), "The median beat decoded, mV; null where there is no decoder."),
    "r2": (pl.Float64(), "R2 of decoded against measured median beats of all recordings, this lead, deviations from the mean beat."),
    "n": (pl.Int32(), "Recordings that r2 is of."),
    "reason": (pl.String(), "Why nothing is decoded; null where it is."),
}
