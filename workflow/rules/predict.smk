"""Labels, embeddings and signals -> predictors of diseases, their scores in every cohort, and what these are worth."""

PREDICT = STUDY.predict
PREDICT_MODEL, TRAIN = CHECKED.predict_model, CHECKED.predict_train
# A predictor is named by its method, and by share (per mille) and draw of the labels where it learns from few.
FITTED = PREDICT.methods + [
    f"{method}-{round(1000 * share):04d}-{draw}"
    for method in PREDICT.methods
    for share in PREDICT.label_shares
    for draw in range(PREDICT.label_draws)
]


rule labels:
    input:
        label_files,
        recordings=tables.RECORDINGS.path,
        people=people_of,
    output:
        labels=tables.LABELS.path,
        excluded=tables.LABELS_EXCLUDED.path,
    log:
        "logs/{cohort}/predict/labels.log",
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=2000,
    params:
        labels=lambda wildcards: as_json(COHORTS[wildcards.cohort].labels),
        people=lambda wildcards, input: optional("people", input.people),
        training=lambda wildcards: str(wildcards.cohort == TRAIN).lower(),
        settings=settings("predict"),
        seed=STUDY.seed,
        code=source("predict"),
    shell:
        "python -m ecgwas.predict.labels.labels --cohort {wildcards.cohort} --recordings {input.recordings} {params.people}"
        " --labels {params.labels:q} --training {params.training} --settings {params.settings:q}"
        " --seed {params.seed} --labels_out {output.labels} --excluded_out {output.excluded} > {log} 2>&1"


rule fit_predictor:
    input:
        **signals_of(TRAIN),
        checkpoint=tables.CHECKPOINT.path,
        embeddings=tables.EMBEDDINGS.of(cohort=TRAIN),
        labels=tables.LABELS.of(cohort=TRAIN),
        intervals=tables.INTERVALS.of(cohort=TRAIN),
        people=tables.PEOPLE.of(cohort=TRAIN) if COHORTS[TRAIN].people else [],
    output:
        tables.PREDICTOR.path,
    log:
        "logs/predict/{model}-{fitted}.log",
    benchmark:
        "benchmarks/predict/{model}-{fitted}.tsv"
    wildcard_constraints:
        fitted="|".join(FITTED),
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=2000,
    params:
        lists=lists,
        people=lambda wildcards, input: optional("people", input.people),
        method=lambda wildcards: wildcards.fitted.split("-")[0],
        share=lambda wildcards: int((wildcards.fitted.split("-") + ["1000"])[1]) / 1000,
        draw=lambda wildcards: (wildcards.fitted.split("-") + ["1000", "0"])[2],
        settings=settings("predict"),
        seed=STUDY.seed,
        resume="predict/{model}/{fitted}-resume",
        code=source("predict"),
    shell:
        "python -m ecgwas.predict.fit --method {params.method} --checkpoint {input.checkpoint} {params.people}"
        " --recordings {input.recordings} --strips {params.lists[strips]:q} --beats {params.lists[beats]:q}"
        " --embeddings {input.embeddings} --labels {input.labels} --intervals {input.intervals}"
        " --settings {params.settings:q} --seed {params.seed} --label_share {params.share} --label_draw {params.draw}"
        " --threads {threads} --resume {params.resume} --predictor {output} > {log} 2>&1"


rule score:
    input:
        unpack(lambda wildcards: signals_of(wildcards.cohort)),
        predictor=tables.PREDICTOR.path,
        labels=tables.LABELS.path,
        intervals=tables.INTERVALS.path,
        people=people_of,
    output:
        tables.SCORES.path,
    log:
        "logs/{cohort}/predict/{model}-{fitted}-score.log",
    wildcard_constraints:
        fitted="|".join(FITTED),
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=2000,
    params:
        lists=lists,
        people=lambda wildcards, input: optional("people", input.people),
        code=source("predict"),
    shell:
        "python -m ecgwas.predict.score --predictor {input.predictor} --recordings {input.recordings} {params.people}"
        " --strips {params.lists[strips]:q} --beats {params.lists[beats]:q} --labels {input.labels}"
        " --intervals {input.intervals} --threads {threads} --scores {output} > {log} 2>&1"
