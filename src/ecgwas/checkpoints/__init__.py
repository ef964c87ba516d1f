"""Weights of an encoder with the settings that made them, as one file."""
