"""Samples, variants, traits, association and fine-mapping."""

import polars as pl

from ecgwas.tables.base import Schema

SAMPLES: Schema = {
    "sample_id": (pl.String(), "Id in the genotype files."),
    "person_id": (pl.String(), "Id in the ECG and people tables; null where the person has none."),
    "index": (pl.Int32(), "Row among the samples of the genotype files."),
    "sex_reported": (pl.String(), "female, male, or null."),
    "sex_genetic": (pl.String(), "female, male, or null where undecided or no X."),
    "call_rate": (pl.Float64(), "Share of variants called."),
    "heterozygosity_f": (pl.Float64(), "Inbreeding coefficient F on autosomes."),
    "ancestry": (pl.String(), "Group of the reference panel nearest on its components; null where undecided or no panel."),
    "ancestry_share": (pl.Float64(), "Share of the nearest people of the panel in the commonest group; null without a panel."),
    "keep": (pl.Boolean(), "Passed quality control."),
    "copy_of": (pl.String(), "Sample that stands for this duplicate or twin, which enters no scan; null for all others."),
    "unrelated": (pl.Boolean(), "In the largest set of kept samples without a related pair, people with an ECG preferred."),
}

VARIANTS: Schema = {
    "contig": (pl.String(), "1 to 22, X, without prefix."),
    "position": (pl.Int32(), "1-based position."),
    "ref": (pl.String(), "Reference allele."),
    "alt": (pl.String(), "Alternate and effect allele."),
    "rsid": (pl.String(), "Name in the source file."),
    "source": (pl.Int32(), "Which file of the manifest."),
    "source_index": (pl.Int32(), "Row in that file, from 0."),
    "flipped": (pl.Boolean(), "REF and ALT stand the other way round in the file; the reader turns its dosages."),
    "ref_checked": (pl.Boolean(), "The FASTA has REF there and not ALT; false without a FASTA and where it does not tell."),
    "af": (pl.Float64(), "ALT frequency in kept samples."),
    "mac": (pl.Float64(), "Minor allele count in kept samples."),
    "call_rate": (pl.Float64(), "Share of kept samples called."),
    "hwe_p": (pl.Float64(), "Hardy-Weinberg p in unrelated kept samples, smallest over ancestry groups; null for dosages unless genotypes.hwe_dosages."),
    "info": (pl.Float64(), "Imputation INFO of the dosages in kept samples; null for hard calls."),
    "pruned": (pl.Boolean(), "In the LD-pruned set for kinship and PCs."),
}

GENOTYPES_EXCLUDED: Schema = {
    "kind": (pl.String(), "sample or variant."),
    "id": (pl.String(), "sample_id, or contig:position:ref:alt."),
    "reason": (pl.String(), "One row a reason: a word; `filter: ` and the FILTER of the file; `info: ` and the file's own measure."),
    "value": (pl.Float64(), "The value that failed; null where there is none."),
    "limit": (pl.Float64(), "The limit it failed; null where there is none."),
}

KINSHIP: Schema = {
    "sample_1": (pl.String(), "First of the pair."),
    "sample_2": (pl.String(), "Second of the pair."),
    "king": (pl.Float64(), "KING-robust kinship."),
    "pc_relate": (pl.Float64(), "PC-Relate kinship; null where not computed."),
}

RELIABILITY: Schema = {
    "trait": (pl.String(), "Trait."),
    "n_people": (pl.Int32(), "People with at least two recordings."),
    "icc": (pl.Float64(), "Intraclass correlation of single recordings, ICC(1,1); null under 10 people."),
}

TRAITS_EXCLUDED: Schema = {
    "kind": (pl.String(), "person, trait, covariate, or recordings: values of a trait that a flag excludes."),
    "id": (pl.String(), "person_id, trait or covariate; of recordings the trait."),
    "reason": (pl.String(), "no_genotypes, genotype_qc, duplicate, related, no_ecg, flagged (every recording is, see phenotypes.exclude), missing_covariate, constant, too_few_people, collinear, few_people (levels joined), too_few_cases, separated; of a column that is no trait: no_name, row_number, id, no_number; of recordings the flag: af, paced, lbbb, rbbb."),
    "detail": (pl.String(), "What was seen."),
    "n": (pl.Int32(), "Recordings that the flag excludes from the trait; null for other kinds."),
}

SUMSTATS: Schema = {
    "contig": (pl.String(), "Contig."),
    "position": (pl.Int32(), "Position."),
    "ref": (pl.String(), "Reference allele."),
    "alt": (pl.String(), "Alternate allele: the effect allele of every trait."),
    "rsid": (pl.String(), "Name in the source."),
    "n": (pl.Int32(), "People with a call; `n:{group}` for traits of another group of people, and so on."),
    "af": (pl.Float64(), "ALT frequency in them."),
    "gg": (pl.Float64(), "Squared length of the genotype's residual on the covariates; null without a test."),
    "reason": (pl.String(), "Why there is no test: no_calls, monomorphic, mac (fewer minor alleles than gwas.min_mac in the people analysed), collinear (with covariates); null where there is one."),
    "joint_neg_log10_p": (pl.Float64(), "-log10 p of the joint test of all traits."),
    "joint_df": (pl.Int32(), "Axes of the joint test; 0 where there is none."),
    "joint_reason": (pl.String(), "Why there is no joint p: as `reason` in the people who have every trait; few_carriers (under 6 (1 + 4 s/K) effective carriers, weighted by leverage; see methods); no_joint_test (0/1 outcomes, or too few people have every trait). Null where there is one. Then a column `t:{trait}` a trait (Float32): t of the ALT allele; with df and yy of the trait, SE = sqrt(yy / (gg (df + t²))), beta = t SE."),
}

SCAN_TRAITS: Schema = {
    "trait": (pl.String(), "A trait of the scan."),
    "group": (pl.String(), "Its people: all, or a group with the same missing values, which names columns of the sumstats."),
    "n": (pl.Int32(), "People analysed; missing calls are at the mean."),
    "df": (pl.Int32(), "Residual degrees of freedom of t."),
    "contig": (pl.String(), "Contig it is about, where predictions of step 1 are taken away; null: every one."),
    "yy": (pl.Float64(), "Squared length of the trait's residual on the covariates; NaN where the trait has no test."),
    "reason": (pl.String(), "Why the trait has no test: no_values, too_few, constant; null where it has one."),
}

LOCI: Schema = {
    "locus": (pl.String(), "contig:position of the lead."),
    "contig": (pl.String(), "Contig."),
    "start": (pl.Int32(), "First position of a variant of the locus: p < p_threshold in the joint test or a trait."),
    "end": (pl.Int32(), "Last position of one."),
    "lead_position": (pl.Int32(), "Position of the lead variant: the smallest p, that of traits multiplied by their effective number."),
    "lead_ref": (pl.String(), "Its reference allele."),
    "lead_alt": (pl.String(), "Its effect allele."),
    "lead_rsid": (pl.String(), "Its name in the source."),
    "lead_af": (pl.Float64(), "Its effect allele frequency."),
    "lead_test": (pl.String(), "joint, or the trait: the test that makes it the lead."),
    "neg_log10_p": (pl.Float64(), "Of the lead, in lead_test, uncorrected."),
    "joint_neg_log10_p": (pl.Float64(), "Of the lead, in the joint test; null where there is none, as for 0/1 outcomes."),
    "best_trait": (pl.String(), "The trait with the smallest p at the lead; the columns from here to beta_shrunken are of it there."),
    "best_trait_neg_log10_p": (pl.Float64(), "-log10 p of best_trait at the lead, uncorrected."),
    "n": (pl.Int32(), "People of best_trait with a call of the lead."),
    "mac": (pl.Float64(), "Minor allele count in them."),
    "beta": (pl.Float64(), "Change of best_trait per copy of lead_alt, in units of the trait scanned; log odds of an outcome."),
    "se": (pl.Float64(), "Standard error of beta."),
    "beta_shrunken": (pl.Float64(), "Posterior mean of beta given the whole scan: corrected for the winner's curse."),
    "significant_traits": (pl.List(pl.String()), "Traits with p < trait_p_threshold (multiplicity.parquet) at a variant of the locus."),
    "n_variants": (pl.Int32(), "Variants of the locus."),
}

LOCI_ANY_TRAIT: Schema = LOCI | {
    "significant_traits": (pl.List(pl.String()), "Traits significant at the locus: where study_wide as in loci.parquet, else with p < p_threshold."),
    "study_wide": (pl.Boolean(), "Also in loci.parquet: the lead is significant in the joint test, or in a trait after correction for their number."),
}

MULTIPLICITY: Schema = {
    "n_traits": (pl.Int32(), "Traits with a test."),
    "effective_traits": (pl.Float64(), "Their effective number, by the correlation of their residuals in the people analysed."),
    "joint_test": (pl.Boolean(), "There is a joint test of more than one trait."),
    "p_threshold": (pl.Float64(), "Significance of one test of one variant (gwas.p_threshold), and of the joint test."),
    "trait_p_threshold": (pl.Float64(), "Significance of a single trait: p_threshold / effective_traits."),
    "n_variants": (pl.Int32(), "Variants with a test."),
    "effective_variants": (pl.Float64(), "Their effective number at p_threshold, by LD in the people analysed."),
    "expected_study_wide": (pl.Float64(), "Loci expected in loci.parquet if nothing were associated: effective_variants p_threshold, twice with a joint test."),
    "expected_any_trait": (pl.Float64(), "Loci expected in loci_any_trait.parquet if nothing were associated: effective_variants p_threshold (effective_traits, and 1 for a joint test)."),
}

CALIBRATION: Schema = {
    "trait": (pl.String(), "A trait, joint, or mean (over the traits)."),
    "variants": (pl.String(), "all, or null: the contigs named in the settings."),
    "mac": (pl.String(), "any, or a class of minor allele counts in the people analysed (joint and mean only): <50, 50-99, 100-399, 400-1999, >=2000."),
    "n_variants": (pl.Int32(), "Variants, of observed and permuted numbers alike: at most 25,000 that have a test."),
    "lambda_gc": (pl.Float64(), "Median chi-square over its null median, of the joint test on K degrees of freedom."),
    "low": (pl.Float64(), "Lower end of the permutation interval (99 %, simultaneous over traits)."),
    "high": (pl.Float64(), "Upper end."),
    "lambda_one_df": (pl.Float64(), "The lambda on one degree of freedom with the same median p: of the joint test, 1.02 on 256 is 1.48 on one."),
    "low_one_df": (pl.Float64(), "`low`, likewise."),
    "high_one_df": (pl.Float64(), "`high`, likewise."),
    "permuted_tests": (pl.Int64(), "Tests of all permutations; mean: of all traits together."),
    "below_1e2": (pl.Int64(), "Of these, p below 1e-2."),
    "below_1e3": (pl.Int64(), "p below 1e-3."),
    "below_1e4": (pl.Int64(), "p below 1e-4."),
}

STEP1_EXCLUDED: Schema = {
    "kind": (pl.String(), "trait or variant."),
    "id": (pl.String(), "Trait, or contig:position:ref:alt."),
    "reason": (pl.String(), "Of a trait, predicted 0: no_values, constant, collinear. Of a variant, not used: low_variance."),
}

CREDIBLE_SETS: Schema = {
    "locus": (pl.String(), "The locus of the region whose lead is nearest to the set's."),
    "trait": (pl.String(), "The trait fine-mapped, or joint."),
    "cs": (pl.Int32(), "Number of the set, from 1 in each region and trait."),
    "size": (pl.Int32(), "Variants in it."),
    "coverage": (pl.Float64(), "Posterior mass in it."),
    "min_abs_corr": (pl.Float64(), "Smallest |r| between two of its variants."),
    "mean_abs_corr": (pl.Float64(), "Mean |r|."),
    "log10_bf": (pl.Float64(), "log10 Bayes factor of the effect."),
    "lead": (pl.String(), "contig:position:ref:alt of the variant with most mass."),
    "converged": (pl.Boolean(), "The variational fit converged."),
    "region": (pl.String(), "contig:start-end of the variants fine-mapped together."),
}

FINEMAP_VARIANTS: Schema = {
    "locus": (pl.String(), "The locus of the region whose lead is nearest."),
    "trait": (pl.String(), "The trait fine-mapped, or joint."),
    "contig": (pl.String(), "Contig."),
    "position": (pl.Int32(), "Position."),
    "ref": (pl.String(), "Reference allele."),
    "alt": (pl.String(), "Effect allele."),
    "rsid": (pl.String(), "Name in the source."),
    "pip": (pl.Float64(), "Posterior inclusion probability."),
    "cs": (pl.Int32(), "Credible set of region and trait it is in; 0 for none."),
    "neg_log10_p": (pl.Float64(), "Of the trait, or of the joint test."),
    "lead_r2": (pl.Float64(), "r² with the locus lead, in sample, covariates projected out."),
    "region": (pl.String(), "contig:start-end of the variants fine-mapped together."),
}

LD_DIAGNOSTICS: Schema = {
    "locus": (pl.String(), "The locus; one row for each of its significant traits, mapped or not."),
    "trait": (pl.String(), "The trait, or joint."),
    "n_variants": (pl.Int32(), "Variants fine-mapped."),
    "n": (pl.Int32(), "People; null where not fine-mapped, as the three columns after it."),
    "iterations": (pl.Int32(), "Iterations of the fit."),
    "converged": (pl.Boolean(), "The fit converged."),
    "min_eigenvalue": (pl.Float64(), "Smallest eigenvalue of the LD matrix."),
    "reason": (pl.String(), "Why it is not fine-mapped: stronger_outside (its strongest variant nearby is not in the region), no_variants (none with a test and variance), too_many_variants (more than finemap.max_variants), no_joint_test; null where it is."),
    "region": (pl.String(), "contig:start-end of the variants fine-mapped together."),
}
