"""What of an ECG mattered for a prediction."""
