"""Cohorts with known truth, written in the formats a biobank has."""
