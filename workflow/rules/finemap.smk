"""Loci -> credible sets and posterior inclusion probabilities."""


rule finemap:
    input:
        **GENOTYPES,
        **TRAITS,
        sumstats=SUMSTATS,
        trait_table=TRAIT_TABLE,
        loco=LOCO,
        loci=tables.LOCI.path,
    output:
        credible_sets=tables.CREDIBLE_SETS.path,
        variants=tables.FINEMAP_VARIANTS.path,
        diagnostics=tables.LD_DIAGNOSTICS.path,
    log:
        "logs/{cohort}/finemap/{model}.log",
    benchmark:
        "benchmarks/{cohort}/finemap/{model}.tsv"
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=2000,
    params:
        lists=lists,
        settings=settings("finemap"),
        code=source("finemap"),
    shell:
        f"python -m ecgwas.finemap.finemap {ANALYSED} {LESS} --loci {{input.loci}} --sumstats {{params.lists[sumstats]:q}}"
        " --trait_table {input.trait_table} --settings {params.settings:q} --threads {threads}"
        " --credible_sets {output.credible_sets} --pips {output.variants}"
        " --diagnostics {output.diagnostics} > {log} 2>&1"
