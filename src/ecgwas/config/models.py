"""Models: what makes numbers of recordings, one recipe a file."""

from pathlib import Path
from typing import Annotated, Literal

import pydantic
from pydantic import Field

from ecgwas.config.base import Fraction, Name, Strict


class Augment(Strict):
    """Changes to the student's signals in training, so that what is not physiology is no trait."""

    crop: Fraction = Field(0.2, description="Share of the strip cut away at most, from a random start; tokens outside are dropped.")
    noise: float = Field(0.03, ge=0, description="White noise in strips at most, in standard deviations of the lead.")
    wander: float = Field(0.1, ge=0, description="Baseline wander (0.15 to 0.6 Hz) at most, in standard deviations of the lead.")
    lowpass_hz: float = Field(20.0, ge=5, description="Lowest corner of the random low-pass.")
    lowpass: Fraction = Field(0.3, description="Share of recordings that are low-passed.")
    gain: Fraction = Field(0.05, description="Change of gain at most, common to all leads, of student and teacher.")
    lead_drop: Fraction = Field(0.2, description="Share of recordings of which the student sees a reduced set of leads, down to one.")
    unknown_lead: Fraction = Field(0.02, description="Share of recordings of which it sees one lead without its name.")


class Transformer(Strict):
    """A self-supervised encoder of two views, rhythm strip and median beat, and how it is trained."""

    kind: Literal["transformer"] = "transformer"
    backbone: Literal["tokens", "conformer"] = Field(
        "tokens",
        description="Tokens of one lead and one patch in a transformer, absent leads left out; or a convolutional stem over all"
        " leads and a Conformer (ECG-LFM), strip only.",
    )
    objective: Literal["jepa", "mae", "ecg_lfm"] = Field(
        "jepa",
        description="What is learnt: latents of hidden tokens by a teacher that follows the student; the hidden samples; or"
        " quantised contrast and masked codes (ECG-LFM).",
    )
    width: int = Field(128, ge=16, description="Width of a token.")
    depth: int = Field(4, ge=1, description="Encoder blocks.")
    heads: int = Field(4, ge=1, description="Attention heads.")
    decoder_depth: int = Field(1, ge=1, description="Blocks of the predictor of hidden tokens.")
    embedding: int = Field(64, ge=2, description="Width of the embedding of a recording.")
    head_rank: int = Field(64, ge=4, description="Numbers of a token that go into the embedding.")
    strip_patch_s: float = Field(1.0, gt=0, description="Length of a strip patch, s.")
    beat_patch_s: float = Field(0.08, gt=0, description="Length of a median-beat patch, s.")
    mask: Fraction = Field(0.5, description="Share of tokens hidden; of objective ecg_lfm spans by the number of tokens, so that overlaps hide less.")
    targets: int = Field(64, ge=1, description="Hidden tokens predicted a recording, at most.")
    codes: int = Field(1024, ge=2, description="Codes of the quantiser, of objective ecg_lfm.")
    drop_view: Fraction = Field(0.5, description="Share of recordings of a batch with one whole view hidden.")
    readout: float = Field(1.0, ge=0, description="Weight of reading median beat, wave energies and RR from the embedding.")
    covariance: float = Field(0.005, ge=0, description="Weight of the variance and covariance terms, against collapse.")
    same_person: float = Field(0.03, ge=0, description="Weight of the contrast of recordings of a person with those of others; 0 draws no pairs.")
    ema: Fraction = Field(0.99, description="Momentum of the averaged encoder: the teacher, and what is kept in the end.")
    augment: Augment = Augment()
    cohorts: dict[Name, Annotated[float, Field(gt=0)]] = Field({}, description="Share of the recordings drawn from each cohort; empty: by size.")
    start: Path | None = Field(None, description="A trained model (.pt or .safetensors) whose weights training starts from.")
    steps: int = Field(1200, ge=0, description="Training steps; 0 leaves the random initial weights.")
    batch: int = Field(64, ge=1, description="Recordings a step, over all processes.")
    accumulate: int = Field(1, ge=1, description="Parts that a batch is cut into one after the other, to save memory.")
    learning_rate: float = Field(1e-3, gt=0, description="Peak learning rate.")
    warmup: Fraction = Field(0.1, description="Share of the steps with rising learning rate.")
    weight_decay: float = Field(0.05, ge=0, description="AdamW weight decay.")
    clip: float = Field(1.0, gt=0, description="Norm that gradients are clipped to.")
    rank_floor: float = Field(1.5, ge=1, description="Effective rank of the embeddings below which training stops as collapsed.")
    checkpoint_every: int = Field(200, ge=1, description="Steps between states to resume from.")
    compile: Literal["auto", "always", "never"] = Field(
        "auto", description="Compile the transformer's blocks: on a GPU only, always, never. Without a compiler they run uncompiled, with a warning."
    )

    @pydantic.model_validator(mode="after")
    def _fits(self) -> "Transformer":
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} is no multiple of twice heads ({self.heads}); rotary positions need pairs")
        if self.backbone == "conformer" and self.objective != "ecg_lfm":
            raise ValueError("backbone: conformer is trained by objective: ecg_lfm; its convolutions need all tokens in their places")
        if self.batch % self.accumulate:
            raise ValueError(f"batch {self.batch} is no multiple of accumulate {self.accumulate}")
        return self


class Pca(Strict):
    """Principal components of R-aligned median beats and the RR interval: the baseline to beat."""

    kind: Literal["pca"] = "pca"
    components: int = Field(32, ge=1, description="Components kept.")


class Intervals(Strict):
    """The classical traits measured at ingestion."""

    kind: Literal["intervals"] = "intervals"


class Outcomes(Strict):
    """The 0/1 columns of the people table that a cohort names in `outcomes`: logistic regression."""

    kind: Literal["outcomes"] = "outcomes"


class TableModel(Strict):
    """Traits or embeddings made elsewhere: a Parquet or CSV file per cohort."""

    kind: Literal["table"] = "table"
    path: str = Field(description="Path with {cohort} in it: a table of person_id (or recording_id and person_id) and number columns.")
    whiten: bool = Field(False, description="Whiten to axes like an embedding; otherwise each column is a trait.")


Model = Annotated[Transformer | Pca | Intervals | Outcomes | TableModel, Field(discriminator="kind")]
