"""Labels, embeddings and signals -> predictors of diseases, their scores in every cohort, and what these are worth."""

PREDICT = STUDY.predict
PREVALENT = [name for name, outcome in PREDICT.outcomes.items() if outcome.kind == "prevalent"]
PREDICT_MODEL, TRAIN = CHECKED.predict_model, CHECKED.predict_train
# A predictor is named by its method, and by share and draw of the labels where it learns from few.
FITTED = [
    *PREDICT.methods,
    *(
        f"{method}-{round(100 * share):03d}-{draw}"
        for method in PREDICT.methods
        for share in PREDICT.label_shares
        for draw in range(PREDICT.label_draws)
    ),
]


def signals_of(cohort):
    """Named inputs: the recordings and signals of one cohort."""
    return {name: [f for f in files if f.split("/")[1] == cohort] for name, files in ALL_SIGNALS.items()}


rule fit_predictor:
    input:
        **signals_of(TRAIN),
        checkpoint="models/{model}/checkpoint.pt",
        labels=f"cohorts/{TRAIN}/predict/labels.parquet",
        intervals=f"cohorts/{TRAIN}/ecg/intervals.parquet",
    output:
        "predict/{model}/{fitted}.pt",
    log:
        "logs/predict/{model}-{fitted}.log",
    benchmark:
        "benchmarks/predict/{model}-{fitted}.tsv"
    wildcard_constraints:
        fitted="|".join(FITTED),
    conda:
        "../../envs/torch.yaml"
    params:
        lists=lists,
        method=lambda wildcards: wildcards.fitted.split("-")[0],
        share=lambda wildcards: int((wildcards.fitted.split("-") + ["100"])[1]) / 100,
        draw=lambda wildcards: (wildcards.fitted.split("-") + ["100", "0"])[2],
        settings=settings("predict"),
        seed=STUDY.seed,
        resume="predict/{model}/{fitted}-resume",
        code=source("predict"),
    shell:
        "python -m ecgwas.predict.fit --method {params.method} --checkpoint {input.checkpoint}"
        " --recordings {input.recordings} --strips {params.lists[strips]:q} --beats {params.lists[beats]:q}"
        " --labels {input.labels} --intervals {input.intervals} --settings {params.settings:q} --seed {params.seed}"
        " --label_share {params.share} --label_draw {params.draw} --threads {threads} --resume {params.resume}"
        " --predictor {output} > {log} 2>&1"
