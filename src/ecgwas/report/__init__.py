"""Everything -> one page, and the recovery table of a simulated cohort."""
