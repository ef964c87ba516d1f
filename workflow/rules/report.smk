"""Everything -> one page; and for a simulated cohort, which planted loci were found."""


rule recovery:
    input:
        **GENOTYPES,
        **TRAITS,
        truth=tables.TRUTH.path,
        sumstats=SUMSTATS,
        trait_table=TRAIT_TABLE,
        loci=tables.LOCI.path,
        calibration=tables.CALIBRATION.path,
        credible_sets=tables.CREDIBLE_SETS.path,
        pips=tables.FINEMAP_VARIANTS.path,
    output:
        recovery=tables.RECOVERY.path,
        summary=tables.RECOVERY_SUMMARY.path,
    log:
        "logs/{cohort}/report/recovery-{model}.log",
    benchmark:
        "benchmarks/{cohort}/report/recovery-{model}.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=memory("recovery"),
    params:
        analysed=analysed,
        lists=input_lists,
        code=code("recovery"),
    shell:
        "python -m ecgwas recovery loci {params.analysed} --truth {input.truth:q} --loci {input.loci:q}"
        " --sumstats {params.lists[sumstats]:q} --trait_table {input.trait_table:q} --credible_sets {input.credible_sets:q}"
        " --pips {input.pips:q} --calibration {input.calibration:q} --model {wildcards.model:q}"
        " --recovery {output.recovery:q} --summary {output.summary:q} > {log:q} 2>&1"


rule recovery_table:
    input:
        expand(tables.RECOVERY.path, cohort=JOBS.planted[:1], model=REPORT_MODEL),
    output:
        tables.RECOVERY_OF_STUDY.path,
    log:
        "logs/recovery.log",
    benchmark:
        "benchmarks/recovery.tsv"
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=memory("recovery_table"),
    shell:
        "cp {input:q} {output:q} > {log:q} 2>&1"


rule page:
    input:
        STUDY.report.genes or [],
        page_of_cohorts,
        page_of_models,
        page_of_predictors,
        page_of_loci,
    output:
        page=report(tables.PAGE.path, category="Report", caption="../report/page.rst"),
        provenance=tables.PROVENANCE.path,
    log:
        "logs/report.log",
    benchmark:
        "benchmarks/report.tsv"
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=memory("page"),
    params:
        # What a model is among the baselines: random where it is not trained.
        roles=json.dumps(
            {name: "random" if getattr(model, "steps", None) == 0 else model.kind for name, model in MODELS.items()}
        ),
        study=STUDY.model_dump_json(),
        sources="[" + ",".join(command_lines.as_json(cohort) for cohort in COHORTS.values()) + "]",
        code=code("report"),
    shell:
        "python -m ecgwas study page --root . --study {params.study:q} --sources {params.sources:q}"
        " --roles {params.roles:q} --report {output.page:q} --provenance_json {output.provenance:q} > {log:q} 2>&1"
