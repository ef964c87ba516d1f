"""A cohort's table of people, id bridge and list of withdrawn people -> people.parquet, which every stage reads."""


rule people:
    input:
        unpack(JOBS.consent_files),
        people=JOBS.people_file,
    output:
        people=tables.PEOPLE.path,
        consent=tables.CONSENT_COUNTS.of(counted="people"),
    log:
        "logs/{cohort}/people.log",
    benchmark:
        "benchmarks/{cohort}/people.tsv"
    wildcard_constraints:
        cohort=jobs.pattern(JOBS.with_people),
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=memory("people"),
    params:
        consent=JOBS.consent_flags,
        genotyped=JOBS.is_genotyped,
        code=code("people"),
    shell:
        "python -m ecgwas people table --people {input.people:q} {params.consent} --genotyped {params.genotyped:q}"
        " --table {output.people:q} --consent {output.consent:q} > {log:q} 2>&1"


rule consent:
    input:
        unpack(JOBS.consent_files),
        unpack(JOBS.consent_counts),
    output:
        tables.CONSENT.path,
    log:
        "logs/{cohort}/consent.log",
    benchmark:
        "benchmarks/{cohort}/consent.tsv"
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=memory("consent"),
    params:
        doors=JOBS.consent_doors,
        withdrawn=JOBS.withdrawn_flag,
        code=code("people"),
    shell:
        "python -m ecgwas people consent --doors {params.doors:q} {params.withdrawn} --consent {output:q} > {log:q} 2>&1"
