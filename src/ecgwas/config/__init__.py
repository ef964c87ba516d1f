"""Every key of the configuration, once: its type, range, default, unit and meaning."""

from ecgwas.config.base import LEADS, Fraction, Name, Strict
from ecgwas.config.cohort import (
    Cohort,
    EcgSource,
    Expected,
    GenotypeSource,
    Labels,
    Panel,
    PlantedLocus,
    Simulate,
    Spike,
    SpikeEffect,
)
from ecgwas.config.models import Augment, Intervals, Model, Outcomes, Pca, TableModel, Transformer
from ecgwas.config.predict import METHODS, Interpret, Outcome, Predict, Splits
from ecgwas.config.stages import (
    FLAGS,
    SCANNED_INTERVALS,
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
from ecgwas.config.study import Study

__all__ = ["FLAGS", "LEADS", "METHODS", "SCANNED_INTERVALS", "Augment", "Cohort", "EcgSource", "Embed", "Expected", "Exports", "Finemap", "Fraction", "GenotypeSource", "Genotypes", "Gwas", "Hail", "Ingest", "Interpret", "Intervals", "Labels", "Model", "Name", "Outcome", "Outcomes", "Panel", "Pca", "Phenotypes", "PlantedLocus", "Predict", "Release", "Report", "Simulate", "Spike", "SpikeEffect", "Splits", "Step1", "Strict", "Study", "TableModel", "Transformer"]
