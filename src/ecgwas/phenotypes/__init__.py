"""Embeddings or intervals -> traits ready for association."""
