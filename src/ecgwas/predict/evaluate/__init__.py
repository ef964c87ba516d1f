"""Performance of predictors, in every cohort."""
