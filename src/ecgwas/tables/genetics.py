"""Samples, variants, traits, association and fine-mapping."""

from ecgwas.tables.base import Array, Document, Table

PRUNED = Document("cohorts/{cohort}/genotypes/pruned.mt", "Hail matrix table of the hard calls of LD-pruned variants in kept samples: for kinship and principal components.")
CONVERTED = Document("cohorts/{cohort}/genotypes/converted", "Folder of genotype files that the block reader cannot read itself, as PLINK 2 files; empty where there is none.")
MANIFEST = Document("cohorts/{cohort}/genotypes/manifest.json", "What the block reader needs besides the table of variants: files and their formats, samples in their order, build, males.")

SAMPLES = Table("cohorts/{cohort}/genotypes/samples.parquet", {
    "sample_id": ("String", "Id in the genotype files."),
    "person_id": ("String", "Id in the ECG and people tables; null where the person has none."),
    "index": ("Int32", "Row among the samples of the genotype files."),
    "sex_reported": ("String", "female, male, or null."),
    "sex_genetic": ("String", "female, male, or null where undecided or no X."),
    "call_rate": ("Float64", "Share of variants called."),
    "heterozygosity_f": ("Float64", "Inbreeding coefficient F on autosomes."),
    "ancestry": ("String", "Group of the reference panel nearest on its components; null where undecided or no panel."),
    "ancestry_share": ("Float64", "Share of the nearest people of the panel in the commonest group; null without a panel."),
    "keep": ("Boolean", "Passed quality control."),
    "copy_of": ("String", "Sample that stands for this duplicate or twin, which enters no scan; null for all others."),
    "unrelated": ("Boolean", "In the largest set of kept samples without a related pair, people with an ECG preferred."),
}, {
    "has_ecg": ("Boolean", "The person has a recording that passed quality control."),
    "ancestry_group": ("Int32", "Group of like ancestry within which Hardy-Weinberg proportions were tested; -1 for excluded samples."),
})

VARIANTS = Table("cohorts/{cohort}/genotypes/variants.parquet", {
    "contig": ("String", "1 to 22, X, without prefix."),
    "position": ("Int32", "1-based position."),
    "ref": ("String", "Reference allele."),
    "alt": ("String", "Alternate and effect allele."),
    "rsid": ("String", "Name in the source file."),
    "source": ("Int32", "Which file of the manifest."),
    "source_index": ("Int32", "Row in that file, from 0."),
    "flipped": ("Boolean", "REF and ALT stand the other way round in the file; the reader turns its dosages."),
    "ref_checked": ("Boolean", "The FASTA has REF there and not ALT; false without a FASTA and where it does not tell."),
    "af": ("Float64", "ALT frequency in kept samples."),
    "mac": ("Float64", "Minor allele count in kept samples."),
    "call_rate": ("Float64", "Share of kept samples called."),
    "hwe_p": ("Float64", "Hardy-Weinberg p in unrelated kept samples, smallest over ancestry groups; null for dosages unless genotypes.hwe_dosages."),
    "info": ("Float64", "Imputation INFO of the dosages in kept samples; null for hard calls."),
    "pruned": ("Boolean", "In the LD-pruned set for kinship and PCs."),
})

GENOTYPES_EXCLUDED = Table("cohorts/{cohort}/genotypes/excluded.parquet", {
    "kind": ("String", "sample or variant."),
    "id": ("String", "sample_id, or contig:position:ref:alt."),
    "reason": ("String", "One row a reason: a word; `filter: ` and the FILTER of the file; `info: ` and the file's own measure."),
    "value": ("Float64", "The value that failed; null where there is none."),
    "limit": ("Float64", "The limit it failed; null where there is none."),
})

KINSHIP = Table("cohorts/{cohort}/genotypes/kinship.parquet", {
    "sample_1": ("String", "First of the pair."),
    "sample_2": ("String", "Second of the pair."),
    "king": ("Float64", "KING-robust kinship."),
    "pc_relate": ("Float64", "PC-Relate kinship; null where not computed."),
})

PCS = Table("cohorts/{cohort}/genotypes/pcs.parquet", {
    "sample_id": ("String", "A kept sample, in the order of the genotype files."),
}, further={
    "pc{number}": ("Float64", "Its score on a principal component: pc1, pc2, …"),
})

COVARIATES_CHECK = Document("cohorts/{cohort}/phenotypes/covariates.json", "How each covariate of phenotypes.covariates is used, its distinct values, and how many people have it.")

TRAITS = Table("cohorts/{cohort}/phenotypes/{model}/traits.parquet", {
    "person_id": ("String", "A person analysed."),
    "sample_id": ("String", "Their sample; rows are in the order of the samples table."),
}, further={
    "{trait}": ("Float64 or Boolean", "A trait less covariates, null where missing; of model `outcomes` true or false as given."),
})

COVARIATES = Table("cohorts/{cohort}/phenotypes/{model}/covariates.parquet", {
    "person_id": ("String", "The people of traits.parquet, in its order."),
    "sample_id": ("String", "Their sample."),
}, further={
    "{covariate}": ("Float64", "A column of the design, without intercept."),
})

TRANSFORM = Array("cohorts/{cohort}/phenotypes/{model}/transform.npz", {
    "traits": ("text", "trait", "Names of the traits."),
    "columns": ("text", "column", "Names of the values that they are made from: axes of an embedding, or measurements."),
    "covariates": ("text", "covariate", "Names of the covariates, without intercept."),
    "coefficients": ("float64", "1 + covariate, column or trait", "Regression of the values on intercept and covariates; of an embedding a column an axis. Absent for outcomes, as below."),
    "loadings": ("float64", "column, trait", "Of an embedding: residuals times loadings are the traits."),
    "variance": ("float64", "trait", "Of an embedding: variance of each trait before scaling."),
    "cut_deg": ("float64", "trait", "Of measurements with axes: the angle that the circle is cut at, degrees."),
})

RELIABILITY = Table("cohorts/{cohort}/phenotypes/{model}/reliability.parquet", {
    "trait": ("String", "Trait."),
    "n_people": ("Int32", "People with at least two recordings."),
    "icc": ("Float64", "Intraclass correlation of single recordings, ICC(1,1); null under 10 people."),
})

TRAITS_EXCLUDED = Table("cohorts/{cohort}/phenotypes/{model}/excluded.parquet", {
    "kind": ("String", "person, sample (of which no person is known), trait, covariate, or recordings: values of a trait that a flag excludes."),
    "id": ("String", "person_id, sample_id, trait or covariate; of recordings the trait."),
    "reason": ("String", "no_genotypes, genotype_qc, duplicate, related, no_ecg (whatever the genotypes, see detail), no_person, flagged (every recording is, see phenotypes.exclude), missing_covariate, constant, too_few_people, collinear, few_people (levels joined), too_few_cases, separated; of a column that is no trait: no_name, row_number, id, no_number; of recordings the flag: af, paced, lbbb, rbbb."),
    "detail": ("String", "What was seen."),
    "n": ("Int32", "Recordings that the flag excludes from the trait; null for other kinds."),
})

SUMSTATS = Table("cohorts/{cohort}/gwas/{model}/sumstats/part-{part}.parquet", {
    "contig": ("String", "Contig."),
    "position": ("Int32", "Position."),
    "ref": ("String", "Reference allele."),
    "alt": ("String", "Alternate allele: the effect allele of every trait."),
    "rsid": ("String", "Name in the source."),
    "info": ("Float64", "Imputation INFO of the dosages (variants.parquet); null for hard calls."),
    "n": ("Int32", "People with a call."),
    "af": ("Float64", "ALT frequency in them."),
    "gg": ("Float64", "Squared length of the genotype's residual on the covariates; null without a test."),
    "reason": ("String", "Why there is no test: no_calls, monomorphic, mac (fewer minor alleles than gwas.min_mac in the people analysed), collinear (with covariates); null where there is one."),
    "joint_neg_log10_p": ("Float64", "-log10 p of the joint test of all traits."),
    "joint_df": ("Int32", "Axes of the joint test; 0 where there is none."),
    "joint_reason": ("String", "Why there is no joint p: as `reason` in the people who have every trait; few_carriers (under 6 (1 + 4 s/K) effective carriers, weighted by leverage; see methods); no_joint_test (0/1 outcomes, or too few people have every trait). Null where there is one."),
}, further={
    "n:{group}": ("Int32", "n of traits of another group of people (SCAN_TRAITS.group)."),
    "af:{group}": ("Float64", "af in them."),
    "gg:{group}": ("Float64", "gg in them."),
    "t:{trait}": ("Float32", "t of the ALT allele; with df and yy of the trait, SE = sqrt(yy / (gg (df + t²))), beta = t SE. Of a 0/1 trait z."),
    "v:{trait}": ("Float32", "Of a 0/1 trait: information about the effect, SE = 1 / sqrt(v), beta = z SE."),
    "test:{trait}": ("Int8", "Of a 0/1 trait: which test z is of: 0 none, 1 score, 2 Firth, 3 saddlepoint, 4 failed, 5 Wald, 6 likelihood ratio."),
})

SCAN_TRAITS = Table("cohorts/{cohort}/gwas/{model}/sumstats/traits-{part}.parquet", {
    "trait": ("String", "A trait of the scan."),
    "group": ("String", "Its people: all, or a group with the same missing values, which names columns of the sumstats."),
    "n": ("Int32", "People analysed; missing calls are at the mean."),
    "df": ("Int32", "Residual degrees of freedom of t."),
    "contig": ("String", "Contig it is about, where predictions of step 1 are taken away; null: every one."),
    "yy": ("Float64", "Squared length of the trait's residual on the covariates; NaN where the trait has no test."),
}, further={
    "reason": ("String", "Of a quantitative trait: why it has no test: no_values, too_few, constant; null where it has one."),
    "cases": ("Int32", "People with a case, of a 0/1 trait."),
})

LOCO = Table("cohorts/{cohort}/gwas/{model}/loco.parquet", {
    "contig": ("String", "The contig that is left out of the prediction; all: none is, for contigs that step 1 does not use. Then the people of traits.parquet, in its order."),
}, further={
    "{trait}": ("Float32", "Prediction of the trait from the genotypes of the other contigs."),
})

LOCI = Table("cohorts/{cohort}/gwas/{model}/loci.parquet", {
    "locus": ("String", "contig:position of the lead."),
    "contig": ("String", "Contig."),
    "start": ("Int32", "First position of a variant of the locus: p < p_threshold in the joint test or a trait."),
    "end": ("Int32", "Last position of one."),
    "lead_position": ("Int32", "Position of the lead variant: the smallest p, that of traits multiplied by their effective number."),
    "lead_ref": ("String", "Its reference allele."),
    "lead_alt": ("String", "Its effect allele."),
    "lead_rsid": ("String", "Its name in the source."),
    "lead_af": ("Float64", "Its effect allele frequency."),
    "lead_test": ("String", "joint, or the trait: the test that makes it the lead."),
    "neg_log10_p": ("Float64", "Of the lead, in lead_test, uncorrected."),
    "joint_neg_log10_p": ("Float64", "Of the lead, in the joint test; null where there is none, as for 0/1 outcomes."),
    "best_trait": ("String", "The trait with the smallest p at the lead; the columns from here to beta_shrunken are of it there."),
    "best_trait_neg_log10_p": ("Float64", "-log10 p of best_trait at the lead, uncorrected."),
    "n": ("Int32", "People of best_trait with a call of the lead."),
    "mac": ("Float64", "Minor allele count in them."),
    "beta": ("Float64", "Change of best_trait per copy of lead_alt, in units of the trait scanned; log odds of an outcome."),
    "se": ("Float64", "Standard error of beta."),
    "beta_shrunken": ("Float64", "Posterior mean of beta given the whole scan: corrected for the winner's curse."),
    "significant_traits": ("List(String)", "Traits with p < trait_p_threshold (multiplicity.parquet) at a variant of the locus."),
    "n_variants": ("Int32", "Variants of the locus."),
})

LOCI_ANY_TRAIT = Table("cohorts/{cohort}/gwas/{model}/loci_any_trait.parquet", LOCI.columns | {
    "significant_traits": ("List(String)", "Traits significant at the locus: where study_wide as in loci.parquet, else with p < p_threshold."),
    "study_wide": ("Boolean", "Also in loci.parquet: the lead is significant in the joint test, or in a trait after correction for their number."),
})

MULTIPLICITY = Table("cohorts/{cohort}/gwas/{model}/multiplicity.parquet", {
    "n_traits": ("Int32", "Traits with a test."),
    "effective_traits": ("Float64", "Their effective number, by the correlation of their residuals in the people analysed."),
    "joint_test": ("Boolean", "There is a joint test of more than one trait."),
    "p_threshold": ("Float64", "Significance of one test of one variant (gwas.p_threshold), and of the joint test."),
    "trait_p_threshold": ("Float64", "Significance of a single trait: p_threshold / effective_traits."),
    "n_variants": ("Int32", "Variants with a test."),
    "effective_variants": ("Float64", "Their effective number at p_threshold, by LD in the people analysed."),
    "expected_study_wide": ("Float64", "Loci expected in loci.parquet if nothing were associated: effective_variants p_threshold, twice with a joint test."),
    "expected_any_trait": ("Float64", "Loci expected in loci_any_trait.parquet if nothing were associated: effective_variants p_threshold (effective_traits, and 1 for a joint test)."),
})

CALIBRATION = Table("cohorts/{cohort}/gwas/{model}/calibration.parquet", {
    "trait": ("String", "A trait, joint, or mean (over the traits)."),
    "variants": ("String", "all, or null: the contigs named in the settings."),
    "mac": ("String", "any, or a class of minor allele counts in the people analysed (joint and mean only): <50, 50-99, 100-399, 400-1999, >=2000."),
    "n_variants": ("Int32", "Variants, of observed and permuted numbers alike: at most 25,000 that have a test."),
    "lambda_gc": ("Float64", "Median chi-square over its null median, of the joint test on K degrees of freedom."),
    "low": ("Float64", "Lower end of the permutation interval (99 %, simultaneous over traits)."),
    "high": ("Float64", "Upper end."),
    "lambda_one_df": ("Float64", "The lambda on one degree of freedom with the same median p: of the joint test, 1.02 on 256 is 1.48 on one."),
    "low_one_df": ("Float64", "`low`, likewise."),
    "high_one_df": ("Float64", "`high`, likewise."),
    "permuted_tests": ("Int64", "Tests of all permutations; mean: of all traits together."),
    "below_1e2": ("Int64", "Of these, p below 1e-2."),
    "below_1e3": ("Int64", "p below 1e-3."),
    "below_1e4": ("Int64", "p below 1e-4."),
})

CROSSCHECK = Table("cohorts/{cohort}/gwas/{model}/crosscheck.parquet", {
    "contig": ("String", "Contig of a lead."),
    "position": ("Int32", "Its position."),
    "ref": ("String", "Reference allele."),
    "alt": ("String", "Effect allele."),
    "rsid": ("String", "Name in the source."),
    "beta_difference": ("Float64", "Largest difference of beta to Hail over the traits, in standard errors."),
    "se_difference": ("Float64", "Largest difference of the standard error, in standard errors."),
}, further={
    "firth_beta_difference": ("Float64", "Of 0/1 traits: difference of beta of Firth's test, in standard errors."),
    "{test}_difference": ("Float64", "Of 0/1 traits: difference of z of the score, likelihood-ratio (lrt) and Firth test, and of the scan's own z to that of Firth's test (scan)."),
})

EXPORTS = Document("cohorts/{cohort}/gwas/{model}/exports", "Folder of summary statistics in the formats of exports.formats, a folder each.")

STEP1_EXCLUDED = Table("cohorts/{cohort}/gwas/{model}/step1-excluded.parquet", {
    "kind": ("String", "trait or variant."),
    "id": ("String", "Trait, or contig:position:ref:alt."),
    "reason": ("String", "Of a trait, predicted 0: no_values, constant, collinear. Of a variant, not used: low_variance."),
})

CREDIBLE_SETS = Table("cohorts/{cohort}/finemap/{model}/credible_sets.parquet", {
    "locus": ("String", "The locus of the region whose lead is nearest to the set's."),
    "trait": ("String", "The trait fine-mapped, or joint."),
    "cs": ("Int32", "Number of the set, from 1 in each region and trait."),
    "size": ("Int32", "Variants in it."),
    "coverage": ("Float64", "Posterior mass in it."),
    "min_abs_corr": ("Float64", "Smallest |r| between two of its variants."),
    "mean_abs_corr": ("Float64", "Mean |r|."),
    "log10_bf": ("Float64", "log10 Bayes factor of the effect."),
    "lead": ("String", "contig:position:ref:alt of the variant with most mass."),
    "converged": ("Boolean", "The variational fit converged."),
    "region": ("String", "contig:start-end of the variants fine-mapped together."),
})

FINEMAP_VARIANTS = Table("cohorts/{cohort}/finemap/{model}/variants.parquet", {
    "locus": ("String", "The locus of the region whose lead is nearest."),
    "trait": ("String", "The trait fine-mapped, or joint."),
    "contig": ("String", "Contig."),
    "position": ("Int32", "Position."),
    "ref": ("String", "Reference allele."),
    "alt": ("String", "Effect allele."),
    "rsid": ("String", "Name in the source."),
    "pip": ("Float64", "Posterior inclusion probability."),
    "cs": ("Int32", "Credible set of region and trait it is in; 0 for none."),
    "neg_log10_p": ("Float64", "Of the trait, or of the joint test."),
    "lead_r2": ("Float64", "r² with the locus lead, in sample, covariates projected out."),
    "region": ("String", "contig:start-end of the variants fine-mapped together."),
})

LD_DIAGNOSTICS = Table("cohorts/{cohort}/finemap/{model}/ld_diagnostics.parquet", {
    "locus": ("String", "The locus; one row for each of its significant traits, mapped or not."),
    "trait": ("String", "The trait, or joint."),
    "n_variants": ("Int32", "Variants fine-mapped."),
    "n": ("Int32", "People; null where not fine-mapped, as the three columns after it."),
    "iterations": ("Int32", "Iterations of the fit."),
    "converged": ("Boolean", "The fit converged."),
    "min_eigenvalue": ("Float64", "Smallest eigenvalue of the LD matrix."),
    "reason": ("String", "Why it is not fine-mapped: stronger_outside (its strongest variant nearby is not in the region), no_variants (none with a test and variance), too_many_variants (more than finemap.max_variants), no_joint_test; null where it is."),
    "region": ("String", "contig:start-end of the variants fine-mapped together."),
})
