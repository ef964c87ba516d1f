"""A cohort's table of people, id bridge and list of withdrawn people -> people.parquet, which every stage reads."""

WITH_PEOPLE = [name for name, cohort in COHORTS.items() if cohort.people]


rule people:
    input:
        unpack(consent_files),
        people=lambda wildcards: COHORTS[wildcards.cohort].people,
    output:
        people=tables.PEOPLE.path,
        consent=tables.CONSENT_COUNTS.of(counted="people"),
    log:
        "logs/{cohort}/people.log",
    wildcard_constraints:
        cohort="|".join(WITH_PEOPLE) or "(?!)",
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=2000,
    params:
        consent=consent_flags,
        genotyped=lambda wildcards: str(wildcards.cohort in GENOTYPED).lower(),
        code=source("people"),
    shell:
        "python -m ecgwas.people.make --people {input.people:q} {params.consent} --genotyped {params.genotyped}"
        " --table {output.people} --consent {output.consent} > {log} 2>&1"


# The doors by which people come in; each says what it found of the list, and none writes an id.
DOORS = {
    "people": (tables.CONSENT_COUNTS.of(counted="people"), WITH_PEOPLE),
    "recordings": (tables.CONSENT_COUNTS.of(counted="recordings"), list(COHORTS)),
    "samples": (tables.CONSENT_COUNTS.of(counted="samples"), GENOTYPED),
}


rule consent:
    input:
        unpack(consent_files),
        unpack(lambda wildcards: {name: path for name, (path, cohorts) in DOORS.items() if wildcards.cohort in cohorts}),
    output:
        tables.CONSENT.path,
    log:
        "logs/{cohort}/consent.log",
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=2000,
    params:
        doors=lambda wildcards: json.dumps(
            {
                name: path.format(cohort=wildcards.cohort)
                for name, (path, cohorts) in DOORS.items()
                if wildcards.cohort in cohorts
            }
        ),
        withdrawn=lambda wildcards: optional("withdrawn", COHORTS[wildcards.cohort].withdrawn),
        code=source("people"),
    shell:
        "python -m ecgwas.people.report --doors {params.doors:q} {params.withdrawn} --consent {output} > {log} 2>&1"
