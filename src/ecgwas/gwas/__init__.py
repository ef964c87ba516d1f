"""Traits and genotypes -> association statistics, joint test, loci, calibration."""
