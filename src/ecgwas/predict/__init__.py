"""Disease prediction: labels in, one fitted predictor a method out, and what it is worth."""
