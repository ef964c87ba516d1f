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
        mem_mb=memory("finemap"),
    params:
        analysed=analysed,
        lists=input_lists,
        settings=settings("finemap"),
        code=code("finemap"),
    shell:
        "python -m ecgwas finemap loci {params.analysed} --loci {input.loci:q} --sumstats {params.lists[sumstats]:q}"
        " --trait_table {input.trait_table:q} --settings {params.settings:q} --threads {threads}"
        " --credible_sets {output.credible_sets:q} --pips {output.variants:q}"
        " --diagnostics {output.diagnostics:q} > {log:q} 2>&1"
