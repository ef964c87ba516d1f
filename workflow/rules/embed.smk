"""Signals -> one embedding a recording and the SD over its windows; what they hold, and how usual each recording is."""

from types import SimpleNamespace


rule embed:
    input:
        **signals_of("{cohort}"),
        checkpoint=tables.CHECKPOINT.path,
    output:
        embeddings=tables.EMBEDDINGS.path,
        windows=tables.EMBEDDING_WINDOWS.path,
    log:
        "logs/{cohort}/embed/{model}.log",
    benchmark:
        "benchmarks/{cohort}/embed/{model}.tsv"
    wildcard_constraints:
        model=of_kind("transformer", "pca"),
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=2000,
    params:
        lists=lists,
        settings=settings("embed"),
        code=source("embed"),
    shell:
        "python -m ecgwas.embed.embed --checkpoint {input.checkpoint} --recordings {input.recordings}"
        " --strips {params.lists[strips]:q} --beats {params.lists[beats]:q}"
        " --settings {params.settings:q} --threads {threads} --embeddings {output.embeddings}"
        " --windows {output.windows} > {log} 2>&1"


EMBEDDING = [name for name, model in MODELS.items() if model.kind in ("transformer", "pca")]
READ = [name for name, model in MODELS.items() if model.kind != "outcomes"]


# The reference is made of the cohorts that the encoder was trained on alone; every cohort is held against it.
rule distribution:
    input:
        expand(tables.EMBEDDINGS.path, cohort=COHORTS, allow_missing=True),
    output:
        reference=tables.REFERENCE.path,
        scores=expand(tables.OUT_OF_DISTRIBUTION.path, cohort=COHORTS, allow_missing=True),
    log:
        "logs/models/{model}-distribution.log",
    wildcard_constraints:
        model=of_kind("transformer", "pca"),
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=2000,
    params:
        embeddings=lambda wildcards, input: json_list(input),
        scores=lambda wildcards, output: json_list(output[1:]),
        trained=json.dumps([cohort in CHECKED.pretrained for cohort in COHORTS]),
        seed=STUDY.seed,
        code=source("embed"),
    shell:
        "python -m ecgwas.embed.distribution --embeddings {params.embeddings:q} --trained {params.trained:q} --reference_out {output.reference}"
        " --scores_out {params.scores:q} --seed {params.seed} > {log} 2>&1"


rule readout:
    input:
        values=lambda wildcards: [
            values_of(SimpleNamespace(cohort=cohort, model=wildcards.model)) for cohort in COHORTS
        ],
        recordings=expand(tables.RECORDINGS.path, cohort=COHORTS),
        intervals=expand(tables.INTERVALS.path, cohort=COHORTS),
    output:
        readout=tables.READOUT.path,
    log:
        "logs/models/{model}-readout.log",
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=2000,
    params:
        lists=lists,
        cohorts=json.dumps(list(COHORTS)),
        classical=lambda wildcards: str(MODELS[wildcards.model].kind == "intervals").lower(),
        seed=STUDY.seed,
        code=source("embed"),
    shell:
        "python -m ecgwas.embed.probing --model {wildcards.model} --cohorts {params.cohorts:q}"
        " --values {params.lists[values]:q} --recordings {params.lists[recordings]:q}"
        " --intervals {params.lists[intervals]:q} --classical {params.classical} --seed {params.seed}"
        " --readout_out {output.readout} > {log} 2>&1"
