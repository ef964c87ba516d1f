"""Predictions of each trait from the other chromosomes."""
