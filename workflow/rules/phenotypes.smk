"""Embeddings, intervals or a table made elsewhere -> traits and covariates of the people analysed."""


rule covariates:
    input:
        people=lambda wildcards: COHORTS[wildcards.cohort].people,
    output:
        "cohorts/{cohort}/phenotypes/covariates.json",
    log:
        "logs/{cohort}/covariates.log",
    priority: 100  # what is wrong with a covariate is said in the first minute, not after the training
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=4000,
    params:
        settings=settings("phenotypes"),
        code=source("phenotypes"),
    shell:
        "python -m ecgwas.phenotypes.check_covariates --people {input.people:q} --settings {params.settings:q}"
        " --covariates {output:q} > {log:q} 2>&1"


rule traits:
    input:
        unpack(consent_of_values),
        values=values_of,
        people="cohorts/{cohort}/people.parquet",
        samples="cohorts/{cohort}/genotypes/samples.parquet",
        pcs="cohorts/{cohort}/genotypes/pcs.parquet",
        recordings="cohorts/{cohort}/ecg/recordings.parquet",
        covariates="cohorts/{cohort}/phenotypes/covariates.json",
    output:
        traits="cohorts/{cohort}/phenotypes/{model}/traits.parquet",
        covariates="cohorts/{cohort}/phenotypes/{model}/covariates.parquet",
        reliability="cohorts/{cohort}/phenotypes/{model}/reliability.parquet",
        excluded="cohorts/{cohort}/phenotypes/{model}/excluded.parquet",
        transform="cohorts/{cohort}/phenotypes/{model}/transform.npz",
    log:
        "logs/{cohort}/phenotypes/{model}.log",
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=2000,
    params:
        whiten=lambda wildcards: str(whitened(wildcards)).lower(),
        classical=lambda wildcards: str(MODELS[wildcards.model].kind == "intervals").lower(),
        outcomes=outcomes,
        consent=lambda wildcards: consent_flags(wildcards) if consent_of_values(wildcards) else "",
        settings=settings("phenotypes"),
        code=source("phenotypes"),
    shell:
        "python -m ecgwas.phenotypes.traits --values {input.values:q} --whiten {params.whiten} --people {input.people}"
        " --samples {input.samples} --pcs {input.pcs} --settings {params.settings:q} --traits {output.traits}"
        " --covariates {output.covariates} --reliability {output.reliability} --excluded {output.excluded}"
        " --transform {output.transform} --recordings {input.recordings} --classical {params.classical}"
        " --outcomes {params.outcomes:q} {params.consent} > {log} 2>&1"
