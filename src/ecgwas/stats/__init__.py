"""Statistics on arrays: regression, tails, resampling, discrimination, calibration, disclosure."""
