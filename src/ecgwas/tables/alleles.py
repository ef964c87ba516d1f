"""Effects of loci on the ECG, and median beats along the axes of an embedding."""

from ecgwas.tables.base import Table

_LOCUS = {
    "locus": ("String", "contig:position of the lead variant."),
    "effect_allele": ("String", "ALT of the lead variant; effects are per copy."),
    "other_allele": ("String", "REF."),
}

ALLELE_BEATS = Table("cohorts/{cohort}/interpret/{model}/allele_beats.parquet", {
    **_LOCUS,
    "lead": ("String", "The lead."),
    "time_ms": ("Float64", "Time from the R peak, ms."),
    "beta_mv": ("Float64", "Effect on the median beat per ALT allele, adjusted for covariates, mV."),
    "se_mv": ("Float64", "Standard error (HC3), mV; null where the genotype does not vary."),
    "low": ("Float64", "Lower end of the simultaneous 95 % band over all samples of all leads, mV."),
    "high": ("Float64", "Upper end."),
    "mean_mv": ("Float64", "Mean median beat of the people analysed, mV."),
    "n": ("Int32", "Unrelated people with the lead."),
})

ALLELE_TRAITS = Table("cohorts/{cohort}/interpret/{model}/allele_traits.parquet", {
    **_LOCUS,
    "trait": ("String", "A column of intervals.parquet, in its unit; axes as the angle from their circular mean."),
    "beta": ("Float64", "Effect on the trait per ALT allele, adjusted for covariates."),
    "se": ("Float64", "Standard error (HC3)."),
    "low": ("Float64", "Lower end of the 95 % interval of this trait alone."),
    "high": ("Float64", "Upper end."),
    "neg_log10_p": ("Float64", "-log10 p of no effect."),
    "sd": ("Float64", "Residual SD of the trait after adjustment for covariates."),
    "n": ("Int32", "Unrelated people with the trait."),
})

TRAVERSAL = Table("cohorts/{cohort}/interpret/{model}/traversal.parquet", {
    "trait": ("String", "Axis of the embedding."),
    "sd": ("Float64", "Position on the axis, in SD among people; 0 is the mean."),
    "lead": ("String", "The lead; limb leads that are not decoded are sums of I and II."),
    "time_ms": ("Float64", "Time from the R peak, ms."),
    "mv": ("Float64", "Decoded median beat, mV; null without a decoder."),
    "r2": ("Float64", "R2 of decoded against measured median beats of all recordings in this lead, about the mean beat."),
    "n": ("Int32", "Recordings of r2."),
    "reason": ("String", "Why no beat is decoded; null otherwise."),
})
