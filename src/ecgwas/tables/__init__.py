"""Schema of every table that crosses a rule boundary: column, type, unit and meaning."""

from ecgwas.tables.alleles import ALLELE_BEATS, ALLELE_TRAITS, TRAVERSAL
from ecgwas.tables.base import Schema, empty, typed
from ecgwas.tables.ecg import (
    EMBEDDING_WINDOWS,
    INTERVALS,
    OUT_OF_DISTRIBUTION,
    QUALITY,
    READOUT,
    RECORDINGS,
    RECORDINGS_EXCLUDED,
    circular,
)
from ecgwas.tables.genetics import (
    CALIBRATION,
    CREDIBLE_SETS,
    FINEMAP_VARIANTS,
    GENOTYPES_EXCLUDED,
    KINSHIP,
    LD_DIAGNOSTICS,
    LOCI,
    LOCI_ANY_TRAIT,
    MULTIPLICITY,
    RELIABILITY,
    SAMPLES,
    SCAN_TRAITS,
    STEP1_EXCLUDED,
    SUMSTATS,
    TRAITS_EXCLUDED,
    VARIANTS,
)
from ecgwas.tables.interpret import (
    INTERPRET_ATTRIBUTIONS,
    INTERPRET_BEAT_MAPS,
    INTERPRET_CHECKS,
    INTERPRET_OCCLUSION,
)
from ecgwas.tables.labels import LABELS, LABELS_EXCLUDED, SCORES
from ecgwas.tables.people import PEOPLE
from ecgwas.tables.predict import (
    PREDICT_DECISION,
    PREDICT_DIFFERENCES,
    PREDICT_PERFORMANCE,
    PREDICT_POPULATION,
    PREDICT_RELIABILITY,
    PREDICT_SUBGROUPS,
    PREDICT_THRESHOLDS,
)
from ecgwas.tables.survival import (
    SURVIVAL,
    SURVIVAL_CALIBRATION,
    SURVIVAL_CURVES,
    SURVIVAL_HAZARD_RATIOS,
    SURVIVAL_RISKS,
)
