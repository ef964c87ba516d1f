"""Traits and genotypes -> every variant against every trait, the joint test, loci, calibration, cross-check in Hail."""


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
        mem_mb=memory("step1"),
    params:
        analysed=analysed,
        settings=settings("step1"),
        seed=STUDY.seed,
        code=code("gwas"),
    shell:
        "python -m ecgwas gwas step1 {params.analysed} --settings {params.settings:q} --seed {params.seed:q}"
        " --threads {threads} --loco {output.loco:q} --excluded_out {output.excluded:q} > {log:q} 2>&1"


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
        mem_mb=memory("scan"),
        hail_master=STUDY.hail.master,  # no parameter: where Hail runs changes no number
    params:
        analysed=analysed,
        settings=settings("gwas"),
        code=code("gwas"),
    shell:
        "python -m ecgwas gwas scan --master {resources.hail_master:q} --memory_mb {resources.mem_mb} {params.analysed} --part {wildcards.part:q} --settings {params.settings:q}"
        " --threads {threads} --sumstats {output.sumstats:q}"
        " --traits_out {output.trait_table:q} > {log:q} 2>&1"


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
    benchmark:
        "benchmarks/{cohort}/gwas/{model}-loci.tsv"
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=memory("loci"),
    params:
        analysed=analysed,
        lists=input_lists,
        settings=settings("gwas"),
        code=code("gwas"),
    shell:
        "python -m ecgwas gwas loci {params.analysed} --sumstats {params.lists[sumstats]:q} --trait_table {input.trait_table:q}"
        " --settings {params.settings:q} --loci {output.loci:q} --any_trait {output.any_trait:q}"
        " --tests {output.tests:q} > {log:q} 2>&1"


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
    benchmark:
        "benchmarks/{cohort}/gwas/{model}-calibration.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=memory("calibration"),
    params:
        analysed=analysed,
        lists=input_lists,
        settings=settings("gwas"),
        seed=STUDY.seed,
        code=code("gwas"),
    shell:
        "python -m ecgwas gwas calibration {params.analysed} --sumstats {params.lists[sumstats]:q}"
        " --trait_table {input.trait_table:q} --settings {params.settings:q} --seed {params.seed:q} --threads {threads}"
        " --calibration {output.calibration:q} > {log:q} 2>&1"


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
    benchmark:
        "benchmarks/{cohort}/gwas/{model}-crosscheck.tsv"
    conda:
        "../../envs/hail.yaml"
    resources:
        mem_mb=memory("crosscheck"),
        hail_master=STUDY.hail.master,  # no parameter: where Hail runs changes no number
    params:
        analysed=analysed,
        lists=input_lists,
        settings=settings("gwas"),
        code=code("gwas"),
    shell:
        "python -m ecgwas gwas crosscheck --master {resources.hail_master:q} {params.analysed} --sumstats {params.lists[sumstats]:q}"
        " --trait_table {input.trait_table:q} --loci {input.loci:q} --settings {params.settings:q} --threads {threads}"
        " --memory_mb {resources.mem_mb} --crosscheck {output.crosscheck:q} > {log:q} 2>&1"


rule exports:
    input:
        **GENOTYPES,
        **TRAITS,
        sumstats=SUMSTATS,
        trait_table=TRAIT_TABLE,
    output:
        directory(tables.EXPORTS.path),
    log:
        "logs/{cohort}/gwas/{model}-exports.log",
    benchmark:
        "benchmarks/{cohort}/gwas/{model}-exports.tsv"
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=memory("exports"),
    params:
        lists=input_lists,
        settings=settings("exports"),
        code=code("gwas"),
    shell:
        "python -m ecgwas gwas export --sumstats {params.lists[sumstats]:q} --trait_table {input.trait_table:q}"
        " --variants {input.variants:q} --covariates {input.covariates:q} --manifest {input.manifest:q}"
        " --settings {params.settings:q} --cohort {wildcards.cohort:q} --exports {output:q} > {log:q} 2>&1"
