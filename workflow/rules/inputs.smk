"""Which results a study has: inputs of its page and its targets, asked for once all rules are known."""

# What the page shows of every model, and of the model it is about.
COMPARED = [tables.LOCI.path, tables.CALIBRATION.path, tables.CREDIBLE_SETS.path]
OF_REPORT_MODEL = [
    tables.TRAITS_EXCLUDED.path,
    tables.RELIABILITY.path,
    tables.TRAITS.path,
    tables.LOCI_ANY_TRAIT.path,
    tables.MULTIPLICITY.path,
    tables.CROSSCHECK.path,
    tables.FINEMAP_VARIANTS.path,
    tables.LD_DIAGNOSTICS.path,
]
KINDS = {outcome.kind for outcome in STUDY.predict.outcomes.values()}
HEARTS = STUDY.ingest.heart and MODELS[REPORT_MODEL].kind != "outcomes"


def signals(wildcards):
    """Named inputs: recordings and signals of the cohort."""
    return JOBS.signals_of(wildcards.cohort)


def page_of_cohorts(wildcards):
    """Who was recorded, genotyped and excluded, and what was found by the models."""
    return [
        *expand(tables.CONSENT.path, cohort=COHORTS),
        *expand([tables.RECORDINGS.path, tables.RECORDINGS_EXCLUDED.path], cohort=COHORTS),
        *expand([tables.SAMPLES.path, tables.VARIANTS.path, tables.GENOTYPES_EXCLUDED.path], cohort=GENOTYPED),
        *expand(COMPARED, cohort=GENOTYPED, model=MODELS),
        *expand([*OF_REPORT_MODEL, *SUMSTATS, TRAIT_TABLE], cohort=GENOTYPED, model=REPORT_MODEL),
        *expand([tables.RECOVERY.path, tables.RECOVERY_SUMMARY.path], cohort=JOBS.planted, model=MODELS),
        *([tables.RECOVERY_OF_STUDY.path] if JOBS.planted else []),
    ]


def page_of_models(wildcards):
    """What was learnt: training, what can be read from embeddings, how unusual recordings are."""
    return [
        *expand(tables.HISTORY.path, model=REPORT_MODEL if MODELS[REPORT_MODEL].kind == "transformer" else []),
        *expand(tables.READOUT.path, model=[name for name, model in MODELS.items() if model.kind != "outcomes"]),
        *expand(tables.OUT_OF_DISTRIBUTION.path, cohort=COHORTS, model=ENCODERS),
    ]


def page_of_predictors(wildcards):
    """Performance of predictors, a bundle of the first network named where there is a licence, explanations."""
    evaluated = rules.evaluate.output if "prevalent" in KINDS else []
    survival = rules.survival.output if "incident" in KINDS else []
    networks = [name for name in STUDY.predict.methods if name not in jobs.NOT_NETWORKS][:1]
    bundled = networks if STUDY.release.licence and "prevalent" in KINDS else []
    explained = STUDY.interpret.methods if "prevalent" in KINDS else []
    return [
        *expand([*evaluated, *survival], model=PREDICT_MODEL),
        *expand(rules.bundle.output, model=PREDICT_MODEL, method=bundled),
        *expand(rules.explain.output, cohort=TRAIN, model=PREDICT_MODEL, method=explained),
    ]


def page_of_loci(wildcards):
    """Beats of the loci of the report's model, and of its axes."""
    moved = rules.traversal.output if REPORT_MODEL in ENCODERS else []
    cohorts = GENOTYPED if HEARTS and STUDY.interpret.loci else []
    return expand([*rules.alleles.output, *moved], cohort=cohorts, model=REPORT_MODEL)


def to_hand_on(wildcards):
    """Files for other tools, and encoders for others."""
    exported = expand(rules.exports.output, cohort=GENOTYPED, model=MODELS) if STUDY.exports.formats else []
    return exported + (expand(rules.release.output, model=ENCODERS) if STUDY.release.licence else [])
