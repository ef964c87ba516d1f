"""Recovery of the planted loci of a simulated cohort; the only stage that reads the truth."""
