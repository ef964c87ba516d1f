"""Genotype files -> quality control, ancestry, kinship and one block reader."""
