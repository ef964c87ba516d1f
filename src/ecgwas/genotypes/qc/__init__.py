"""Quality control of variants and samples."""
