"""Everything -> one page; and for a simulated cohort, which planted loci were found."""

# What the page shows of every model, and of the model it is about.
COMPARED = [
    "gwas/{model}/loci.parquet",
    "gwas/{model}/calibration.parquet",
    "finemap/{model}/credible_sets.parquet",
]
TOLD = [
    "phenotypes/{model}/excluded.parquet",
    "phenotypes/{model}/reliability.parquet",
    "phenotypes/{model}/traits.parquet",
    "gwas/{model}/loci_any_trait.parquet",
    "gwas/{model}/multiplicity.parquet",
    "gwas/{model}/crosscheck.parquet",
    "finemap/{model}/variants.parquet",
    "finemap/{model}/ld_diagnostics.parquet",
]


rule recovery:
    input:
        **GENOTYPES,
        **TRAITS,
        truth="simulated/{cohort}/truth.json",
        sumstats=SUMSTATS,
        trait_table=TRAIT_TABLE,
        loci="cohorts/{cohort}/gwas/{model}/loci.parquet",
        calibration="cohorts/{cohort}/gwas/{model}/calibration.parquet",
        credible_sets="cohorts/{cohort}/finemap/{model}/credible_sets.parquet",
        pips="cohorts/{cohort}/finemap/{model}/variants.parquet",
    output:
        recovery="recovery/{cohort}/{model}.tsv",
        summary="recovery/{cohort}/{model}.json",
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
        [f"recovery/{cohort}/{REPORT_MODEL}.tsv" for cohort in PLANTED[:1]],
    output:
        "recovery.tsv",
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
        expand("cohorts/{cohort}/consent.json", cohort=COHORTS),
        expand("cohorts/{cohort}/ecg/{table}.parquet", cohort=COHORTS, table=["recordings", "excluded"]),
        expand(
            "cohorts/{cohort}/genotypes/{table}.parquet", cohort=GENOTYPED, table=["samples", "variants", "excluded"]
        ),
        expand(expand("cohorts/{{cohort}}/{table}", table=COMPARED), cohort=GENOTYPED, model=MODELS),
        expand(expand("cohorts/{{cohort}}/{table}", table=TOLD), cohort=GENOTYPED, model=REPORT_MODEL),
        expand(SUMSTATS, cohort=GENOTYPED, model=REPORT_MODEL),
        expand(
            "models/{model}/history.parquet", model=REPORT_MODEL if MODELS[REPORT_MODEL].kind == "transformer" else []
        ),
        expand("recovery/{cohort}/{model}.tsv", cohort=PLANTED, model=MODELS),
        "recovery.tsv" if PLANTED else [],
        JUDGEMENTS,
        EXPLANATIONS,
        TOLD_OF_LOCI,
        expand("embeddings/readout/{model}.parquet", model=READ),
        expand("cohorts/{cohort}/embeddings/{model}.ood.parquet", cohort=COHORTS, model=EMBEDDING),
    output:
        page=report("report/index.html", category="Report", caption="../report/page.rst"),
        provenance="report/provenance.json",
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
