"""Labels and scores of every cohort -> what predictors are worth, risks of diseases to come, a bundle to hand on."""


rule evaluate:
    input:
        labels=expand(tables.LABELS.path, cohort=COHORTS),
        scores=expand(tables.SCORES.path, cohort=COHORTS, fitted=FITTED, allow_missing=True),
        recordings=expand(tables.RECORDINGS.path, cohort=COHORTS),
        samples=expand(tables.SAMPLES.path, cohort=GENOTYPED),
        people=expand(tables.PEOPLE.path, cohort=WITH_PEOPLE),
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
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=2000,
    params:
        lists=lists,
        cohorts=json.dumps(list(COHORTS)),
        methods=json.dumps([fitted.split("-")[0] for fitted in FITTED]),
        people=json.dumps([tables.PEOPLE.of(cohort=name) if name in WITH_PEOPLE else None for name in COHORTS]),
        samples=json.dumps([tables.SAMPLES.of(cohort=name) if name in GENOTYPED else None for name in COHORTS]),
        outputs=lambda wildcards, output: " ".join(f"--{name}_out {path}" for name, path in output.items()),
        settings=settings("predict"),
        seed=STUDY.seed,
        code=source("predict"),
    shell:
        "python -m ecgwas.predict.evaluate.evaluate_study --cohorts {params.cohorts:q} --methods {params.methods:q}"
        " --labels {params.lists[labels]:q} --scores {params.lists[scores]:q}"
        " --recordings {params.lists[recordings]:q} --people {params.people:q} --samples {params.samples:q}"
        " --settings {params.settings:q} --seed {params.seed} {params.outputs} > {log} 2>&1"


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
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=2000,
    params:
        lists=lists,
        cohorts=json.dumps(list(COHORTS)),
        settings=settings("predict"),
        seed=STUDY.seed,
        code=source("predict"),
    shell:
        "python -m ecgwas.predict.survival.survival --cohorts {params.cohorts:q} --labels {params.lists[labels]:q}"
        " --embeddings {params.lists[embeddings]:q} --intervals {params.lists[intervals]:q}"
        " --survival_out {output.survival} --hazard_ratios_out {output.hazard_ratios}"
        " --curves_out {output.survival_curves} --calibration_out {output.survival_calibration}"
        " --risks_out {output.survival_risks} --settings {params.settings:q} --seed {params.seed} > {log} 2>&1"


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
    wildcard_constraints:
        method="|".join(PREDICT.methods),
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=2000,
    params:
        settings=settings("release"),
        name=f"{STUDY.study}-{{model}}-{{method}}",
        code=source("predict"),
    shell:
        "python -m ecgwas.predict.release.bundle --predictor {input.predictor} --name {params.name} --settings {params.settings:q}"
        " --performance {input.performance} --thresholds {input.thresholds} --subgroups {input.subgroups}"
        " --bundle {output} > {log} 2>&1"


KINDS = {outcome.kind for outcome in PREDICT.outcomes.values()}
# A bundle of the first network named, where a licence is.
BUNDLED = [name for name in PREDICT.methods if name not in ("combined", "intervals", "demographics")][:1]
JUDGEMENTS = expand(
    (rules.evaluate.output if "prevalent" in KINDS else []) + (rules.survival.output if "incident" in KINDS else []),
    model=PREDICT_MODEL,
) + expand(
    rules.bundle.output,
    model=PREDICT_MODEL,
    method=BUNDLED if STUDY.release.licence and "prevalent" in KINDS else [],
)
