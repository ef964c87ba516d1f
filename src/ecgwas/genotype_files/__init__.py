"""Genotype files of every format, before and after quality control: their lists, and one block reader."""
