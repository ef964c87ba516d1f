"""Signals of every cohort -> one encoder a model: a transformer, or the PCA baseline."""

ALL_SIGNALS = {
    "recordings": expand("cohorts/{cohort}/ecg/recordings.parquet", cohort=COHORTS),
    "strips": expand(
        "cohorts/{cohort}/ecg/signals/shard-{shard}.strip.npy", cohort=COHORTS, shard=numbered(STUDY.ingest.shards)
    ),
    "beats": expand(
        "cohorts/{cohort}/ecg/signals/shard-{shard}.beat.npy", cohort=COHORTS, shard=numbered(STUDY.ingest.shards)
    ),
}
