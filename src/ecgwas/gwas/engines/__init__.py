"""Test statistics of a block of variants: linear and binary traits, by torch and by Hail, and the joint test."""
