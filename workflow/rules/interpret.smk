"""Predictors, embeddings and loci -> what of the ECG mattered: for a prediction, along an axis, for each allele."""


rule explain:
    input:
        unpack(lambda wildcards: signals_of(wildcards.cohort)),
        predictor=tables.PREDICTOR.of(fitted="{method}"),
        labels=tables.LABELS.path,
        scores=tables.SCORES.of(fitted="{method}"),
    output:
        occlusion=tables.INTERPRET_OCCLUSION.path,
        attributions=tables.INTERPRET_ATTRIBUTIONS.path,
        beat_maps=tables.INTERPRET_BEAT_MAPS.path,
        checks=tables.INTERPRET_CHECKS.path,
    log:
        "logs/{cohort}/interpret/{model}-{method}.log",
    wildcard_constraints:
        method="|".join(STUDY.interpret.methods) or "(?!)",
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=2000,
    params:
        lists=lists,
        settings=settings("interpret"),
        seed=STUDY.seed,
        code=source("interpret"),
    shell:
        "python -m ecgwas.interpret.predictors.explain --predictor {input.predictor} --recordings {input.recordings}"
        " --strips {params.lists[strips]:q} --beats {params.lists[beats]:q} --labels {input.labels}"
        " --scores {input.scores} --settings {params.settings:q} --seed {params.seed} --threads {threads}"
        " --occlusion {output.occlusion} --attributions {output.attributions} --beat_maps {output.beat_maps}"
        " --checks_table {output.checks} > {log} 2>&1"


rule traversal:
    input:
        unpack(lambda wildcards: signals_of(wildcards.cohort)),
        checkpoint=tables.CHECKPOINT.path,
        embeddings=tables.EMBEDDINGS.path,
        traits=tables.TRAITS.path,
    output:
        tables.TRAVERSAL.path,
    log:
        "logs/{cohort}/interpret/{model}-traversal.log",
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=2000,
    params:
        lists=lists,
        code=source("interpret"),
    shell:
        "python -m ecgwas.interpret.loci.traversal --checkpoint {input.checkpoint} --embeddings {input.embeddings}"
        " --traits {input.traits} --recordings {input.recordings} --beats {params.lists[beats]:q}"
        " --traversal {output} > {log} 2>&1"


rule alleles:
    input:
        unpack(lambda wildcards: signals_of(wildcards.cohort)),
        **GENOTYPES,
        **TRAITS,
        loci=tables.LOCI.path,
        intervals=tables.INTERVALS.path,
    output:
        beats=tables.ALLELE_BEATS.path,
        traits=tables.ALLELE_TRAITS.path,
    log:
        "logs/{cohort}/interpret/{model}-alleles.log",
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=2000,
    params:
        lists=lists,
        settings=settings("interpret"),
        ingest=settings("ingest"),
        seed=STUDY.seed,
        code=source("interpret"),
    shell:
        "python -m ecgwas.interpret.loci.allele_effects --loci {input.loci} --recordings {input.recordings}"
        " --beats {params.lists[beats]:q} --intervals {input.intervals} --manifest {input.manifest}"
        " --variants {input.variants} --samples {input.samples} --traits {input.traits} --covariates {input.covariates}"
        " --settings {params.settings:q} --ingest {params.ingest:q} --seed {params.seed}"
        " --allele_beats {output.beats} --allele_traits {output.traits} > {log} 2>&1"


# What is told of the report's model: the beats of its loci and axes, and of the predictors what they look at.
HEARTS = STUDY.ingest.heart and MODELS[REPORT_MODEL].kind != "outcomes"
TOLD_OF_LOCI = expand(
    rules.alleles.output + (rules.traversal.output if MODELS[REPORT_MODEL].kind in ("transformer", "pca") else []),
    cohort=GENOTYPED if HEARTS and STUDY.interpret.loci else [],
    model=REPORT_MODEL,
)
EXPLANATIONS = expand(
    rules.explain.output,
    cohort=TRAIN,
    model=PREDICT_MODEL,
    method=STUDY.interpret.methods if "prevalent" in KINDS else [],
)
