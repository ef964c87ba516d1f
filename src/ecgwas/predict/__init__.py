"""Embeddings, signals and labels -> disease prediction: fitted, scored and evaluated by one protocol."""
