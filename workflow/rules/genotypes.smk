"""Genotype files -> quality control, kinship, ancestry, and what the scan reads them by."""


rule genotypes:
    input:
        genotype_files,
        unpack(consent_files),
        people="cohorts/{cohort}/people.parquet",
        recordings="cohorts/{cohort}/ecg/recordings.parquet",
    output:
        pruned=directory("cohorts/{cohort}/genotypes/pruned.mt"),
        converted=directory("cohorts/{cohort}/genotypes/converted"),
        samples="cohorts/{cohort}/genotypes/samples.parquet",
        variants="cohorts/{cohort}/genotypes/variants.parquet",
        excluded="cohorts/{cohort}/genotypes/excluded.parquet",
        pcs="cohorts/{cohort}/genotypes/pcs.parquet",
        kinship="cohorts/{cohort}/genotypes/kinship.parquet",
        manifest="cohorts/{cohort}/genotypes/manifest.json",
        consent="cohorts/{cohort}/consent/samples.json",
    log:
        "logs/{cohort}/genotypes.log",
    benchmark:
        "benchmarks/{cohort}/genotypes.tsv"
    conda:
        "../../envs/hail.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=240,  # minutes
    params:
        source=lambda wildcards: as_json(COHORTS[wildcards.cohort].genotypes),
        consent=consent_flags,
        settings=settings("genotypes"),
        hail_log=lambda wildcards: f"logs/{wildcards.cohort}/hail.log",
        code=source("genotypes"),
    shell:
        f"python -m ecgwas.genotypes.qc_main {HAIL}"
        " --source {params.source:q} --people {input.people}"
        " --recordings {input.recordings} {params.consent} --settings {params.settings:q} --threads {threads}"
        " --memory_mb {resources.mem_mb} --converted {output.converted} --hail_log {params.hail_log} --pruned {output.pruned} --samples {output.samples}"
        " --variants {output.variants} --excluded {output.excluded} --pcs {output.pcs} --kinship {output.kinship}"
        " --manifest {output.manifest} --consent {output.consent} > {log} 2>&1"
