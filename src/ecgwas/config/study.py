"""One study: which cohorts and models, and the settings of each stage."""

from pydantic import Field

from ecgwas.config.base import Name, Strict
from ecgwas.config.predict import Interpret, Predict
from ecgwas.config.stages import (
    Embed,
    Exports,
    Finemap,
    Genotypes,
    Gwas,
    Hail,
    Ingest,
    Phenotypes,
    Release,
    Report,
    Step1,
)


class Study(Strict):
    """One study: which cohorts and models, and the settings of each stage."""

    study: Name = Field(description="Name of the study: results go to results/{study}.")
    seed: int = Field(1, ge=0, description="Seed of everything random.")
    cohorts: list[Name] = Field(min_length=1, description="Cohorts: files of config/cohorts.")
    pretrain: list[Name] = Field([], description="Cohorts whose recordings the models are trained on; empty: all, but with `predict.outcomes` the cohort that is learnt from alone, so that the others are external to the encoder too. Name an external cohort here to train on it all the same.")
    models: list[Name] = Field(min_length=1, description="Models: files of config/models, or `intervals`, `outcomes`.")
    development: bool = Field(False, description="Rerun a stage when its code changes; for people who work on ecgwas.")
    ingest: Ingest = Ingest()
    embed: Embed = Embed()
    phenotypes: Phenotypes = Phenotypes()
    genotypes: Genotypes = Genotypes()
    step1: Step1 = Step1()
    gwas: Gwas = Gwas()
    exports: Exports = Exports()
    release: Release = Release()
    finemap: Finemap = Finemap()
    hail: Hail = Hail()
    predict: Predict = Predict()
    interpret: Interpret = Interpret()
    report: Report = Report()
