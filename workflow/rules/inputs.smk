"""Which files of a cohort a rule reads."""


def signals_of(cohorts):
    """Named inputs: recordings and signals of one cohort or several."""
    folder, kinds = "cohorts/{cohort}/ecg", {
        "strips": [f"strip{bucket}" for bucket in STUDY.ingest.buckets],
        "beats": STUDY.ingest.beat_files,
    }
    shards = numbered(STUDY.ingest.shards)
    found = {"recordings": expand(f"{folder}/recordings.parquet", cohort=cohorts)}
    return found | {
        name: expand(f"{folder}/signals/shard-{{shard}}.{{kind}}.npy", cohort=cohorts, shard=shards, kind=kind)
        for name, kind in kinds.items()
    }


def people_of(wildcards):
    """The cohort's people, where it has a table of them."""
    return f"cohorts/{wildcards.cohort}/people.parquet" if COHORTS[wildcards.cohort].people else []


def label_files(wildcards):
    """The cohort's tables of statements, diagnoses and follow-up."""
    labels = COHORTS[wildcards.cohort].labels
    return [path for path in (labels.statements, labels.diagnoses, labels.followup) if path] if labels else []
