"""Signals of the cohorts that are trained on -> one encoder a model: a transformer, or the PCA baseline."""

ALL_SIGNALS = signals_of(CHECKED.pretrained)


rule pretrain_transformer:
    input:
        **ALL_SIGNALS,
        start=lambda wildcards: MODELS[wildcards.model].start or [],
    output:
        checkpoint=tables.CHECKPOINT.path,
        history=tables.HISTORY.path,
    log:
        "logs/models/{model}.log",
    benchmark:
        "benchmarks/models/{model}.tsv"
    wildcard_constraints:
        model=of_kind("transformer"),
    conda:
        "../../envs/torch.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=240,  # minutes
        processes=1,  # a profile sets as many as there are GPUs; they find what one would
    params:
        lists=lists,
        settings=lambda wildcards: as_json(MODELS[wildcards.model]),
        ingest=settings("ingest"),
        seed=STUDY.seed,
        resume=lambda wildcards: f"models/{wildcards.model}/resume",
        code=source("pretrain"),
    shell:
        "if [ {resources.processes} -gt 1 ];"
        " then run='python -m torch.distributed.run --standalone --nproc-per-node {resources.processes} -m'; else run='python -m'; fi;"
        " $run ecgwas.pretrain.train --recordings {params.lists[recordings]:q}"
        " --strips {params.lists[strips]:q} --beats {params.lists[beats]:q}"
        " --settings {params.settings:q} --ingest {params.ingest:q} --seed {params.seed} --threads {threads}"
        " --resume {params.resume} --checkpoint {output.checkpoint} --history {output.history} > {log} 2>&1"


rule pretrain_pca:
    input:
        **ALL_SIGNALS,
    output:
        checkpoint=tables.CHECKPOINT.path,
    log:
        "logs/models/{model}.log",
    wildcard_constraints:
        model=of_kind("pca"),
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=2000,
    params:
        lists=lists,
        settings=lambda wildcards: as_json(MODELS[wildcards.model]),
        ingest=settings("ingest"),
        code=source("pretrain"),
    shell:
        "python -m ecgwas.pretrain.pca --recordings {params.lists[recordings]:q}"
        " --strips {params.lists[strips]:q} --beats {params.lists[beats]:q}"
        " --settings {params.settings:q} --ingest {params.ingest:q} --threads {threads}"
        " --checkpoint {output.checkpoint} > {log} 2>&1"


RELEASED = [tables.RELEASED_MODEL.path, tables.MODEL_CARD.path]
TRAINED = [name for name, model in MODELS.items() if model.kind in ("transformer", "pca")]
RELEASES = expand(RELEASED, model=TRAINED) if STUDY.release.licence else []


rule release:
    input:
        checkpoint=tables.CHECKPOINT.path,
    output:
        model=RELEASED[0],
        model_card=RELEASED[1],
    log:
        "logs/models/{model}-release.log",
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=2000,
    params:
        settings=settings("release"),
        code=source("embed"),
    shell:
        "python -m ecgwas.embed.release --checkpoint {input.checkpoint} --name {wildcards.model}"
        " --settings {params.settings:q} --model {output.model} --model_card {output.model_card} > {log} 2>&1"
