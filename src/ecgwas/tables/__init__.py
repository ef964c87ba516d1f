"""Every file that crosses a rule: where it lies and what it holds, its columns with type, unit and meaning."""

from ecgwas.tables import (
    alleles,
    ecg,
    genetics,
    interpret,
    labels,
    models,
    people,
    predict,
    report,
    simulated,
    survival,
)
from ecgwas.tables.alleles import (
    ALLELE_BEATS,
    ALLELE_TRAITS,
    TRAVERSAL,
)
from ecgwas.tables.base import (
    Array,
    Document,
    Entry,
    Table,
    Writer,
)
from ecgwas.tables.ecg import (
    BEATS,
    ENTRIES,
    INTERVALS,
    QUALITY,
    RECORDINGS,
    RECORDINGS_EXCLUDED,
    SHARD_EXCLUDED,
    SHARD_INTERVALS,
    SHARD_QUALITY,
    SHARD_RECORDINGS,
    STRIPS,
    WINDOW_BEATS,
    WINDOW_RR,
    circular,
)
from ecgwas.tables.genetics import (
    CALIBRATION,
    CONVERTED,
    COVARIATES,
    COVARIATES_CHECK,
    CREDIBLE_SETS,
    CROSSCHECK,
    EXPORTS,
    FINEMAP_VARIANTS,
    GENOTYPES_EXCLUDED,
    KINSHIP,
    LD_DIAGNOSTICS,
    LOCI,
    LOCI_ANY_TRAIT,
    LOCO,
    MANIFEST,
    MULTIPLICITY,
    PCS,
    PRUNED,
    RELIABILITY,
    SAMPLES,
    SCAN_TRAITS,
    STEP1_EXCLUDED,
    SUMSTATS,
    TRAITS,
    TRAITS_EXCLUDED,
    TRANSFORM,
    VARIANTS,
)
from ecgwas.tables.interpret import (
    INTERPRET_ATTRIBUTIONS,
    INTERPRET_BEAT_MAPS,
    INTERPRET_CHECKS,
    INTERPRET_OCCLUSION,
)
from ecgwas.tables.labels import (
    LABELS,
    LABELS_EXCLUDED,
    SCORES,
)
from ecgwas.tables.models import (
    CHECKPOINT,
    EMBEDDING_WINDOWS,
    EMBEDDINGS,
    HISTORY,
    MEASURED,
    MODEL_CARD,
    OUT_OF_DISTRIBUTION,
    READOUT,
    REFERENCE,
    RELEASED_MODEL,
)
from ecgwas.tables.people import (
    CONSENT,
    CONSENT_COUNTS,
    PEOPLE,
)
from ecgwas.tables.predict import (
    BUNDLE,
    PREDICT_DECISION,
    PREDICT_DIFFERENCES,
    PREDICT_PERFORMANCE,
    PREDICT_POPULATION,
    PREDICT_RELIABILITY,
    PREDICT_SUBGROUPS,
    PREDICT_THRESHOLDS,
    PREDICTOR,
)
from ecgwas.tables.report import (
    PAGE,
    PROVENANCE,
    RECOVERY,
    RECOVERY_OF_STUDY,
    RECOVERY_SUMMARY,
)
from ecgwas.tables.simulated import (
    PARAMETERS,
    SIMULATED_ECG,
    SIMULATED_TABLE,
    TRUTH,
)
from ecgwas.tables.survival import (
    SURVIVAL,
    SURVIVAL_CALIBRATION,
    SURVIVAL_CURVES,
    SURVIVAL_HAZARD_RATIOS,
    SURVIVAL_RISKS,
)

DATA_ORDER = (simulated, people, ecg, models, genetics, labels, predict, survival, interpret, alleles, report)


def entries() -> dict[str, Entry]:
    """Every file by the name of its entry, in the order of the data."""
    return {
        name: value for module in DATA_ORDER for name, value in vars(module).items() if isinstance(value, Entry)
    }
