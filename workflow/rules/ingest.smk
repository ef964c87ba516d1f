"""ECG files -> recordings, signals, median beats, intervals; one job a shard of the cohort."""


# Whose consent was withdrawn is not listed: the recordings are never read, and are in no table or signal file.
rule entries:
    input:
        ecg_files,
        unpack(consent_files),
    output:
        entries=temp("cohorts/{cohort}/ecg/entries.parquet"),
        consent="cohorts/{cohort}/consent/recordings.json",
    log:
        "logs/{cohort}/ingest/entries.log",
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=2000,
    params:
        ecg=lambda wildcards: as_json(COHORTS[wildcards.cohort].ecg),
        consent=consent_flags,
        code=source("ingest"),
    shell:
        "python -m ecgwas.ingest.entries --ecg {params.ecg:q} --entries {output.entries} {params.consent}"
        " --consent {output.consent} > {log} 2>&1"


rule ingest_shard:
    input:
        ecg_files,
        entries="cohorts/{cohort}/ecg/entries.parquet",
    output:
        recordings=temp("cohorts/{cohort}/ecg/parts/{shard}/recordings.parquet"),
        intervals=temp("cohorts/{cohort}/ecg/parts/{shard}/intervals.parquet"),
        excluded=temp("cohorts/{cohort}/ecg/parts/{shard}/excluded.parquet"),
        quality=temp("cohorts/{cohort}/ecg/parts/{shard}/quality.parquet"),
        strips=expand("cohorts/{{cohort}}/ecg/signals/shard-{{shard}}.strip{bucket}.npy", bucket=STUDY.ingest.buckets),
        beat="cohorts/{cohort}/ecg/signals/shard-{shard}.beat.npy",
        window_beats=expand(
            "cohorts/{{cohort}}/ecg/signals/shard-{{shard}}.beat{bucket}.npy", bucket=STUDY.ingest.buckets[1:]
        ),
        window_rr=expand(
            "cohorts/{{cohort}}/ecg/signals/shard-{{shard}}.rr{bucket}.npy", bucket=STUDY.ingest.buckets[1:]
        ),
    log:
        "logs/{cohort}/ingest/{shard}.log",
    benchmark:
        "benchmarks/{cohort}/ingest/{shard}.tsv"
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=2000,
    params:
        ecg=lambda wildcards: as_json(COHORTS[wildcards.cohort].ecg),
        files=ecg_fingerprint,
        settings=settings("ingest"),
        strips=lambda wildcards, output: json_list(output.strips),
        window_beats=lambda wildcards, output: json_list(output.window_beats),
        window_rr=lambda wildcards, output: json_list(output.window_rr),
        code=source("ingest"),
    shell:
        "python -m ecgwas.ingest.shard --ecg {params.ecg:q} --shard {wildcards.shard}"
        " --entries {input.entries} --settings {params.settings:q} --recordings {output.recordings} --intervals {output.intervals}"
        " --excluded {output.excluded} --quality {output.quality} --strips {params.strips:q} --beat {output.beat}"
        " --window_beats {params.window_beats:q} --window_rr {params.window_rr:q} > {log} 2>&1"


rule ingest:
    input:
        recordings=expand(
            "cohorts/{{cohort}}/ecg/parts/{shard}/recordings.parquet", shard=numbered(STUDY.ingest.shards)
        ),
        intervals=expand("cohorts/{{cohort}}/ecg/parts/{shard}/intervals.parquet", shard=numbered(STUDY.ingest.shards)),
        excluded=expand("cohorts/{{cohort}}/ecg/parts/{shard}/excluded.parquet", shard=numbered(STUDY.ingest.shards)),
        quality=expand("cohorts/{{cohort}}/ecg/parts/{shard}/quality.parquet", shard=numbered(STUDY.ingest.shards)),
    output:
        recordings="cohorts/{cohort}/ecg/recordings.parquet",
        intervals="cohorts/{cohort}/ecg/intervals.parquet",
        excluded="cohorts/{cohort}/ecg/excluded.parquet",
        quality="cohorts/{cohort}/ecg/quality.parquet",
    log:
        "logs/{cohort}/ingest.log",
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=2000,
    params:
        lists=lists,
        duplicates=STUDY.ingest.duplicates,
        code=source("ingest"),
    shell:
        "python -m ecgwas.ingest.collect --recordings_parts {params.lists[recordings]:q}"
        " --intervals_parts {params.lists[intervals]:q} --excluded_parts {params.lists[excluded]:q}"
        " --quality_parts {params.lists[quality]:q} --recordings {output.recordings} --intervals {output.intervals}"
        " --excluded {output.excluded} --quality {output.quality} --duplicates {params.duplicates} > {log} 2>&1"
