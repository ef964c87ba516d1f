"""Files of an association analysis: the people analysed, and the statistics of a scan."""
