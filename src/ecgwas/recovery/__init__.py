"""Planted loci of a simulated cohort found again: the only reader of the truth."""
