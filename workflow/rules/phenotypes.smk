"""Embeddings, intervals or a table made elsewhere -> traits and covariates of the people analysed."""


rule covariates:
    input:
        people=lambda wildcards: COHORTS[wildcards.cohort].people,
    output:
        tables.COVARIATES_CHECK.path,
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
        people=tables.PEOPLE.path,
        samples=tables.SAMPLES.path,
        pcs=tables.PCS.path,
        recordings=tables.RECORDINGS.path,
        covariates=tables.COVARIATES_CHECK.path,
    output:
        traits=tables.TRAITS.path,
        covariates=tables.COVARIATES.path,
        reliability=tables.RELIABILITY.path,
        excluded=tables.TRAITS_EXCLUDED.path,
        transform=tables.TRANSFORM.path,
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
