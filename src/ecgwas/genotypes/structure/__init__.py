"""Ancestry, principal components and kinship."""
