"""Statistics on arrays: regression, tails, resampling, discrimination, calibration, disclosure."""

CONFIDENCE = 0.95  # level of every interval
Z = 1.959963984540054  # standard normal quantile of (1 + CONFIDENCE) / 2
