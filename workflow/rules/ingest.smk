"""ECG files -> recordings, signals, median beats, intervals; one job a shard of the cohort."""


# Whose consent was withdrawn is not listed: the recordings are never read, and are in no table or signal file.
rule entries:
    input:
        JOBS.ecg_files,
        unpack(JOBS.consent_files),
    output:
        entries=temp(tables.ENTRIES.path),
        consent=tables.CONSENT_COUNTS.of(counted="recordings"),
    log:
        "logs/{cohort}/ingest/entries.log",
    benchmark:
        "benchmarks/{cohort}/ingest/entries.tsv"
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=memory("entries"),
    params:
        ecg=JOBS.ecg_source,
        consent=JOBS.consent_flags,
        code=code("ingest"),
    shell:
        "python -m ecgwas ingest entries --ecg {params.ecg:q} --entries {output.entries:q} {params.consent}"
        " --consent {output.consent:q} > {log:q} 2>&1"


rule ingest_shard:
    input:
        JOBS.ecg_files,
        entries=tables.ENTRIES.path,
    output:
        recordings=temp(tables.SHARD_RECORDINGS.path),
        intervals=temp(tables.SHARD_INTERVALS.path),
        excluded=temp(tables.SHARD_EXCLUDED.path),
        quality=temp(tables.SHARD_QUALITY.path),
        strips=JOBS.signals["strips"],
        beat=tables.BEATS.path,
        window_beats=[tables.WINDOW_BEATS.of(bucket=bucket) for bucket in STUDY.ingest.buckets[1:]],
        window_rr=[tables.WINDOW_RR.of(bucket=bucket) for bucket in STUDY.ingest.buckets[1:]],
    log:
        "logs/{cohort}/ingest/{shard}.log",
    benchmark:
        "benchmarks/{cohort}/ingest/{shard}.tsv"
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=memory("ingest_shard"),
    params:
        ecg=JOBS.ecg_source,
        files=JOBS.ecg_fingerprint,
        settings=settings("ingest"),
        lists=output_lists,
        code=code("ingest"),
    shell:
        "python -m ecgwas ingest shard --ecg {params.ecg:q} --shard {wildcards.shard:q}"
        " --entries {input.entries:q} --settings {params.settings:q} --recordings {output.recordings:q} --intervals {output.intervals:q}"
        " --excluded {output.excluded:q} --quality {output.quality:q} --strips {params.lists[strips]:q} --beat {output.beat:q}"
        " --window_beats {params.lists[window_beats]:q} --window_rr {params.lists[window_rr]:q} > {log:q} 2>&1"


rule ingest:
    input:
        recordings=expand(tables.SHARD_RECORDINGS.path, shard=SHARDS, allow_missing=True),
        intervals=expand(tables.SHARD_INTERVALS.path, shard=SHARDS, allow_missing=True),
        excluded=expand(tables.SHARD_EXCLUDED.path, shard=SHARDS, allow_missing=True),
        quality=expand(tables.SHARD_QUALITY.path, shard=SHARDS, allow_missing=True),
    output:
        recordings=tables.RECORDINGS.path,
        intervals=tables.INTERVALS.path,
        excluded=tables.RECORDINGS_EXCLUDED.path,
        quality=tables.QUALITY.path,
    log:
        "logs/{cohort}/ingest.log",
    benchmark:
        "benchmarks/{cohort}/ingest.tsv"
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=memory("ingest"),
    params:
        lists=input_lists,
        duplicates=STUDY.ingest.duplicates,
        code=code("ingest"),
    shell:
        "python -m ecgwas ingest collect --recordings_parts {params.lists[recordings]:q}"
        " --intervals_parts {params.lists[intervals]:q} --excluded_parts {params.lists[excluded]:q}"
        " --quality_parts {params.lists[quality]:q} --recordings {output.recordings:q} --intervals {output.intervals:q}"
        " --excluded {output.excluded:q} --quality {output.quality:q} --duplicates {params.duplicates:q} > {log:q} 2>&1"
