"""Labels and scores of every cohort -> what predictors are worth, risks of diseases to come, a bundle to hand on."""


rule evaluate:
    input:
        labels=expand(tables.LABELS.path, cohort=COHORTS),
        scores=expand(tables.SCORES.path, cohort=COHORTS, fitted=FITTED, allow_missing=True),
        recordings=expand(tables.RECORDINGS.path, cohort=COHORTS),
        samples=expand(tables.SAMPLES.path, cohort=GENOTYPED),
        people=expand(tables.PEOPLE.path, cohort=JOBS.with_people),
    output:
        performance=tables.PREDICT_PERFORMANCE.path,
        differences=tables.PREDICT_DIFFERENCES.path,
        thresholds=tables.PREDICT_THRESHOLDS.path,
        reliability=tables.PREDICT_RELIABILITY.path,
        decision=tables.PREDICT_DECISION.path,
        subgroups=tables.PREDICT_SUBGROUPS.path,
        population=tables.PREDICT_POPULATION.path,
    log:
        "logs/predict/{model}-evaluate.log",
    benchmark:
        "benchmarks/predict/{model}-evaluate.tsv"
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=memory("evaluate"),
    params:
        lists=input_lists,
        cohorts=json.dumps(list(COHORTS)),
        methods=json.dumps([fitted.split("-")[0] for fitted in FITTED]),
        people=json.dumps([tables.PEOPLE.of(cohort=name) if name in JOBS.with_people else None for name in COHORTS]),
        samples=json.dumps([tables.SAMPLES.of(cohort=name) if name in GENOTYPED else None for name in COHORTS]),
        outputs=command_lines.output_flags,
        settings=settings("predict"),
        seed=STUDY.seed,
        code=code("predict"),
    shell:
        "python -m ecgwas predict evaluate --cohorts {params.cohorts:q} --methods {params.methods:q}"
        " --labels {params.lists[labels]:q} --scores {params.lists[scores]:q}"
        " --recordings {params.lists[recordings]:q} --people {params.people:q} --samples {params.samples:q}"
        " --settings {params.settings:q} --seed {params.seed:q} {params.outputs} > {log:q} 2>&1"


rule survival:
    input:
        labels=expand(tables.LABELS.path, cohort=COHORTS),
        embeddings=expand(tables.EMBEDDINGS.path, cohort=COHORTS, allow_missing=True),
        intervals=expand(tables.INTERVALS.path, cohort=COHORTS),
    output:
        survival=tables.SURVIVAL.path,
        hazard_ratios=tables.SURVIVAL_HAZARD_RATIOS.path,
        survival_curves=tables.SURVIVAL_CURVES.path,
        survival_calibration=tables.SURVIVAL_CALIBRATION.path,
        survival_risks=tables.SURVIVAL_RISKS.path,
    log:
        "logs/predict/{model}-survival.log",
    benchmark:
        "benchmarks/predict/{model}-survival.tsv"
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=memory("survival"),
    params:
        lists=input_lists,
        cohorts=json.dumps(list(COHORTS)),
        settings=settings("predict"),
        seed=STUDY.seed,
        code=code("predict"),
    shell:
        "python -m ecgwas predict survival --cohorts {params.cohorts:q} --labels {params.lists[labels]:q}"
        " --embeddings {params.lists[embeddings]:q} --intervals {params.lists[intervals]:q}"
        " --survival_out {output.survival:q} --hazard_ratios_out {output.hazard_ratios:q}"
        " --curves_out {output.survival_curves:q} --calibration_out {output.survival_calibration:q}"
        " --risks_out {output.survival_risks:q} --settings {params.settings:q} --seed {params.seed:q} > {log:q} 2>&1"


rule bundle:
    input:
        predictor=tables.PREDICTOR.of(fitted="{method}"),
        performance=tables.PREDICT_PERFORMANCE.path,
        thresholds=tables.PREDICT_THRESHOLDS.path,
        subgroups=tables.PREDICT_SUBGROUPS.path,
    output:
        directory(tables.BUNDLE.path),
    log:
        "logs/predict/{model}-{method}-bundle.log",
    benchmark:
        "benchmarks/predict/{model}-{method}-bundle.tsv"
    wildcard_constraints:
        method=jobs.pattern(STUDY.predict.methods),
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=memory("bundle"),
    params:
        settings=settings("release"),
        name=f"{STUDY.study}-{{model}}-{{method}}",
        code=code("predict"),
    shell:
        "python -m ecgwas predict bundle --predictor {input.predictor:q} --name {params.name:q} --settings {params.settings:q}"
        " --performance {input.performance:q} --thresholds {input.thresholds:q} --subgroups {input.subgroups:q}"
        " --bundle {output:q} > {log:q} 2>&1"
