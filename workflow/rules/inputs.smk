"""Which files of a cohort a rule reads."""

SHARDS = numbered(STUDY.ingest.shards)
# What a shard of signals is in: strips by their length, and beats, of longer recordings also those of windows.
SIGNALS = {
    "strips": [tables.STRIPS.of(bucket=bucket) for bucket in STUDY.ingest.buckets],
    "beats": [
        tables.BEATS.path,
        *(
            kind.of(bucket=bucket)
            for bucket in STUDY.ingest.buckets[1:]
            for kind in (tables.WINDOW_BEATS, tables.WINDOW_RR)
        ),
    ],
}


def signals_of(cohorts):
    """Named inputs: recordings and signals of one cohort or several."""
    named = {"recordings": expand(tables.RECORDINGS.path, cohort=cohorts)}
    places = [(cohort, shard) for cohort in ([cohorts] if isinstance(cohorts, str) else cohorts) for shard in SHARDS]
    for name, paths in SIGNALS.items():
        named[name] = [path for cohort, shard in places for path in expand(paths, cohort=cohort, shard=shard)]
    return named


def people_of(wildcards):
    """The cohort's people, where it has a table of them."""
    return tables.PEOPLE.of(cohort=wildcards.cohort) if COHORTS[wildcards.cohort].people else []


def label_files(wildcards):
    """The cohort's tables of statements, diagnoses and follow-up."""
    labels = COHORTS[wildcards.cohort].labels
    return [path for path in (labels.statements, labels.diagnoses, labels.followup) if path] if labels else []
