"""Files of a simulated cohort, which stand for a user's own."""

from ecgwas.tables.base import Document, Table

SIMULATED_ECG = Document("simulated/{cohort}/ecg", "Folder of the recordings: WFDB, or one array where real recordings have planted effects.")

SIMULATED_TABLE = Document("simulated/{cohort}/{table}.csv", "Tables as a user would give them: recordings, people, id_bridge (person_id, sample_id) and, of a cohort simulated whole, statements, diagnoses and followup.")

PARAMETERS = Table("simulated/{cohort}/parameters.parquet", {
    "person_id": ("String", "Person with an ECG."),
}, further={
    "{parameter}": ("Float64", "A parameter of the simulated ECG, in its unit: what the recordings of the person were drawn with."),
})

TRUTH = Document("simulated/{cohort}/truth.json", "What was planted: loci with effects and power, polygenic background, relatives, populations, faults of samples, variants and recordings.")
