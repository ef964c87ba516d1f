"""Signals -> encoder: self-supervised training, and its baselines."""
