"""The page, and what of a simulated cohort's planted loci was found."""

from ecgwas.tables.base import Document, Table

RECOVERY = Table("recovery/{cohort}/{model}.tsv", {
    "locus": ("String", "contig:position of the planted variant."),
    "parameter": ("String", "The parameter of the ECG that it changes."),
    "variance_explained": ("Float64", "Share of the parameter's variance that it explains."),
    "found": ("Boolean", "A lead of the scan has r² >= 0.5 with it, in a significant test."),
    "lead_distance_bp": ("Int64", "Distance of that lead, bp."),
    "in_credible_set": ("Boolean", "A credible set holds it."),
    "best_neg_log10_p": ("Float64", "Of the lead; if not found, of the strongest variant with r² >= 0.5."),
    "lead_r2": ("Float64", "r² of that variant with the planted one."),
    "best_test": ("String", "The test of it: joint, or the trait."),
    "credible_set_size": ("Int64", "Variants in the smallest credible set that holds it, else in the smallest at the locus."),
    "n_credible_sets": ("Int64", "Credible sets at the locus."),
    "analytic_power": ("Float64", "Power of a test of the parameter itself; null where not known."),
    "maf": ("Float64", "Minor allele frequency; null where not known."),
})
RECOVERY_SUMMARY = Document("recovery/{cohort}/{model}.json", "How many planted loci were found, false loci, and calibration on chromosomes without one.")
RECOVERY_OF_STUDY = Document("recovery.tsv", "recovery/{cohort}/{model}.tsv of the first simulated cohort and the report's model.")

PAGE = Document("report/index.html", "The report: one page with all figures, no network needed.")
PROVENANCE = Document("report/provenance.json", "Versions, commit, settings, seed, and input files with their hashes.")
