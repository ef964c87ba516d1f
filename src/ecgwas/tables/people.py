"""The people of a cohort."""

import polars as pl

from ecgwas.tables.base import Schema

PEOPLE: Schema = {
    "person_id": (pl.String(), "Person, each once; nobody who withdrew consent."),
    "sample_id": (pl.String(), "Sample of the genotypes: of the id bridge, else the person's id; null where none."),
    "sex": (pl.String(), "female or male; null where not known."),
    "age": (pl.Float64(), "Years; null where not known, and for codes (120 and more, negative)."),
}
