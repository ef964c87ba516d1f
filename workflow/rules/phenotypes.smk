"""Embeddings, intervals or a table made elsewhere -> traits and covariates of the people analysed."""


def values_of(wildcards):
    """The numbers that become traits: by kind of model, an embedding, the intervals, or the user's table."""
    model = MODELS[wildcards.model]
    if model.kind == "intervals":
        return f"cohorts/{wildcards.cohort}/ecg/intervals.parquet"
    if model.kind == "table":
        return model.path.format(cohort=wildcards.cohort)
    return f"cohorts/{wildcards.cohort}/embeddings/{wildcards.model}.parquet"


def whitened(wildcards):
    """Whether the model's numbers are an embedding, whose axes mean nothing by themselves."""
    model = MODELS[wildcards.model]
    return model.whiten if model.kind == "table" else model.kind != "intervals"


rule traits:
    input:
        values=values_of,
        people=lambda wildcards: COHORTS[wildcards.cohort].people,
        samples="cohorts/{cohort}/genotypes/samples.parquet",
        pcs="cohorts/{cohort}/genotypes/pcs.parquet",
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
    params:
        whiten=lambda wildcards: str(whitened(wildcards)).lower(),
        settings=settings("phenotypes"),
        code=source("phenotypes"),
    shell:
        "python -m ecgwas.phenotypes.traits --values {input.values} --whiten {params.whiten} --people {input.people}"
        " --samples {input.samples} --pcs {input.pcs} --settings {params.settings:q} --traits {output.traits}"
        " --covariates {output.covariates} --reliability {output.reliability} --excluded {output.excluded}"
        " --transform {output.transform} > {log} 2>&1"
