"""Traits and genotypes -> every variant against every trait, the joint test, loci, calibration, cross-check in Hail."""

GENOTYPES = dict(
    manifest=tables.MANIFEST.path,
    variants=tables.VARIANTS.path,
    samples=tables.SAMPLES.path,
)
TRAITS = dict(
    traits=tables.TRAITS.path,
    covariates=tables.COVARIATES.path,
)
SUMSTATS = expand(tables.SUMSTATS.path, part=numbered(STUDY.gwas.parts), allow_missing=True)
TRAIT_TABLE = tables.SCAN_TRAITS.of(part="000")
# Where relatives are kept, every step that uses the traits takes the predictions of step 1 away.
LOCO = tables.LOCO.path if STUDY.phenotypes.relatives == "keep" else []
# The same people, traits and variants, by the same flags, for every step that goes back to the genotypes.
ANALYSED = (
    "--manifest {input.manifest} --variants {input.variants} --samples {input.samples}"
    " --traits {input.traits} --covariates {input.covariates}"
)
LESS = "--loco {input.loco}" if LOCO else ""
BY_HAIL = f"{HAIL} --memory_mb {{resources.mem_mb}}" if STUDY.gwas.engine == "hail" else ""


rule step1:
    input:
        **GENOTYPES,
        **TRAITS,
    output:
        loco=tables.LOCO.path,
        excluded=tables.STEP1_EXCLUDED.path,
    log:
        "logs/{cohort}/gwas/{model}-step1.log",
    benchmark:
        "benchmarks/{cohort}/gwas/{model}-step1.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 2
    resources:
        mem_mb=5000,  # step1.memory_mb of predictors, and Python with its libraries
    params:
        settings=settings("step1"),
        seed=STUDY.seed,
        code=source("gwas"),
    shell:
        f"python -m ecgwas.gwas.step1.predictions {ANALYSED} --settings {{params.settings:q}} --seed {{params.seed}}"
        " --threads {threads} --loco {output.loco} --excluded_out {output.excluded} > {log} 2>&1"


rule scan:
    input:
        **GENOTYPES,
        **TRAITS,
        loco=LOCO,
    output:
        sumstats=tables.SUMSTATS.path,
        trait_table=tables.SCAN_TRAITS.path,
    log:
        "logs/{cohort}/gwas/{model}-{part}.log",
    benchmark:
        "benchmarks/{cohort}/gwas/{model}-{part}.tsv"
    conda:
        "../../envs/hail.yaml" if STUDY.gwas.engine == "hail" else "../../envs/torch.yaml"
    resources:
        mem_mb=2000,
    params:
        settings=settings("gwas"),
        seed=STUDY.seed,
        code=source("gwas"),
    shell:
        f"python -m ecgwas.gwas.scan {BY_HAIL} {ANALYSED} {LESS} --part {{wildcards.part}} --settings {{params.settings:q}}"
        " --seed {params.seed} --threads {threads} --sumstats {output.sumstats}"
        " --traits_out {output.trait_table} > {log} 2>&1"


rule loci:
    input:
        **GENOTYPES,
        **TRAITS,
        sumstats=SUMSTATS,
        trait_table=TRAIT_TABLE,
    output:
        loci=tables.LOCI.path,
        any_trait=tables.LOCI_ANY_TRAIT.path,
        tests=tables.MULTIPLICITY.path,
    log:
        "logs/{cohort}/gwas/{model}-loci.log",
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=2000,
    params:
        lists=lists,
        settings=settings("gwas"),
        code=source("gwas"),
    shell:
        f"python -m ecgwas.gwas.loci {ANALYSED} --sumstats {{params.lists[sumstats]:q}} --trait_table {{input.trait_table}}"
        " --settings {params.settings:q} --loci {output.loci} --any_trait {output.any_trait}"
        " --tests {output.tests} > {log} 2>&1"


rule calibration:
    input:
        **GENOTYPES,
        **TRAITS,
        sumstats=SUMSTATS,
        loco=LOCO,
        trait_table=TRAIT_TABLE,
    output:
        calibration=tables.CALIBRATION.path,
    log:
        "logs/{cohort}/gwas/{model}-calibration.log",
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=2000,
    params:
        lists=lists,
        settings=settings("gwas"),
        seed=STUDY.seed,
        code=source("gwas"),
    shell:
        f"python -m ecgwas.gwas.calibration {ANALYSED} {LESS} --sumstats {{params.lists[sumstats]:q}}"
        " --trait_table {input.trait_table} --settings {params.settings:q} --seed {params.seed} --threads {threads}"
        " --calibration {output.calibration} > {log} 2>&1"


rule crosscheck:
    input:
        **GENOTYPES,
        **TRAITS,
        sumstats=SUMSTATS,
        loco=LOCO,
        trait_table=TRAIT_TABLE,
        loci=tables.LOCI.path,
    output:
        crosscheck=tables.CROSSCHECK.path,
    log:
        "logs/{cohort}/gwas/{model}-crosscheck.log",
    conda:
        "../../envs/hail.yaml"
    resources:
        mem_mb=3000,
    params:
        lists=lists,
        settings=settings("gwas"),
        code=source("gwas"),
    shell:
        f"python -m ecgwas.gwas.crosscheck {HAIL} {ANALYSED} {LESS} --sumstats {{params.lists[sumstats]:q}}"
        " --trait_table {input.trait_table} --loci {input.loci} --settings {params.settings:q} --threads {threads}"
        " --memory_mb {resources.mem_mb} --crosscheck {output.crosscheck} > {log} 2>&1"


EXPORTED = tables.EXPORTS.path
EXPORTS = expand(EXPORTED, cohort=GENOTYPED, model=MODELS) if STUDY.exports.formats else []


rule exports:
    input:
        **GENOTYPES,
        **TRAITS,
        sumstats=SUMSTATS,
        trait_table=TRAIT_TABLE,
    output:
        directory(EXPORTED),
    log:
        "logs/{cohort}/gwas/{model}-exports.log",
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=2000,
    params:
        lists=lists,
        settings=settings("exports"),
        code=source("gwas"),
    shell:
        "python -m ecgwas.gwas.export.formats --sumstats {params.lists[sumstats]:q} --trait_table {input.trait_table}"
        " --variants {input.variants} --covariates {input.covariates} --manifest {input.manifest}"
        " --settings {params.settings:q} --cohort {wildcards.cohort} --exports {output} > {log} 2>&1"
