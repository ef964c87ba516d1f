"""Survival on arrays: risk models, curves, metrics."""
