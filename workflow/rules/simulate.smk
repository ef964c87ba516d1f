"""Cohorts with known truth: simulated from nothing, or real recordings with planted effects."""

OF_USERS = ["recordings", "people", "id_bridge"]  # tables that a user would give


rule simulate_cohort:
    output:
        ecg=directory(tables.SIMULATED_ECG.path),
        tables=[*expand(tables.SIMULATED_TABLE.path, table=OF_USERS, allow_missing=True), tables.TRUTH.path],
        parameters=tables.PARAMETERS.path,
        dated=expand(tables.SIMULATED_TABLE.path, table=["statements", "diagnoses", "followup"], allow_missing=True),
    log:
        "logs/{cohort}/simulate.log",
    benchmark:
        "benchmarks/{cohort}/simulate.tsv"
    wildcard_constraints:
        cohort=simulated_as("cohort"),
    conda:
        "../../envs/stats.yaml"
    threads: 2
    resources:
        mem_mb=4000,
    params:
        settings=lambda wildcards: as_json(COHORTS[wildcards.cohort].simulate),
        seed=seed_of,
        code=source("simulate"),
    shell:
        "python -m ecgwas.simulate.cohort --settings {params.settings:q} --seed {params.seed}"
        " --folder simulated/{wildcards.cohort} --threads {threads} > {log} 2>&1"


rule simulate_spike:
    input:
        lambda wildcards: of_recordings(COHORTS[wildcards.cohort].simulate.ecg),
        lambda wildcards: COHORTS[wildcards.cohort].simulate.genotypes.files(),
        lambda wildcards: COHORTS[wildcards.cohort].simulate.labels or [],
    output:
        ecg=directory(tables.SIMULATED_ECG.path),
        tables=[*expand(tables.SIMULATED_TABLE.path, table=OF_USERS, allow_missing=True), tables.TRUTH.path],
    log:
        "logs/{cohort}/simulate.log",
    benchmark:
        "benchmarks/{cohort}/simulate.tsv"
    wildcard_constraints:
        cohort=simulated_as("spike"),
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=2000,
    params:
        settings=lambda wildcards: as_json(COHORTS[wildcards.cohort].simulate),
        seed=seed_of,
        files=spiked_fingerprint,
        code=source("simulate"),
    shell:
        "python -m ecgwas.simulate.spike --settings {params.settings:q} --seed {params.seed}"
        " --folder simulated/{wildcards.cohort} > {log} 2>&1"
