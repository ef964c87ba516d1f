"""Encoder and signals of one cohort -> one embedding a recording, and the SD over its windows."""


rule embed:
    input:
        checkpoint="models/{model}/checkpoint.pt",
        recordings="cohorts/{cohort}/ecg/recordings.parquet",
        strips=expand(
            "cohorts/{{cohort}}/ecg/signals/shard-{shard}.strip{bucket}.npy",
            shard=numbered(STUDY.ingest.shards),
            bucket=STUDY.ingest.buckets,
        ),
        beats=expand(
            "cohorts/{{cohort}}/ecg/signals/shard-{shard}.{kind}.npy",
            shard=numbered(STUDY.ingest.shards),
            kind=STUDY.ingest.beat_files,
        ),
    output:
        embeddings="cohorts/{cohort}/embeddings/{model}.parquet",
        windows="cohorts/{cohort}/embeddings/{model}.windows.parquet",
    log:
        "logs/{cohort}/embed/{model}.log",
    benchmark:
        "benchmarks/{cohort}/embed/{model}.tsv"
    wildcard_constraints:
        model=of_kind("transformer", "pca"),
    conda:
        "../../envs/torch.yaml"
    params:
        lists=lists,
        settings=settings("embed"),
        code=source("embed"),
    shell:
        "python -m ecgwas.embed.embed --checkpoint {input.checkpoint} --recordings {input.recordings}"
        " --strips {params.lists[strips]:q} --beats {params.lists[beats]:q}"
        " --settings {params.settings:q} --threads {threads} --embeddings {output.embeddings}"
        " --windows {output.windows} > {log} 2>&1"
