"""Every key of the configuration, once: its type, range, default, unit and meaning."""

from pathlib import Path
from typing import Annotated, Literal

import pydantic
from pydantic import Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


class Strict(pydantic.BaseModel):
    """A block of keys: unknown keys are errors, values do not change after reading."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


# ---------------------------------------------------------------------------------------------- one cohort


class EcgSource(Strict):
    """Where the ECG files of a cohort are and how to read them."""

    format: Literal["wfdb", "array", "cardiosoft", "muse", "philips", "aecg", "dicom", "scp", "code15", "edf", "files"] = Field(
        "wfdb",
        description="File format: WFDB records; one packed array; XML of GE CardioSoft (UK Biobank field 20205), GE MUSE,"
        " Philips Sierra or HL7 aECG; DICOM waveforms; SCP-ECG; CODE-15 (HDF5, or split into .mat); EDF; files of one array each"
        " (.csv, .npy, .parquet, .mat).",
    )
    path: Path = Field(description="Folder of the files, or one .npy or .npy.xz array [recording, lead, sample].")
    recordings: Path | None = Field(
        None,
        description="CSV or Parquet with recording_id and person_id, and path (below `path`; WFDB records without suffix, CODE-15"
        " the HDF5 file); row order for an array. Without it the folder is listed and person_id is the file's name up to '_'.",
    )
    recording_column: str = Field("recording_id", description="Column of `recordings` that names the recording.")
    person_column: str = Field("person_id", description="Column of `recordings` that names the person.")
    path_column: str = Field("path", description="Column of `recordings` that names the file.")
    leads: list[str] = Field(list(LEADS), description="Lead order of arrays; other files name their own.")
    rate_hz: float | None = Field(None, gt=0, description="Sampling rate of arrays that do not give it, Hz.")
    microvolts_per_count: float | None = Field(None, gt=0, description="Size of one count of arrays, microvolts.")
    unit: Literal["mV", "uV", "sd", "unknown"] | None = Field(
        None, description="Unit of the samples whatever the files say; sd: z-scored, so that amplitudes and sums of leads mean nothing."
    )


class Panel(Strict):
    """People of known ancestry, onto whose principal components a cohort is projected."""

    paths: list[Path] = Field(min_length=1, description="PLINK .bed files of the panel, in the cohort's build.")
    labels: Path = Field(description="Table (.csv; .tsv, .txt and .panel by tabs) that names each person's group.")
    sample_column: str = Field("sample", description="Column of `labels` with the sample id.")
    group_column: str = Field("super_pop", description="Column of `labels` with the group.")
    components: int = Field(6, ge=1, description="Principal components of the panel used.")
    neighbours: int = Field(20, ge=1, description="Nearest people of the panel that vote.")
    min_share: Fraction = Field(0.8, description="Share of the votes below which no ancestry is given.")


class GenotypeSource(Strict):
    """Where the genotypes of a cohort are."""

    format: Literal["plink", "pgen", "vcf", "bgen", "mt"] = Field(
        "plink", description="PLINK 1 .bed, PLINK 2 .pgen, VCF (.vcf.gz, .vcf.bgz), BGEN 1.2 (8 bits) or Hail MatrixTable."
    )
    paths: list[Path] = Field(min_length=1, description="The .bed, .pgen, VCF, BGEN or .mt files, in any order; contigs must not repeat.")
    sample_file: Path | None = Field(None, description="The .sample file of BGEN files.")
    build: Literal["GRCh37", "GRCh38"] = Field(description="Reference genome of the positions.")
    fasta: Path | None = Field(
        None,
        description="FASTA of that genome with its .fai: REF is checked against it and swapped alleles turned, indels are left-aligned.",
    )
    panel: Panel | None = Field(None, description="Reference panel with labels, to name each person's ancestry by.")


class PlantedLocus(Strict):
    """One causal variant of a simulated cohort."""

    parameter: str = Field(description="The ECG parameter it changes.")
    variance_explained: Fraction = Field(description="Share of the parameter's variance it explains.")
    maf: Annotated[float, Field(gt=0, le=0.5)] = Field(description="Minor allele frequency aimed at.")


class Simulate(Strict):
    """A simulated cohort: written as WFDB and genotype files, then read like any other."""

    kind: Literal["cohort"] = "cohort"
    people: int = Field(3000, ge=50, description="People with an ECG and genotypes, relatives and bad samples included.")
    sparse_variants: int = Field(9600, ge=230, description="Common variants outside the dense blocks, over 22 autosomes and X.")
    dense_variants: int = Field(1500, ge=50, description="Variants in the 0.5-Mb block around each planted variant.")
    chromosome_mb: float = Field(5.0, ge=5, description="Length simulated of each chromosome, Mb.")
    loci: list[PlantedLocus] = Field([], description="The planted loci, one chromosome each, from chromosome 1 on.")
    polygenic_chromosomes: list[int] = Field(list(range(1, 11)), description="Autosomes with polygenic background; the rest are null.")
    polygenic_variance: Fraction = Field(0.15, description="Share of each parameter's variance from the polygenic background.")
    population_variance: Fraction = Field(0.05, description="Share of each parameter's variance from the stratified offset.")
    second_recording: Fraction = Field(0.2, description="Share of people with a second recording.")
    relatives: Fraction = Field(0.06, description="Share of people added as duplicates, siblings or children by gene-dropping.")
    missing_calls: Fraction = Field(0.002, description="Share of genotype calls set missing.")
    genotype_format: Literal["plink", "vcf", "bgen"] = Field("plink", description="Format the genotypes are written in.")
    rate_hz: int = Field(500, description="Sampling rate of the recordings, Hz.")
    seconds: float = Field(10.0, description="Length of the recordings, s.")


class SpikeEffect(Strict):
    """A planted effect of one real variant on one property of real recordings."""

    parameter: Literal["qt", "t_amplitude", "pr"] = Field(description="What is changed: stretch QT, scale T, lengthen PR.")
    variance_explained: Fraction = Field(description="Share of the altered parameter's variance it explains.")
    variant: str | None = Field(None, description="rsID; without it a common variant is drawn, one per chromosome.")


class Spike(Strict):
    """A copy of a real ECG cohort, joined to genotypes at random and altered by planted effects."""

    kind: Literal["spike"] = "spike"
    ecg: EcgSource = Field(description="The real recordings.")
    genotypes: GenotypeSource = Field(description="The real genotypes.")
    labels: Path | None = Field(None, description="Table with columns sample, super_pop and gender of the genotyped people.")
    effects: list[SpikeEffect] = Field([], description="Planted variants; empty leaves a null.")
    population_variance: Fraction = Field(0.0, description="Share of each altered parameter's variance that lies between super-populations; without effects, of QT, PR and T amplitude.")


class Cohort(Strict):
    """One cohort: where its ECGs, people and genotypes are. Relative paths start at the project's folder."""

    cohort: Name = Field(description="Name of the cohort, used in paths.")
    description: str = Field("", description="One sentence for the report.")
    simulate: Annotated[Simulate | Spike, Field(discriminator="kind")] | None = Field(
        None, description="Make the cohort's files first; `ecg`, `people` and `genotypes` are then filled in."
    )
    ecg: EcgSource | None = Field(None, description="The recordings.")
    outcomes: list[str] = Field(
        [], description="Columns of `people` coded 0/1 (or false/true; empty: unknown) that model `outcomes` tests."
    )
    people: Path | None = Field(None, description="CSV or Parquet: person_id, sex (female, male), and covariates such as age, bmi.")
    genotypes: GenotypeSource | None = Field(None, description="The genotypes.")
    id_bridge: Path | None = Field(None, description="CSV with person_id, sample_id where the two differ.")
    withdrawn: Path | None = Field(None, description="One person_id or sample_id a line: people who withdrew consent.")


# ------------------------------------------------------------------------------------------------ stages


class Ingest(Strict):
    """Raw files to clean signals."""

    model_rate_hz: float = Field(100.0, gt=20, description="Rate of the stored rhythm strips, Hz.")
    seconds: float = Field(10.0, ge=2.5, description="Length of the shortest stored rhythm strips and of a model's window, s; shorter ones are padded as missing.")
    doublings: int = Field(0, ge=0, le=12, description="Longer recordings are stored in buckets of twice, four times, … `seconds`, so many; beyond the last their beginning is kept.")
    highpass_hz: float = Field(0.5, gt=0, description="Zero-phase high-pass corner, Hz.")
    lowpass_hz: float = Field(40.0, gt=0, description="Zero-phase low-pass corner of the strips, Hz.")
    beat_rate_hz: float = Field(250.0, gt=50, description="Rate of the stored median beats, Hz.")
    beat_before_s: float = Field(0.32, gt=0, description="Median beat: seconds before the R peak.")
    beat_after_s: float = Field(0.56, gt=0, description="Median beat: seconds after the R peak.")
    shards: int = Field(2, ge=1, description="Number of jobs and of signal shards a cohort is cut into.")
    min_leads: int = Field(8, ge=1, description="Recordings with fewer usable leads are excluded.")
    duplicates: Literal["first", "all"] = Field(
        "first", description="Recordings of the same samples in a cohort: keep the first by id, or all."
    )
    montage: Name | None = Field(None, description="File of config/montages with keys of this block for another kind of signal.")
    channels: list[str] = Field(list(LEADS), min_length=1, description="Channels stored, by name and in this order.")
    derive_limb_leads: bool = Field(True, description="Make absent limb leads from I and II; needs the twelve leads of an ECG.")
    microvolts_per_count: float = Field(1.0, gt=0, description="Size of a stored count, µV; other than 1 only with heart: false (EEG has tens of µV).")
    heart: bool = Field(True, description="Look for heart beats; false for signals such as EEG and EMG, stored without beats and intervals.")

    @pydantic.model_validator(mode="after")
    def _twelve_leads(self) -> "Ingest":
        """An ECG is stored as the twelve leads; fewer leads of a file are missing rows."""
        if self.heart and (tuple(self.channels) != LEADS or not self.derive_limb_leads):
            raise ValueError("with heart: true the channels are the twelve leads, limb leads derived; write heart: false")
        if self.heart and self.microvolts_per_count != 1:
            raise ValueError("with heart: true signals are stored in counts of 1 µV; leave microvolts_per_count out")
        if self.min_leads > len(self.channels):
            raise ValueError(f"min_leads {self.min_leads} is more than the {len(self.channels)} channels")
        return self

    @property
    def longest_s(self) -> float:
        """What is stored of a recording at most, s."""
        return self.seconds * 2**self.doublings

    @property
    def buckets(self) -> list[str]:
        """What stands in the file names of the buckets of strips, the shortest first: nothing, -2x, -4x, …"""
        return ["", *(f"-{2**k}x" for k in range(1, self.doublings + 1))]

    @property
    def beat_files(self) -> list[str]:
        """What stands in the file names of beats: beat, and for windows of longer buckets beat-2x, rr-2x, beat-4x, …"""
        return ["beat", *(f"{kind}{bucket}" for bucket in self.buckets[1:] for kind in ("beat", "rr"))]


class Embed(Strict):
    """Signals to embeddings."""

    batch: int = Field(64, ge=1, description="Recordings a batch; does not change the numbers.")
    layers: list[Annotated[int, Field(ge=1)]] = Field(
        [], description="Blocks, the first is 1, whose tokens' mean is written, one after the other; empty: the trained embedding."
    )


# Of the classical measurements, those that are scanned unless the study says otherwise.
SCANNED_INTERVALS = [
    "heart_rate_bpm", "rr_sd_ms", "p_duration_ms", "pr_ms", "qrs_ms", "qt_ms", "qtc_bazett_ms", "qtc_fridericia_ms",
    "p_axis_deg", "qrs_axis_deg", "t_axis_deg", "p_frontal_mv", "r_frontal_mv", "t_frontal_mv",
    *(f"{wave}_{lead}_mv" for lead in ("i", "ii", "v1", "v2", "v5") for wave in "prst"),
    "sokolov_mv", "cornell_mv",
]  # fmt: skip


class Phenotypes(Strict):
    """Embeddings to traits."""

    axes: int = Field(16, ge=1, description="Whitened axes kept of an embedding.")
    covariates: list[str] = Field(
        ["age", "age^2", "sex", "age:sex", "bmi"], description="Columns of the people table, squares (a^2) and products (a:b)."
    )
    pcs: int = Field(10, ge=0, description="Genetic principal components among the covariates.")
    rank_normalise: bool = Field(True, description="Inverse-normal transform of the residuals.")
    axes_by: Literal["variance", "repeatability"] = Field(
        "variance", description="Axes with most variance, or those most alike in two recordings of a person (needs people with two)."
    )
    intervals: list[str] | Literal["all"] = Field(
        SCANNED_INTERVALS,
        description="Columns of intervals.parquet that model `intervals` takes as traits; all: every number but machine_*.",
    )
    relatives: Literal["drop", "keep"] = Field(
        "drop", description="Scan the largest unrelated set; or everyone, less leave-one-chromosome-out predictions (`step1`)."
    )
    min_people: int = Field(50, ge=10, description="Fewer people with trait, covariates and genotypes stop the run.")
    min_cases: int = Field(50, ge=1, description="Outcomes with fewer cases, or fewer controls, are set aside.")


class Genotypes(Strict):
    """Quality control of genotypes."""

    sample_call_rate: Fraction = Field(0.97, description="Samples below are excluded.")
    heterozygosity_sd: float = Field(5.0, gt=0, description="Samples farther than this many SD (robust, within ancestry) are excluded.")
    sex_f_female: float = Field(0.3, description="X inbreeding F below: female.")
    sex_f_male: float = Field(0.8, description="X inbreeding F above: male.")
    variant_call_rate: Fraction = Field(0.97, description="Variants below are excluded.")
    min_mac: int = Field(20, ge=1, description="Minor allele count below: excluded.")
    hwe_p: Fraction = Field(1e-10, description="Hardy-Weinberg p below (unrelated, within ancestry): excluded.")
    min_info: Fraction = Field(0.3, description="Imputation INFO below: excluded (dosages only).")
    prune_r2: Fraction = Field(0.1, description="LD above which one of a pair leaves the set for kinship and PCs.")
    prune_window_bp: int = Field(500_000, ge=1, description="Window of the pruning, base pairs.")
    prune_min_maf: Fraction = Field(0.05, description="Minor allele frequency below: not used for kinship and PCs.")
    pcs: int = Field(20, ge=1, description="Principal components computed.")
    kinship_threshold: float = Field(0.0442, gt=0, lt=0.5, description="Pairs above are related (0.0442: third degree).")
    duplicate_threshold: float = Field(0.354, gt=0, lt=0.5, description="Pairs above are duplicates or twins.")


class Step1(Strict):
    """Whole-genome ridge regression before the scan, where relatives are kept; defaults are REGENIE's."""

    block: int = Field(1000, ge=1, description="Variants a block; a block lies on one chromosome.")
    folds: int = Field(5, ge=2, description="Folds of people; both levels predict a fold from the others.")
    min_maf: Fraction = Field(0.01, description="Autosomal variants with a smaller minor allele frequency are not used.")
    min_mac: int = Field(100, ge=1, description="Nor those with a smaller minor allele count.")
    pruned: bool = Field(False, description="Use the LD-pruned variants only: for cohorts with millions of imputed ones.")
    dtype: Literal["float32", "float64"] = Field("float32", description="Arithmetic.")
    memory_mb: int = Field(4000, ge=100, description="Memory the predictors may take; more traits than fit are done in passes.")


class Gwas(Strict):
    """Association."""

    engine: Literal["auto", "torch", "hail"] = Field("auto", description="auto takes torch; both give the same numbers.")
    dtype: Literal["float32", "float64"] = Field("float32", description="Arithmetic of the torch engine.")
    correction: Literal["firth", "exact-firth", "saddlepoint", "none"] = Field(
        "firth",
        description="0/1 outcomes: what tests again where the score test has p below `correction_p`. firth: penalised likelihood"
        " ratio, covariate effects kept (fast); exact-firth: all coefficients fitted; saddlepoint; none: the score test alone.",
    )
    correction_p: float = Field(0.05, gt=0, le=1, description="Score test p below which `correction` tests again.")
    parts: int = Field(1, ge=1, description="Jobs of the scan, each an equal span of the genome: one chromosome's variants move no other part.")
    block: int = Field(512, ge=1, description="Variants a block.")
    p_threshold: float = Field(5e-8, gt=0, lt=1, description="Genome-wide significance.")
    locus_window_bp: int = Field(500_000, ge=1, description="Hits nearer than this to a lead belong to its locus.")
    locus_r2: Fraction = Field(0.1, description="Hits in LD above this with a lead belong to its locus.")
    permutations: int = Field(200, ge=0, description="Permutations for the interval of the genomic control factor.")
    null_chromosomes: list[str] = Field([], description="Also report calibration on these contigs alone.")


class Exports(Strict):
    """Sumstats in formats of other tools, one file a trait, below gwas/{model}/exports."""

    formats: list[Literal["gwas-ssf", "pheweb", "ldsc", "regenie"]] = Field(
        [], description="Formats to write: block-gzipped, and indexed by tabix where sorted by position."
    )
    metadata: dict[str, str | list[str]] = Field(
        {}, description="Further fields of the GWAS-SSF metadata files: date_metadata_last_modified, genotyping_technology, …"
    )


class Release(Strict):
    """Trained models in a form for others, below models/{model}/release: safetensors and a model card."""

    licence: str | None = Field(None, description="Licence of the weights (SPDX id), as the training recordings allow; set, models are released.")


class Finemap(Strict):
    """Fine-mapping."""

    window_bp: int = Field(250_000, ge=1, description="Variants within this distance of the lead are fine-mapped.")
    effects: int = Field(10, ge=1, description="Largest number of causal variants, L.")
    coverage: Fraction = Field(0.95, description="Coverage of the credible sets.")
    min_abs_corr: Fraction = Field(0.5, description="Purity: smallest |r| within a credible set.")
    prior_variance: float = Field(0.2, gt=0, description="Initial scaled prior variance of an effect.")
    estimate_residual_variance: bool = Field(True, description="Estimate the residual variance; LD is in-sample, so it may.")
    max_iterations: int = Field(200, ge=1, description="Iterations of the variational fit.")


class Hail(Strict):
    """Where Hail runs: in the genotypes stage and the cross-check."""

    master: str = Field(
        "local",
        pattern=r"^(local|spark://[^\s/:]+:\d+)$",
        description="local: in the job itself; spark://host:port: on that standalone Spark 3.5 cluster, whose workers see the"
        " project's folder, the genotypes and this Python environment at the same paths.",
    )


class Report(Strict):
    """The page."""

    model: Name | None = Field(None, description="The model the page is about; the first of `models` by default.")
    title: str = Field("ecgwas", description="Title of the page.")
    genes: Path | None = Field(
        None,
        description="TSV of genes in the cohorts' build: GENE_CHROMOSOME, GENE_START, GENE_END, GENE_NAME; names the nearest gene.",
    )
    labels: dict[Name, str] = Field({}, description="Plain name of a model, by model; its own name without one.")
    regions: int = Field(50, ge=0, description="Regional plots drawn a cohort, strongest loci first; the tables hold every locus.")


# ------------------------------------------------------------------------------------------------ models


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


class Study(Strict):
    """One study: which cohorts and models, and the settings of each stage."""

    study: Name = Field(description="Name of the study: results go to results/{study}.")
    seed: int = Field(1, ge=0, description="Seed of everything random.")
    cohorts: list[Name] = Field(min_length=1, description="Cohorts: files of config/cohorts.")
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
    report: Report = Report()
