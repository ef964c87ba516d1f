"""Signals -> one embedding a recording and the SD over its windows; what they hold, and how usual each recording is."""


rule embed:
    input:
        **JOBS.signals_of("{cohort}"),
        checkpoint=tables.CHECKPOINT.path,
    output:
        embeddings=tables.EMBEDDINGS.path,
        windows=tables.EMBEDDING_WINDOWS.path,
    log:
        "logs/{cohort}/embed/{model}.log",
    benchmark:
        "benchmarks/{cohort}/embed/{model}.tsv"
    wildcard_constraints:
        model=jobs.pattern(ENCODERS),
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=memory("embed"),
    params:
        lists=input_lists,
        settings=settings("embed"),
        code=code("embed"),
    shell:
        "python -m ecgwas embed cohort --checkpoint {input.checkpoint:q} --recordings {input.recordings:q}"
        " --strips {params.lists[strips]:q} --beats {params.lists[beats]:q}"
        " --settings {params.settings:q} --threads {threads} --embeddings {output.embeddings:q}"
        " --windows {output.windows:q} > {log:q} 2>&1"


# The reference is made of the cohorts that the encoder was trained on alone; every cohort is held against it.
rule distribution:
    input:
        embeddings=expand(tables.EMBEDDINGS.path, cohort=COHORTS, allow_missing=True),
    output:
        reference=tables.REFERENCE.path,
        scores=expand(tables.OUT_OF_DISTRIBUTION.path, cohort=COHORTS, allow_missing=True),
    log:
        "logs/models/{model}-distribution.log",
    benchmark:
        "benchmarks/models/{model}-distribution.tsv"
    wildcard_constraints:
        model=jobs.pattern(ENCODERS),
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=memory("distribution"),
    params:
        lists=input_lists,
        made=output_lists,
        trained=json.dumps([cohort in CHECKED.pretrained for cohort in COHORTS]),
        seed=STUDY.seed,
        code=code("embed"),
    shell:
        "python -m ecgwas embed distribution --embeddings {params.lists[embeddings]:q} --trained {params.trained:q} --reference_out {output.reference:q}"
        " --scores_out {params.made[scores]:q} --seed {params.seed:q} > {log:q} 2>&1"


rule readout:
    input:
        values=JOBS.values_of_cohorts,
        recordings=expand(tables.RECORDINGS.path, cohort=COHORTS),
        intervals=expand(tables.INTERVALS.path, cohort=COHORTS),
    output:
        readout=tables.READOUT.path,
    log:
        "logs/models/{model}-readout.log",
    benchmark:
        "benchmarks/models/{model}-readout.tsv"
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=memory("readout"),
    params:
        lists=input_lists,
        cohorts=json.dumps(list(COHORTS)),
        classical=JOBS.is_intervals,
        seed=STUDY.seed,
        code=code("embed"),
    shell:
        "python -m ecgwas embed probe --model {wildcards.model:q} --cohorts {params.cohorts:q}"
        " --values {params.lists[values]:q} --recordings {params.lists[recordings]:q}"
        " --intervals {params.lists[intervals]:q} --classical {params.classical:q} --seed {params.seed:q}"
        " --readout_out {output.readout:q} > {log:q} 2>&1"
