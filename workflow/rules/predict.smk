"""Labels, embeddings and signals -> predictors of diseases, their scores in every cohort, and what these are worth."""


rule labels:
    input:
        JOBS.label_files,
        recordings=tables.RECORDINGS.path,
        people=JOBS.people,
    output:
        labels=tables.LABELS.path,
        excluded=tables.LABELS_EXCLUDED.path,
    log:
        "logs/{cohort}/predict/labels.log",
    benchmark:
        "benchmarks/{cohort}/predict/labels.tsv"
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=memory("labels"),
    params:
        labels=JOBS.labels,
        people=command_lines.people_flag,
        training=JOBS.is_training,
        settings=settings("predict"),
        seed=STUDY.seed,
        code=code("predict"),
    shell:
        "python -m ecgwas predict labels --cohort {wildcards.cohort:q} --recordings {input.recordings:q} {params.people}"
        " --labels {params.labels:q} --training {params.training:q} --settings {params.settings:q}"
        " --seed {params.seed:q} --labels_out {output.labels:q} --excluded_out {output.excluded:q} > {log:q} 2>&1"


rule fit_predictor:
    input:
        **JOBS.signals_of(TRAIN),
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
        fitted=jobs.pattern(FITTED),
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=memory("fit_predictor"),
    params:
        lists=input_lists,
        people=command_lines.people_flag,
        method=jobs.method_of,
        share=jobs.share_of,
        draw=jobs.draw_of,
        settings=settings("predict"),
        seed=STUDY.seed,
        resume="predict/{model}/{fitted}-resume",
        code=code("predict"),
    shell:
        "python -m ecgwas predict fit --method {params.method:q} --checkpoint {input.checkpoint:q} {params.people}"
        " --recordings {input.recordings:q} --strips {params.lists[strips]:q} --beats {params.lists[beats]:q}"
        " --embeddings {input.embeddings:q} --labels {input.labels:q} --intervals {input.intervals:q}"
        " --settings {params.settings:q} --seed {params.seed:q} --label_share {params.share:q} --label_draw {params.draw:q}"
        " --threads {threads} --resume {params.resume:q} --predictor {output:q} > {log:q} 2>&1"


rule score:
    input:
        unpack(signals),
        predictor=tables.PREDICTOR.path,
        labels=tables.LABELS.path,
        intervals=tables.INTERVALS.path,
        people=JOBS.people,
    output:
        tables.SCORES.path,
    log:
        "logs/{cohort}/predict/{model}-{fitted}-score.log",
    benchmark:
        "benchmarks/{cohort}/predict/{model}-{fitted}-score.tsv"
    wildcard_constraints:
        fitted=jobs.pattern(FITTED),
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=memory("score"),
    params:
        lists=input_lists,
        people=command_lines.people_flag,
        code=code("predict"),
    shell:
        "python -m ecgwas predict score --predictor {input.predictor:q} --recordings {input.recordings:q} {params.people}"
        " --strips {params.lists[strips]:q} --beats {params.lists[beats]:q} --labels {input.labels:q}"
        " --intervals {input.intervals:q} --threads {threads} --scores {output:q} > {log:q} 2>&1"
