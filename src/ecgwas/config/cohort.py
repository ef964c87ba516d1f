"""One cohort: where its ECGs, people, genotypes and outcomes are, or how it is simulated."""

from pathlib import Path
from typing import Annotated, Literal

import pydantic
from pydantic import Field

from ecgwas.config.base import Fraction, Name, Strict


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
    leads: list[str] | None = Field(
        None, min_length=1, description="Names of the channels in the order of the files, in place of the files' own; of arrays without names I, II, III, aVR, aVL, aVF, V1 to V6 by default."
    )
    rate_hz: float | None = Field(None, gt=0, description="Sampling rate, Hz, of formats array and files; the others give it.")
    microvolts_per_count: float | None = Field(None, gt=0, description="Size of one count, microvolts, of formats array and files; the others give it.")
    unit: Literal["mV", "uV", "sd", "unknown"] | None = Field(
        None, description="Unit of the samples whatever the files say; sd: z-scored, so that amplitudes and sums of leads mean nothing."
    )

    @pydantic.model_validator(mode="after")
    def _keys_of_the_format(self) -> "EcgSource":
        """A key that the format's files decide is refused, not ignored."""
        for key in ("rate_hz", "microvolts_per_count"):
            if getattr(self, key) is not None and self.format not in ("array", "files"):
                raise ValueError(f"{key} is for the formats array and files; files of format {self.format} give their own, so leave it out")
        if self.microvolts_per_count is not None and self.unit not in (None, "uV"):
            raise ValueError(f"microvolts_per_count and unit {self.unit} contradict each other; give one of them")
        return self


SIBLINGS = {".bed": (".bim", ".fam"), ".pgen": (".pvar", ".pvar.zst", ".psam")}


def with_siblings(paths: list[Path]) -> list[Path]:
    """`paths` and the files beside them that say what is in them, where they are there."""
    return [*paths, *(p.with_suffix(s) for p in paths for s in SIBLINGS.get(p.suffix, ()) if p.with_suffix(s).exists())]


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
        "plink", description="PLINK 1 .bed; PLINK 2 .pgen; VCF (.vcf.gz, .vcf.bgz) and Hail MatrixTable with DS, else HDS, GP, GT; BGEN 1.1 to 1.3."
    )
    paths: list[Path] = Field(min_length=1, description="The .bed, .pgen, VCF, BGEN or .mt files, in any order; contigs must not repeat.")
    sample_file: Path | None = Field(None, description="The .sample file of BGEN files; without it the ids that they hold themselves.")
    build: Literal["GRCh37", "GRCh38"] = Field(description="Reference genome of the positions.")
    fasta: Path | None = Field(
        None,
        description="FASTA of that genome with its .fai: REF is checked against it and swapped alleles turned, indels are left-aligned.",
    )
    panel: Panel | None = Field(None, description="Reference panel with labels, to name each person's ancestry by.")

    def indices(self) -> list[Path]:
        """The index of the FASTA; two where it is compressed."""
        if self.fasta is None:
            return []
        return [Path(f"{self.fasta}{end}") for end in (".fai", *((".gzi",) if self.fasta.suffix == ".gz" else ()))]

    def files(self) -> list[Path]:
        """Every file that a change of the genotypes' quality control can come from."""
        panel = [*with_siblings(self.panel.paths), self.panel.labels] if self.panel else []
        named = [path for path in (self.sample_file, self.fasta) if path is not None]
        return [*with_siblings(self.paths), *named, *self.indices(), *panel]


class PlantedLocus(Strict):
    """One causal variant of a simulated cohort."""

    parameter: str = Field(description="The ECG parameter it changes.")
    variance_explained: Fraction = Field(description="Share of the parameter's variance it explains.")
    maf: Annotated[float, Field(gt=0, le=0.5)] = Field(description="Minor allele frequency aimed at.")


class Simulate(Strict):
    """A simulated cohort: written as WFDB and genotype files, then read like any other."""

    kind: Literal["cohort"] = "cohort"
    seed: int | None = Field(None, ge=0, description="Seed of this cohort, the study's by default: two cohorts simulated alike with one seed hold the same people.")
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
    genotype_format: Literal["plink", "vcf", "bgen", "none"] = Field("plink", description="Format the genotypes are written in; none: not at all, the cohort enters pretraining and prediction only.")
    rate_hz: int = Field(500, description="Sampling rate of the recordings, Hz.")
    seconds: float = Field(10.0, description="Length of the recordings, s.")
    device: Literal["a", "b"] = Field("a", description="Recorder: a, or b with a narrow band (25 Hz), 3 % more gain, 60-Hz mains and more noise.")


class SpikeEffect(Strict):
    """A planted effect of one real variant on one property of real recordings."""

    parameter: Literal["qt", "t_amplitude", "pr"] = Field(description="What is changed: stretch QT, scale T, lengthen PR.")
    variance_explained: Fraction = Field(description="Share of the altered parameter's variance it explains.")
    variant: str | None = Field(None, description="rsID; without it a common variant is drawn, one per chromosome.")


class Spike(Strict):
    """A copy of a real ECG cohort, joined to genotypes at random and altered by planted effects."""

    kind: Literal["spike"] = "spike"
    seed: int | None = Field(None, ge=0, description="Seed of this cohort, the study's by default: two cohorts simulated alike with one seed hold the same people.")
    ecg: EcgSource = Field(description="The real recordings.")
    genotypes: GenotypeSource = Field(description="The real genotypes.")
    labels: Path | None = Field(None, description="Table with columns sample, super_pop and gender of the genotyped people.")
    effects: list[SpikeEffect] = Field([], description="Planted variants; empty leaves a null.")
    population_variance: Fraction = Field(0.0, description="Share of each altered parameter's variance that lies between super-populations; without effects, of QT, PR and T amplitude.")


class Labels(Strict):
    """What is known of a cohort besides signals and genotypes: ECG statements, diagnoses with dates, follow-up."""

    statements: Path | None = Field(None, description="CSV or Parquet, a row a recording: codes such as SCP or SNOMED CT, fold, time.")
    recording_column: str = Field("recording_id", description="Column of `statements` that names the recording.")
    codes_column: str | None = Field(None, description="Column with its codes: separated by `separator`, or the keys of a dictionary as in ptbxl_database.csv.")
    separator: str = Field(";", min_length=1, description="What separates codes.")
    fold_column: str | None = Field(None, description="Column with the cohort's official folds.")
    time_column: str | None = Field(None, description="Column with the time of the recording, ISO 8601; else that of its file.")
    diagnoses: Path | None = Field(None, description="CSV or Parquet, a row a diagnosis: person_id, code (ICD-10 or any other), date (empty: not known).")
    followup: Path | None = Field(None, description="CSV or Parquet, a row a person: person_id, end (last date observed), death (date; empty: none).")


class Expected(Strict):
    """How large a cohort is, so that jobs ask for the memory they need before its files have been read."""

    people: int | None = Field(None, ge=1, description="People with genotypes.")
    recordings: int | None = Field(None, ge=1, description="Recordings, second ones included.")
    variants: int | None = Field(None, ge=1, description="Variants of the genotype files.")


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
    labels: Labels | None = Field(None, description="Statements, diagnoses and follow-up, for prediction.")
    people: Path | None = Field(None, description="CSV or Parquet: person_id, sex (female, male), and covariates such as age, bmi.")
    genotypes: GenotypeSource | None = Field(None, description="The genotypes; a cohort without them enters pretraining and prediction only.")
    id_bridge: Path | None = Field(None, description="CSV with person_id, sample_id where the two differ.")
    withdrawn: Path | None = Field(None, description="One person_id or sample_id a line, or a column of either: people who withdrew consent and are in no result.")
    expected: Expected | None = Field(None, exclude=True, description="Its size, by which jobs ask for memory (`workflow/resources.yaml`); it changes no result.")
