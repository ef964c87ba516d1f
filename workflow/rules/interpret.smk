"""Predictors, embeddings and loci -> what of the ECG mattered: for a prediction, along an axis, for each allele."""


rule explain:
    input:
        unpack(signals),
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
    benchmark:
        "benchmarks/{cohort}/interpret/{model}-{method}.tsv"
    wildcard_constraints:
        method=jobs.pattern(STUDY.interpret.methods),
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=memory("explain"),
    params:
        lists=input_lists,
        settings=settings("interpret"),
        seed=STUDY.seed,
        code=code("interpret"),
    shell:
        "python -m ecgwas interpret explain --predictor {input.predictor:q} --recordings {input.recordings:q}"
        " --strips {params.lists[strips]:q} --beats {params.lists[beats]:q} --labels {input.labels:q}"
        " --scores {input.scores:q} --settings {params.settings:q} --seed {params.seed:q} --threads {threads}"
        " --occlusion {output.occlusion:q} --attributions {output.attributions:q} --beat_maps {output.beat_maps:q}"
        " --checks_table {output.checks:q} > {log:q} 2>&1"


rule traversal:
    input:
        unpack(signals),
        checkpoint=tables.CHECKPOINT.path,
        embeddings=tables.EMBEDDINGS.path,
        traits=tables.TRAITS.path,
    output:
        tables.TRAVERSAL.path,
    log:
        "logs/{cohort}/interpret/{model}-traversal.log",
    benchmark:
        "benchmarks/{cohort}/interpret/{model}-traversal.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=memory("traversal"),
    params:
        lists=input_lists,
        code=code("interpret"),
    shell:
        "python -m ecgwas interpret traversal --checkpoint {input.checkpoint:q} --embeddings {input.embeddings:q}"
        " --traits {input.traits:q} --recordings {input.recordings:q} --beats {params.lists[beats]:q}"
        " --traversal {output:q} > {log:q} 2>&1"


rule alleles:
    input:
        unpack(signals),
        **GENOTYPES,
        **TRAITS,
        loci=tables.LOCI.path,
        intervals=tables.INTERVALS.path,
    output:
        beats=tables.ALLELE_BEATS.path,
        traits=tables.ALLELE_TRAITS.path,
    log:
        "logs/{cohort}/interpret/{model}-alleles.log",
    benchmark:
        "benchmarks/{cohort}/interpret/{model}-alleles.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=memory("alleles"),
    params:
        lists=input_lists,
        settings=settings("interpret"),
        ingest=settings("ingest"),
        seed=STUDY.seed,
        code=code("interpret"),
    shell:
        "python -m ecgwas interpret alleles --loci {input.loci:q} --recordings {input.recordings:q}"
        " --beats {params.lists[beats]:q} --intervals {input.intervals:q} --manifest {input.manifest:q}"
        " --variants {input.variants:q} --samples {input.samples:q} --traits {input.traits:q} --covariates {input.covariates:q}"
        " --settings {params.settings:q} --ingest {params.ingest:q} --seed {params.seed:q}"
        " --allele_beats {output.beats:q} --allele_traits {output.traits:q} > {log:q} 2>&1"
