"""The people of a cohort, and consent."""

from ecgwas.tables.base import Document, Table

PEOPLE = Table("cohorts/{cohort}/people.parquet", {
    "person_id": ("String", "Person, each once; nobody who withdrew consent."),
    "sample_id": ("String", "Sample of the genotypes: of the id bridge, else the person's id; null where none."),
    "sex": ("String", "female or male; null where not known."),
    "age": ("Float64", "Years; null where not known, and for codes (120 and more, negative)."),
}, further={
    "{column}": ("as read", "Every other column of the cohort's table of people, under its own name."),
})

CONSENT_COUNTS = Document("cohorts/{cohort}/consent/{counted}.json", "How many people, recordings or samples were excluded because consent was withdrawn, and the numbers of the lines of the list that match one; no ids.")

CONSENT = Document("cohorts/{cohort}/consent.json", "Entries of the list of withdrawn people, how many people, recordings and samples were excluded, and the numbers of the lines that match nobody; no ids.")
