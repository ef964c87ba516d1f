"""Predictors of prevalent outcomes, and how they are fitted."""
