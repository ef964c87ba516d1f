"""The checked study, and what rules say in one word: settings, hashes of code, lists of files."""

import functools
import json
import os
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from ecgwas import study as _study
from ecgwas import tables
from ecgwas.errors import UserError

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
GENOTYPED = [name for name, cohort in COHORTS.items() if cohort.genotypes]  # the others: pretraining and prediction
SIMULATED = [name for name, cohort in COHORTS.items() if cohort.simulate]
PLANTED = [name for name in SIMULATED if name in GENOTYPED]  # where it can be told which loci were found


def as_json(block):
    """A block of settings as the JSON string that a step's command line takes."""
    return block.model_dump_json() if block is not None else "{}"


def settings(stage):
    """Settings of one stage, as JSON: nothing else of the study, so that only its own keys rerun it."""
    return as_json(getattr(STUDY, stage))


def source(stage):
    """Hash of the code that a stage runs where `development` is set: then an edit reruns the stage."""
    if not STUDY.development or not workflow.is_main_process:  # jobs parse this file again, and record no params
        return ""
    from ecgwas.code import fingerprint

    return fingerprint(stage)


# Part of the command and not of params: where Hail runs changes no number, so that nothing is rerun for it.
HAIL = f"--master {STUDY.hail.master}"


def json_list(paths):
    """Paths as the JSON list that a step's command line takes."""
    return json.dumps([str(path) for path in paths])


def numbered(count):
    """'000', '001', …: names of shards and parts."""
    return [f"{number:03d}" for number in range(count)]


def of_kind(*kinds):
    """Pattern of the models of these kinds; it matches nothing where there is none."""
    return "|".join(name for name, model in MODELS.items() if model.kind in kinds) or "(?!)"


def simulated_as(kind):
    """Pattern of the cohorts simulated in this way; it matches nothing where there is none."""
    return "|".join(name for name in SIMULATED if COHORTS[name].simulate.kind == kind) or "(?!)"


def seed_of(wildcards):
    """Seed of a simulated cohort."""
    own = COHORTS[wildcards.cohort].simulate.seed
    return STUDY.seed if own is None else own


def optional(flag, path):
    """`--flag path`, quoted for the shell, or nothing where there is no path."""
    return f"--{flag} {shlex.quote(str(path))}" if path else ""


def ecg_files(wildcards):
    """What a change of the cohort's recordings shows in: its table, and its folder or array."""
    return of_recordings(COHORTS[wildcards.cohort].ecg)


@functools.cache
def _fingerprint(cohort):
    from ecgwas.ingest.listing import fingerprint

    simulated = COHORTS[cohort].simulate
    return fingerprint(simulated.ecg if simulated else COHORTS[cohort].ecg)


def ecg_fingerprint(wildcards):
    """What changes where a recording is replaced; of a simulated cohort its truth says so.

    Jobs parse this file again and need no fingerprint: only Snakemake's main process records params.
    """
    listed = workflow.is_main_process and not COHORTS[wildcards.cohort].simulate
    return _fingerprint(wildcards.cohort) if listed else ""


def spiked_fingerprint(wildcards):
    """The same of the real recordings that a cohort with planted effects is made of."""
    return _fingerprint(wildcards.cohort) if workflow.is_main_process else ""


def genotype_files(wildcards):
    """The files of the cohort, its reference and panel; a simulated cohort's come with its truth."""
    cohort = COHORTS[wildcards.cohort]
    if cohort.simulate and cohort.simulate.kind == "cohort":
        return tables.TRUTH.of(cohort=wildcards.cohort)
    return cohort.genotypes.files()


def of_recordings(ecg):
    """The files that an ECG source names."""
    return [path for path in (ecg.recordings, ecg.path) if path]


def consent_files(wildcards):
    """Named inputs: the cohort's id bridge and list of withdrawn people, where it has them."""
    cohort = COHORTS[wildcards.cohort]
    return {name: path for name, path in (("bridge", cohort.id_bridge), ("withdrawn", cohort.withdrawn)) if path}


def consent_flags(wildcards):
    """Flags for these files."""
    return " ".join(optional(name, path) for name, path in consent_files(wildcards).items())


def values_of(wildcards):
    """The numbers that become traits: by kind of model, an embedding, the intervals, or the user's table."""
    model = MODELS[wildcards.model]
    if model.kind == "intervals":
        return tables.INTERVALS.of(cohort=wildcards.cohort)
    if model.kind == "outcomes":
        return tables.PEOPLE.of(cohort=wildcards.cohort)
    if model.kind == "table":
        return model.path.format(cohort=wildcards.cohort)
    return tables.EMBEDDINGS.of(cohort=wildcards.cohort, model=wildcards.model)


def consent_of_values(wildcards):
    """The cohort's `consent_files` where the numbers are the user's, who may hold more people than the results."""
    return consent_files(wildcards) if MODELS[wildcards.model].kind == "table" else {}


def whitened(wildcards):
    """Whether the model's numbers are an embedding, whose axes mean nothing by themselves."""
    model = MODELS[wildcards.model]
    return model.whiten if model.kind == "table" else model.kind not in ("intervals", "outcomes")


def outcomes(wildcards):
    """Columns of the people table that are the traits of model `outcomes`, as JSON; none for other models."""
    named = COHORTS[wildcards.cohort].outcomes if MODELS[wildcards.model].kind == "outcomes" else []
    return json.dumps(named)


def lists(wildcards, input):
    """Named inputs as the JSON lists that command lines take."""
    return {name: json_list([files] if isinstance(files, str) else files) for name, files in input.items()}
