"""Signals -> encoder: self-supervised training and the baselines that stand beside it."""
