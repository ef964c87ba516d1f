"""Risk of incident outcomes."""
