"""Embeddings, signals and labels -> disease prediction: fitted, scored and judged by one protocol."""
