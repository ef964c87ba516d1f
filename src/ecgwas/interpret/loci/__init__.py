"""What a locus, or an axis of the embedding, does to the ECG."""
