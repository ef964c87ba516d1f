"""Predictors, embeddings and loci -> what of the ECG mattered."""
