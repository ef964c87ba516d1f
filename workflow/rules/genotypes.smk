"""Genotype files -> quality control, kinship, ancestry, and what the scan reads them by."""


rule genotypes:
    input:
        JOBS.genotype_files,
        unpack(JOBS.consent_files),
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
        mem_mb=memory("genotypes"),
        hail_master=STUDY.hail.master,  # no parameter: where Hail runs changes no number
        runtime=240,  # minutes
    params:
        source=JOBS.genotype_source,
        consent=JOBS.consent_flags,
        settings=settings("genotypes"),
        hail_log="logs/{cohort}/hail.log",
        code=code("genotypes"),
    shell:
        "python -m ecgwas genotypes qc --master {resources.hail_master:q}"
        " --source {params.source:q} --people {input.people:q}"
        " --recordings {input.recordings:q} {params.consent} --settings {params.settings:q} --threads {threads}"
        " --memory_mb {resources.mem_mb} --converted {output.converted:q} --hail_log {params.hail_log:q} --pruned {output.pruned:q} --samples {output.samples:q}"
        " --variants {output.variants:q} --excluded {output.excluded:q} --pcs {output.pcs:q} --kinship {output.kinship:q}"
        " --manifest {output.manifest:q} --consent {output.consent:q} > {log:q} 2>&1"
