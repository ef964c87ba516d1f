"""Genotype files -> quality control, kinship, ancestry, and what the scan reads them by."""


rule genotypes:
    input:
        genotype_files,
        unpack(consent_files),
        people=tables.PEOPLE.path,
        recordings=tables.RECORDINGS.path,
    output:
        pruned=directory(tables.PRUNED.path),
        converted=directory(tables.CONVERTED.path),
        samples=tables.SAMPLES.path,
        variants=tables.VARIANTS.path,
        excluded=tables.GENOTYPES_EXCLUDED.path,
        pcs=tables.PCS.path,
        kinship=tables.KINSHIP.path,
        manifest=tables.MANIFEST.path,
        consent=tables.CONSENT_COUNTS.of(counted="samples"),
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
