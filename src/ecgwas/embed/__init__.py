"""Encoder and signals -> one embedding per recording."""
