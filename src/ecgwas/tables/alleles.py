"""Effects of loci on the ECG, and median beats along the axes of an embedding."""

import polars as pl

from ecgwas.tables.base import Schema

_LOCUS = {
    "locus": (pl.String(), "contig:position of the lead variant."),
    "effect_allele": (pl.String(), "ALT of the lead variant; effects are per copy."),
    "other_allele": (pl.String(), "REF."),
}

ALLELE_BEATS: Schema = {
    **_LOCUS,
    "lead": (pl.String(), "The lead."),
    "time_ms": (pl.Float64(), "Time from the R peak, ms."),
    "beta_mv": (pl.Float64(), "Effect on the median beat per ALT allele, adjusted for covariates, mV."),
    "se_mv": (pl.Float64(), "Standard error (HC3), mV; null where the genotype does not vary."),
    "low": (pl.Float64(), "Lower end of the simultaneous 95 % band over all samples of all leads, mV."),
    "high": (pl.Float64(), "Upper end."),
    "mean_mv": (pl.Float64(), "Mean median beat of the people analysed, mV."),
    "n": (pl.Int32(), "Unrelated people with the lead."),
}

ALLELE_TRAITS: Schema = {
    **_LOCUS,
    "trait": (pl.String(), "A column of intervals.parquet, in its unit; axes as the angle from their circular mean."),
    "beta": (pl.Float64(), "Effect on the trait per ALT allele, adjusted for covariates."),
    "se": (pl.Float64(), "Standard error (HC3)."),
    "low": (pl.Float64(), "Lower end of the 95 % interval of this trait alone."),
    "high": (pl.Float64(), "Upper end."),
    "neg_log10_p": (pl.Float64(), "-log10 p of no effect."),
    "sd": (pl.Float64(), "Residual SD of the trait after adjustment for covariates."),
    "n": (pl.Int32(), "Unrelated people with the trait."),
}

TRAVERSAL: Schema = {
    "trait": (pl.String(), "Axis of the embedding."),
    "sd": (pl.Float64(), "Position on the axis, in SD among people; 0 is the mean."),
    "lead": (pl.String(), "The lead; limb leads that are not decoded are sums of I and II."),
    "time_ms": (pl.Float64(), "Time from the R peak, ms."),
    "mv": (pl.Float64(), "Decoded median beat, mV; null without a decoder."),
    "r2": (pl.Float64(), "R2 of decoded against measured median beats of all recordings in this lead, about the mean beat."),
    "n": (pl.Int32(), "Recordings of r2."),
    "reason": (pl.String(), "Why no beat is decoded; null otherwise."),
}
