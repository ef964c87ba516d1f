"""How sexes are written."""

SEX = {"female": 0.0, "f": 0.0, "male": 1.0, "m": 1.0}
