"""Everything -> one page; and for a simulated cohort, which planted loci were found."""

# What the page shows of every model, and of the model it is about.
COMPARED = [tables.LOCI.path, tables.CALIBRATION.path, tables.CREDIBLE_SETS.path]
TOLD = [
    tables.TRAITS_EXCLUDED.path,
    tables.RELIABILITY.path,
    tables.TRAITS.path,
    tables.LOCI_ANY_TRAIT.path,
    tables.MULTIPLICITY.path,
    tables.CROSSCHECK.path,
    tables.FINEMAP_VARIANTS.path,
    tables.LD_DIAGNOSTICS.path,
]


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
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=2000,
    params:
        lists=lists,
        code=source("recovery"),
    shell:
        f"python -m ecgwas.recovery.recovery {ANALYSED} --truth {{input.truth}} --loci {{input.loci}}"
        " --sumstats {params.lists[sumstats]:q} --trait_table {input.trait_table} --credible_sets {input.credible_sets}"
        " --pips {input.pips} --calibration {input.calibration} --model {wildcards.model}"
        " --recovery {output.recovery} --summary {output.summary} > {log} 2>&1"


rule recovery_table:
    input:
        expand(tables.RECOVERY.path, cohort=PLANTED[:1], model=REPORT_MODEL),
    output:
        tables.RECOVERY_OF_STUDY.path,
    log:
        "logs/recovery.log",
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=2000,
    shell:
        "cp {input} {output} > {log} 2>&1"


rule page:
    input:
        STUDY.report.genes or [],
        expand(tables.CONSENT.path, cohort=COHORTS),
        expand([tables.RECORDINGS.path, tables.RECORDINGS_EXCLUDED.path], cohort=COHORTS),
        expand([tables.SAMPLES.path, tables.VARIANTS.path, tables.GENOTYPES_EXCLUDED.path], cohort=GENOTYPED),
        expand(COMPARED, cohort=GENOTYPED, model=MODELS),
        expand(TOLD, cohort=GENOTYPED, model=REPORT_MODEL),
        expand([*SUMSTATS, TRAIT_TABLE], cohort=GENOTYPED, model=REPORT_MODEL),
        expand(tables.HISTORY.path, model=REPORT_MODEL if MODELS[REPORT_MODEL].kind == "transformer" else []),
        expand([tables.RECOVERY.path, tables.RECOVERY_SUMMARY.path], cohort=PLANTED, model=MODELS),
        tables.RECOVERY_OF_STUDY.path if PLANTED else [],
        JUDGEMENTS,
        EXPLANATIONS,
        TOLD_OF_LOCI,
        expand(tables.READOUT.path, model=READ),
        expand(tables.OUT_OF_DISTRIBUTION.path, cohort=COHORTS, model=EMBEDDING),
    output:
        page=report(tables.PAGE.path, category="Report", caption="../report/page.rst"),
        provenance=tables.PROVENANCE.path,
    log:
        "logs/report.log",
    conda:
        "../../envs/stats.yaml"
    resources:
        mem_mb=2000,
    params:
        # What a model is among the baselines: random where it is not trained.
        roles=json.dumps(
            {name: "random" if getattr(model, "steps", None) == 0 else model.kind for name, model in MODELS.items()}
        ),
        study=STUDY.model_dump_json(),
        sources="[" + ",".join(as_json(cohort) for cohort in COHORTS.values()) + "]",
        code=source("report"),
    shell:
        "python -m ecgwas.report.page --root . --study {params.study:q} --sources {params.sources:q}"
        " --roles {params.roles:q} --report {output.page} --provenance_json {output.provenance} > {log} 2>&1"
