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
        cohort=jobs.pattern(JOBS.simulated_as("cohort")),
    conda:
        "../../envs/stats.yaml"
    threads: 2
    resources:
        mem_mb=memory("simulate_cohort"),
    params:
        settings=JOBS.simulation,
        seed=JOBS.simulation_seed,
        code=code("simulate"),
    shell:
        "python -m ecgwas simulate cohort --settings {params.settings:q} --seed {params.seed:q}"
        " --folder simulated/{wildcards.cohort:q} --threads {threads} > {log:q} 2>&1"


rule simulate_spike:
    input:
        JOBS.spiked_files,
    output:
        ecg=directory(tables.SIMULATED_ECG.path),
        tables=[*expand(tables.SIMULATED_TABLE.path, table=OF_USERS, allow_missing=True), tables.TRUTH.path],
    log:
        "logs/{cohort}/simulate.log",
    benchmark:
        "benchmarks/{cohort}/simulate.tsv"
    wildcard_constraints:
        cohort=jobs.pattern(JOBS.simulated_as("spike")),
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=memory("simulate_spike"),
    params:
        settings=JOBS.simulation,
        seed=JOBS.simulation_seed,
        files=JOBS.spiked_fingerprint,
        code=code("simulate"),
    shell:
        "python -m ecgwas simulate spike --settings {params.settings:q} --seed {params.seed:q}"
        " --folder simulated/{wildcards.cohort:q} > {log:q} 2>&1"
