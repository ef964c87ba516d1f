"""Electrocardiography on arrays: filters, beats, wave limits, measurements, quality."""
