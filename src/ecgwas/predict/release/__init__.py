"""Fitted predictors as folders that score ECG files."""
