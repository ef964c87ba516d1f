"""Trained encoders, the embeddings that they give, and what the embeddings hold."""

from ecgwas.tables.base import Array, Document, Table

CHECKPOINT = Document("models/{model}/checkpoint.pt", "A trained encoder: kind, settings, weights, statistics of the training recordings, leads, seed.")

HISTORY = Table("models/{model}/history.parquet", {
    "step": ("Int32", "Training step, from 0."),
    "loss": ("Float64", "The loss minimised: the weighted sum of the parts."),
    "learning_rate": ("Float64", "Learning rate of the step."),
    "effective_rank": ("Float64", "Effective rank of the batch's embeddings; null between the steps at which it is measured."),
    "recordings_per_s": ("Float64", "Recordings per second since the last row with a value, over all processes."),
    "gflops_per_s": ("Float64", "Matrix products executed per second since that row, 10⁹ operations, over all processes; null for ecg_lfm."),
    "flops_share": ("Float64", "The same, relative to the rate of large matrix products on these devices in the same precision."),
    "peak_memory_mb": ("Float64", "Peak memory so far, of the device on a GPU, of the process on a CPU, MB."),
}, further={
    "loss_{part}": ("Float64", "A part of the loss, which is the objective's; these stand after loss."),
})
MEASURED = ("recordings_per_s", "gflops_per_s", "flops_share", "peak_memory_mb")  # of HISTORY: no two runs agree on them

RELEASED_MODEL = Document("models/{model}/release/model.safetensors", "The encoder's weights for others, its settings in the header.")
MODEL_CARD = Document("models/{model}/release/README.md", "Model card: licence, training data, use, limits, hash.")

EMBEDDINGS = Table("cohorts/{cohort}/embeddings/{model}.parquet", {
    "recording_id": ("String", "Recording, in the order of the recordings table; those that cannot be embedded have no row."),
    "person_id": ("String", "Its person."),
}, further={
    "e{axis}": ("Float32", "An axis of the embedding: e0000, e0001, …; of several windows the mean."),
})

EMBEDDING_WINDOWS = Table("cohorts/{cohort}/embeddings/{model}.windows.parquet", {
    "recording_id": ("String", "Recording, in the order of the embeddings."),
    "person_id": ("String", "Its person."),
    "windows": ("Int32", "Windows of ingest.seconds averaged in the embedding; those that cannot be embedded are not counted."),
}, further={
    "s{axis}": ("Float32", "SD over these windows (n - 1) of an axis: s0000 of e0000, …; null with one window."),
})

REFERENCE = Array("models/{model}/reference.npz", {
    "mean": ("float64", "axis", "Mean embedding of the training recordings."),
    "whitening": ("float64", "axis, direction", "(z - mean) @ whitening has covariance 1."),
    "quantiles": ("float64", "level", "Quantiles of the squared distance of training recordings."),
    "levels": ("float64", "level", "Levels of the quantiles, 0 to 1."),
})

READOUT = Table("embeddings/readout/{model}.parquet", {
    "model": ("String", "The model that is probed."),
    "cohort": ("String", "A cohort, or all: every cohort together."),
    "quantity": ("String", "Quantity predicted: a measurement; repeatability; cohort, or a column of the recordings table."),
    "kind": ("String", "wanted (physiology), or unwanted (source, device, bandwidth)."),
    "score": ("String", "R2 (chance 0), AUROC (macro, one class against the rest; chance 0.5), or ICC (median of the leading axes)."),
    "value": ("Float64", "Cross-validated score, people held out by folds; null where it cannot be estimated."),
    "low": ("Float64", "Lower end of the 95 % bootstrap interval, people resampled."),
    "high": ("Float64", "Upper end."),
    "n": ("Int32", "Recordings."),
    "n_people": ("Int32", "People; of repeatability, people with several recordings."),
    "n_classes": ("Int32", "Classes with enough people; null for a measurement."),
    "reason": ("String", "Why the score is null."),
})

OUT_OF_DISTRIBUTION = Table("cohorts/{cohort}/embeddings/{model}.ood.parquet", {
    "recording_id": ("String", "Opaque id of the recording."),
    "person_id": ("String", "Opaque id of the person."),
    "distance": ("Float64", "Squared Mahalanobis distance from the embeddings of the training recordings, divided by the dimension: about 1 for a training recording."),
    "percentile": ("Float64", "Percentage of training recordings at a smaller distance, 0 to 100."),
})
