"""Who counts for which outcome, and in which split."""
