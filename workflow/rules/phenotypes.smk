"""Embeddings, intervals or a table made elsewhere -> traits and covariates of the people analysed."""


rule covariates:
    input:
        people=JOBS.people_file,
    output:
        tables.COVARIATES_CHECK.path,
    log:
        "logs/{cohort}/covariates.log",
    benchmark:
        "benchmarks/{cohort}/covariates.tsv"
    priority: 100  # what is wrong with a covariate is said in the first minute, not after the training
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=memory("covariates"),
    params:
        settings=settings("phenotypes"),
        code=code("phenotypes"),
    shell:
        "python -m ecgwas phenotypes covariates --people {input.people:q} --settings {params.settings:q}"
        " --covariates {output:q} > {log:q} 2>&1"


rule traits:
    input:
        unpack(JOBS.consent_files_of_values),
        values=JOBS.values,
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
    benchmark:
        "benchmarks/{cohort}/phenotypes/{model}.tsv"
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=memory("traits"),
    params:
        whiten=JOBS.is_embedding,
        classical=JOBS.is_intervals,
        outcomes=JOBS.outcomes,
        consent=JOBS.consent_flags_of_values,
        settings=settings("phenotypes"),
        code=code("phenotypes"),
    shell:
        "python -m ecgwas phenotypes traits --values {input.values:q} --whiten {params.whiten:q} --people {input.people:q}"
        " --samples {input.samples:q} --pcs {input.pcs:q} --settings {params.settings:q} --traits {output.traits:q}"
        " --covariates {output.covariates:q} --reliability {output.reliability:q} --excluded {output.excluded:q}"
        " --transform {output.transform:q} --recordings {input.recordings:q} --classical {params.classical:q}"
        " --outcomes {params.outcomes:q} {params.consent} > {log:q} 2>&1"
