"""Sections of the page, as plain values for the template."""
