"""The checked study, and the words of rules: what jobs are given (`ecgwas.jobs`), and patterns of paths they share."""

import json
from pathlib import Path

from snakemake.exceptions import WorkflowError

from ecgwas import command_lines, jobs, tables
from ecgwas import study as _study
from ecgwas.errors import UserError
from ecgwas.memory import Memory
from ecgwas.command_lines import analysed, input_lists, output_lists

try:
    CHECKED = _study.check(dict(config), Path(workflow.basedir))
except UserError as error:
    raise WorkflowError(f"error: {error}") from None

# Threads that wait must not spin: on cores shared with other work, spinning made training six times slower.
shell.prefix("export OMP_WAIT_POLICY=passive; ")

STUDY = CHECKED.settings
COHORTS = CHECKED.cohorts
MODELS = CHECKED.models
REPORT_MODEL = CHECKED.report_model
PREDICT_MODEL, TRAIN = CHECKED.predict_model, CHECKED.predict_train

JOBS = jobs.Jobs(CHECKED, planning=workflow.is_main_process)  # jobs read this file again, and record no params
GENOTYPED = JOBS.genotyped
ENCODERS = JOBS.models_of(*jobs.ENCODERS)
FITTED = jobs.fitted(STUDY.predict)
SHARDS = jobs.numbered(STUDY.ingest.shards)
settings, code = JOBS.settings, JOBS.code
memory = Memory(CHECKED, Path(workflow.basedir, "workflow", "resources.yaml"))

GENOTYPES = dict(
    manifest=tables.MANIFEST.path,
    variants=tables.VARIANTS.path,
    samples=tables.SAMPLES.path,
)
TRAITS = dict(
    traits=tables.TRAITS.path,
    covariates=tables.COVARIATES.path,
)
SUMSTATS = expand(tables.SUMSTATS.path, part=jobs.numbered(STUDY.gwas.parts), allow_missing=True)
TRAIT_TABLE = tables.SCAN_TRAITS.of(part="000")
# Where relatives are kept, every step that uses the traits takes the predictions of step 1 away.
LOCO = tables.LOCO.path if STUDY.phenotypes.relatives == "keep" else []
