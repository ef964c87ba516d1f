"""Explanation of predictors: segments and leads of the ECG that a prediction depends on."""
