"""Settings of the stages, one block each, in the order of the data."""

from pathlib import Path
from typing import Annotated, Literal, get_args

import pydantic
from pydantic import Field

from ecgwas.config.base import LEADS, Fraction, Name, Strict


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


Flag = Literal["af", "paced", "lbbb", "rbbb"]
FLAGS: tuple[str, ...] = get_args(Flag)  # columns of intervals.parquet

# Pattern of traits -> flags of intervals.parquet whose recordings have no value of them: the exclusions of the GWAS of QT
# and JT (Arking 2014; Young 2022), PR and P (Ntalla 2020), QRS (Sotoodehnia 2010) and heart rate (van den Berg 2017).
EXCLUDE: dict[str, list[Flag]] = {
    "qt[c_]*": ["af", "paced", "lbbb", "rbbb"],
    "jt_*": ["af", "paced", "lbbb", "rbbb"],
    "tpeak_*": ["paced", "lbbb", "rbbb"],
    "qrs*": ["paced", "lbbb", "rbbb"],
    "pr_*": ["af", "paced"],
    "p_*": ["af", "paced"],
    "t_axis_deg": ["paced", "lbbb", "rbbb"],
    "[qrstj]*_mv": ["paced", "lbbb", "rbbb"],
    "cornell_*": ["paced", "lbbb", "rbbb"],
    "peguero_*": ["paced", "lbbb", "rbbb"],
    "heart_rate_bpm": ["af", "paced"],
    "rr_*": ["af", "paced"],
    "sd[ns][nd]_ms": ["af", "paced"],
    "rmssd_ms": ["af", "paced"],
    "pnn*": ["af", "paced"],
}


class Phenotypes(Strict):
    """Embeddings to traits."""

    axes: int = Field(16, ge=1, description="Whitened axes kept of an embedding.")
    covariates: list[str] = Field(
        ["age", "age^2", "sex", "age:sex", "bmi"], description="R's formulas, one per entry, of columns of the people table or of the recordings (device, rate_hz, seconds, unit,"
        " n_leads, native_highpass_hz, native_lowpass_hz, rr_ms, recording_year, age_at_recording): age, age^2, age:sex, age*sex,"
        " C(centre), numeric(batch), bs(age, df=4), cr(), poly(), scale(), log(bmi). Text is an indicator per level; whole numbers"
        " of 3 to 100 values other than age, sex and years must be declared C() or numeric(); odd names stand in backticks.",
    )
    exclude: dict[str, list[Flag]] = Field(
        EXCLUDE,
        description="Pattern of traits (qt*) -> flags of recordings (af, paced, lbbb, rbbb) whose value is missing; {} excludes none.",
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
    hwe_dosages: bool = Field(False, description="Test Hardy-Weinberg proportions of imputed variants too, on dosages rounded to calls; rounding alone makes good ones depart.")
    min_info: Fraction = Field(0.3, description="Imputation INFO below: excluded; that of the dosages, and that which the file gives (R2, DR2, INFO, …).")
    filters: Literal["pass", "all"] = Field("pass", description="Variants of a VCF, PGEN or MatrixTable whose FILTER is not PASS: pass excludes them, all keeps them.")
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

    engine: Literal["auto", "torch", "hail"] = Field("auto", description="auto takes torch; both give the same numbers, of 0/1 outcomes by `hail_test`.")
    hail_test: Literal["score", "wald", "lrt", "firth"] = Field("firth", description="Test of 0/1 outcomes by engine hail.")
    dtype: Literal["float32", "float64"] = Field("float32", description="Arithmetic of the torch engine.")
    correction: Literal["firth", "exact-firth", "saddlepoint", "none"] = Field(
        "firth",
        description="0/1 outcomes: what tests again where the score test has p below `correction_p`. firth: penalised likelihood"
        " ratio, covariate effects kept (fast); exact-firth: all coefficients fitted; saddlepoint; none: the score test alone.",
    )
    correction_p: float = Field(0.05, gt=0, le=1, description="Score test p below which `correction` tests again.")
    min_mac: float = Field(20.0, ge=0, description="Minor alleles that the people of a test must have; `genotypes.min_mac` asks the same of everyone genotyped.")
    parts: int = Field(1, ge=1, description="Jobs of the scan, each an equal span of the genome: one chromosome's variants move no other part.")
    block: int = Field(512, ge=1, description="Variants a block.")
    p_threshold: float = Field(5e-8, gt=0, lt=1, description="Significance of a variant in the joint test; in a single trait it is divided by the effective number of traits.")
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

    window_bp: int = Field(250_000, ge=1, description="Margin on both sides of a locus that is fine-mapped with it; loci whose regions overlap are mapped together.")
    max_variants: int = Field(20_000, ge=1, description="Regions of more variants are not fine-mapped; memory grows with their square (20,000: 10 GB, and 16 bytes a variant and person).")
    effects: int = Field(10, ge=1, description="Largest number of causal variants, L.")
    coverage: Fraction = Field(0.95, description="Coverage of the credible sets.")
    min_abs_corr: Fraction = Field(0.5, description="Purity: smallest |r| within a credible set.")
    prior_variance: float = Field(0.2, gt=0, description="Initial scaled prior variance of an effect.")
    estimate_residual_variance: bool = Field(True, description="Estimate the residual variance; LD is in-sample, so it may.")
    max_iterations: int = Field(200, ge=1, description="Iterations of the variational fit.")


class Hail(Strict):
    """Where Hail runs: in the genotypes stage, the cross-check, and the scan where gwas.engine is hail."""

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
