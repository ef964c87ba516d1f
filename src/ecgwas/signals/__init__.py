"""Signals of a cohort, from arrays on disk to batches: the layout that ingest writes and all others read."""
