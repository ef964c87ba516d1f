"""Signals of the cohorts that are trained on -> one encoder a model: a transformer, or the PCA baseline."""


rule pretrain_transformer:
    input:
        **JOBS.signals_of(*CHECKED.pretrained),
        start=JOBS.start,
    output:
        checkpoint=tables.CHECKPOINT.path,
        history=tables.HISTORY.path,
    log:
        "logs/models/{model}.log",
    benchmark:
        "benchmarks/models/{model}.tsv"
    wildcard_constraints:
        model=jobs.pattern(JOBS.models_of("transformer")),
    conda:
        "../../envs/torch.yaml"
    threads: 2
    resources:
        mem_mb=memory("pretrain_transformer"),
        runtime=240,  # minutes
        processes=1,  # a profile sets as many as there are GPUs; they find what one would
    params:
        lists=input_lists,
        settings=JOBS.model_settings,
        ingest=settings("ingest"),
        seed=STUDY.seed,
        resume="models/{model}/resume",
        code=code("pretrain"),
    shell:
        "if [ {resources.processes} -gt 1 ];"
        " then run='python -m torch.distributed.run --standalone --nproc-per-node {resources.processes} -m'; else run='python -m'; fi;"
        " $run ecgwas pretrain train --recordings {params.lists[recordings]:q}"
        " --strips {params.lists[strips]:q} --beats {params.lists[beats]:q}"
        " --settings {params.settings:q} --ingest {params.ingest:q} --seed {params.seed:q} --threads {threads}"
        " --resume {params.resume:q} --checkpoint {output.checkpoint:q} --history {output.history:q} > {log:q} 2>&1"


rule pretrain_pca:
    input:
        **JOBS.signals_of(*CHECKED.pretrained),
    output:
        checkpoint=tables.CHECKPOINT.path,
    log:
        "logs/models/{model}.log",
    benchmark:
        "benchmarks/models/{model}.tsv"
    wildcard_constraints:
        model=jobs.pattern(JOBS.models_of("pca")),
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=memory("pretrain_pca"),
    params:
        lists=input_lists,
        settings=JOBS.model_settings,
        ingest=settings("ingest"),
        code=code("pretrain"),
    shell:
        "python -m ecgwas pretrain pca --recordings {params.lists[recordings]:q}"
        " --strips {params.lists[strips]:q} --beats {params.lists[beats]:q}"
        " --settings {params.settings:q} --ingest {params.ingest:q} --threads {threads}"
        " --checkpoint {output.checkpoint:q} > {log:q} 2>&1"


rule release:
    input:
        checkpoint=tables.CHECKPOINT.path,
    output:
        model=tables.RELEASED_MODEL.path,
        model_card=tables.MODEL_CARD.path,
    log:
        "logs/models/{model}-release.log",
    benchmark:
        "benchmarks/models/{model}-release.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=memory("release"),
    params:
        settings=settings("release"),
        code=code("embed"),
    shell:
        "python -m ecgwas embed release --checkpoint {input.checkpoint:q} --name {wildcards.model:q}"
        " --settings {params.settings:q} --model {output.model:q} --model_card {output.model_card:q} > {log:q} 2>&1"
