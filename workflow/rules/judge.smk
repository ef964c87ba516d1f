"""Labels and scores of every cohort -> what predictors are worth, risks of diseases to come, a bundle to hand on."""

JUDGED = ("performance", "differences", "thresholds", "reliability", "decision", "subgroups", "population")


rule evaluate:
    input:
        labels=expand("cohorts/{cohort}/predict/labels.parquet", cohort=COHORTS),
        scores=[
            f"cohorts/{cohort}/predict/{{model}}/scores-{fitted}.parquet" for cohort in COHORTS for fitted in FITTED
        ],
        recordings=expand("cohorts/{cohort}/ecg/recordings.parquet", cohort=COHORTS),
        samples=expand("cohorts/{cohort}/genotypes/samples.parquet", cohort=GENOTYPED),
        people=expand("cohorts/{cohort}/people.parquet", cohort=WITH_PEOPLE),
    output:
        **{name: f"predict/{{model}}/{name}.parquet" for name in JUDGED},
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
        people=json.dumps([f"cohorts/{name}/people.parquet" if name in WITH_PEOPLE else None for name in COHORTS]),
        samples=json.dumps(
            [f"cohorts/{name}/genotypes/samples.parquet" if name in GENOTYPED else None for name in COHORTS]
        ),
        outputs=lambda wildcards, output: " ".join(f"--{name}_out {output[name]}" for name in JUDGED),
        settings=settings("predict"),
        seed=STUDY.seed,
        code=source("predict"),
    shell:
        "python -m ecgwas.predict.evaluate.evaluate_study --cohorts {params.cohorts:q} --methods {params.methods:q}"
        " --labels {params.lists[labels]:q} --scores {params.lists[scores]:q}"
        " --recordings {params.lists[recordings]:q} --people {params.people:q} --samples {params.samples:q}"
        " --settings {params.settings:q} --seed {params.seed} {params.outputs} > {log} 2>&1"


SURVIVED = ("survival", "hazard_ratios", "survival_curves", "survival_calibration", "survival_risks")


rule survival:
    input:
        labels=expand("cohorts/{cohort}/predict/labels.parquet", cohort=COHORTS),
        embeddings=expand("cohorts/{cohort}/embeddings/{{model}}.parquet", cohort=COHORTS),
        intervals=expand("cohorts/{cohort}/ecg/intervals.parquet", cohort=COHORTS),
    output:
        **{name: f"predict/{{model}}/{name}.parquet" for name in SURVIVED},
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
        predictor="predict/{model}/{method}.pt",
        performance="predict/{model}/performance.parquet",
        thresholds="predict/{model}/thresholds.parquet",
        subgroups="predict/{model}/subgroups.parquet",
    output:
        directory("predict/{model}/bundle-{method}"),
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
    "predict/{model}/{name}.parquet",
    model=PREDICT_MODEL,
    name=[*(JUDGED if "prevalent" in KINDS else ()), *(SURVIVED if "incident" in KINDS else ())],
) + expand(
    "predict/{model}/bundle-{method}",
    model=PREDICT_MODEL,
    method=BUNDLED if STUDY.release.licence and "prevalent" in KINDS else [],
)
