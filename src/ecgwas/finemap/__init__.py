"""Loci -> credible sets and posterior inclusion probabilities."""
