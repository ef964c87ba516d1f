"""A checked study -> what jobs are given: their input files, the flags of their command lines, settings as JSON.

Rules call these with the wildcards, input and output of a job. Nothing here knows Snakemake, and neither polars nor
torch is imported: every job reads the rules again.
"""

import functools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecgwas import config, tables
from ecgwas.command_lines import as_json, flag, flags
from ecgwas.study import Checked

NOTHING = "(?!)"  # a pattern that matches nothing
ENCODERS = ("transformer", "pca")  # kinds of models that embed signals
NOT_NETWORKS = ("combined", "intervals", "demographics")  # methods of prediction that no bundle is made of


def numbered(count: int) -> list[str]:
    """'000', '001', …: names of shards and parts."""
    return [f"{number:03d}" for number in range(count)]


def pattern(names: Iterable[str]) -> str:
    """Pattern of these values of a wildcard; it matches nothing where there is none."""
    return "|".join(names) or NOTHING


def of_recordings(ecg: config.EcgSource) -> list[Path]:
    """The files that an ECG source names."""
    return [path for path in (ecg.recordings, ecg.path) if path]


# -------------------------------------------------------------------------------- names of predictors: {fitted}


def fitted(predict: config.Predict) -> list[str]:
    """Names of predictors: the method, and share (per mille) and draw of the labels where it learns from few."""
    return predict.methods + [
        f"{method}-{round(1000 * share):04d}-{draw}"
        for method in predict.methods
        for share in predict.label_shares
        for draw in range(predict.label_draws)
    ]


def method_of(wildcards: Any) -> str:
    """The method of a predictor."""
    return wildcards.fitted.split("-")[0]


def share_of(wildcards: Any) -> float:
    """The share of the labels that a predictor learns from."""
    return int([*wildcards.fitted.split("-"), "1000"][1]) / 1000


def draw_of(wildcards: Any) -> str:
    """The number of the label subsample that a predictor learns from."""
    return [*wildcards.fitted.split("-"), "1000", "0"][2]


# ----------------------------------------------------------------------------------- what depends on the study


@dataclass(frozen=True)
class Jobs:
    """The jobs of a study; `planning` in Snakemake's main process, which alone records what made a result."""

    checked: Checked
    planning: bool = True

    @property
    def genotyped(self) -> list[str]:
        """Cohorts with genotypes; the others serve pretraining and prediction."""
        return [name for name, cohort in self.checked.cohorts.items() if cohort.genotypes]

    @property
    def planted(self) -> list[str]:
        """Cohorts of which it is known which loci are there."""
        return [name for name in self.genotyped if self.checked.cohorts[name].simulate]

    @property
    def with_people(self) -> list[str]:
        """Cohorts with a table of people."""
        return [name for name, cohort in self.checked.cohorts.items() if cohort.people]

    def models_of(self, *kinds: str) -> list[str]:
        """Models of these kinds."""
        return [name for name, model in self.checked.models.items() if model.kind in kinds]

    def simulated_as(self, kind: str) -> list[str]:
        """Cohorts simulated in this way."""
        cohorts = self.checked.cohorts
        return [name for name in cohorts if cohorts[name].simulate and cohorts[name].simulate.kind == kind]

    def settings(self, stage: str) -> str:
        """Settings of one stage, as JSON: nothing else of the study, so that only its own keys rerun it."""
        return as_json(getattr(self.checked.settings, stage))

    def code(self, stage: str) -> str:
        """Hash of the code that a stage runs where `development` is set: then an edit reruns the stage."""
        if not self.checked.settings.development or not self.planning:
            return ""
        from ecgwas.code import fingerprint

        return fingerprint(stage)

    # Functions of the wildcards {cohort} and {model}.

    def cohort(self, wildcards: Any) -> config.Cohort:
        """The cohort of a job."""
        return self.checked.cohorts[wildcards.cohort]

    def model(self, wildcards: Any) -> config.Model:
        """The model of a job."""
        return self.checked.models[wildcards.model]

    def model_settings(self, wildcards: Any) -> str:
        """Settings of the model, as JSON."""
        return as_json(self.model(wildcards))

    def simulation(self, wildcards: Any) -> str:
        """How the cohort is simulated, as JSON."""
        return as_json(self.cohort(wildcards).simulate)

    def simulation_seed(self, wildcards: Any) -> int:
        """Seed of a simulated cohort."""
        own = self.cohort(wildcards).simulate.seed
        return self.checked.settings.seed if own is None else own

    def spiked_files(self, wildcards: Any) -> list[Path]:
        """The real recordings, genotypes and labels that a cohort with planted effects is made of."""
        made = self.cohort(wildcards).simulate
        return [*of_recordings(made.ecg), *made.genotypes.files(), *([made.labels] if made.labels else [])]

    def spiked_fingerprint(self, wildcards: Any) -> str:
        """What changes where one of these recordings is replaced."""
        return _fingerprint(self.cohort(wildcards).simulate.ecg) if self.planning else ""

    def start(self, wildcards: Any) -> Path | list[Path]:
        """The checkpoint that training starts from, where there is one."""
        return self.model(wildcards).start or []

    def ecg_source(self, wildcards: Any) -> str:
        """Where the cohort's recordings are, as JSON."""
        return as_json(self.cohort(wildcards).ecg)

    def ecg_files(self, wildcards: Any) -> list[Path]:
        """What a change of the cohort's recordings shows in: its table, and its folder or array."""
        return of_recordings(self.cohort(wildcards).ecg)

    def ecg_fingerprint(self, wildcards: Any) -> str:
        """What changes where a recording is replaced; of a simulated cohort its truth says so."""
        cohort = self.cohort(wildcards)
        return _fingerprint(cohort.ecg) if self.planning and not cohort.simulate else ""

    def genotype_source(self, wildcards: Any) -> str:
        """Where the cohort's genotypes are, as JSON."""
        return as_json(self.cohort(wildcards).genotypes)

    def genotype_files(self, wildcards: Any) -> str | list[Path]:
        """The files of the cohort, its reference and panel; a simulated cohort's come with its truth."""
        cohort = self.cohort(wildcards)
        if cohort.simulate and cohort.simulate.kind == "cohort":
            return tables.TRUTH.of(cohort=wildcards.cohort)
        return cohort.genotypes.files()

    def people_file(self, wildcards: Any) -> Path:
        """The user's table of people."""
        return self.cohort(wildcards).people

    def people(self, wildcards: Any) -> str | list[str]:
        """The cohort's people, where it has a table of them."""
        return tables.PEOPLE.of(cohort=wildcards.cohort) if self.cohort(wildcards).people else []

    def is_genotyped(self, wildcards: Any) -> str:
        """Whether the cohort has genotypes, as a flag takes it."""
        return str(wildcards.cohort in self.genotyped).lower()

    def is_training(self, wildcards: Any) -> str:
        """Whether predictors are fitted to the cohort, as a flag takes it."""
        return str(wildcards.cohort == self.checked.predict_train).lower()

    def labels(self, wildcards: Any) -> str:
        """Where the cohort's statements, diagnoses and follow-up are, as JSON."""
        return as_json(self.cohort(wildcards).labels)

    def label_files(self, wildcards: Any) -> list[Path]:
        """The cohort's tables of statements, diagnoses and follow-up."""
        labels = self.cohort(wildcards).labels
        return [path for path in (labels.statements, labels.diagnoses, labels.followup) if path] if labels else []

    # Consent.

    def consent_files(self, wildcards: Any) -> dict[str, Path]:
        """Named inputs: the cohort's id bridge and list of withdrawn people, where it has them."""
        cohort = self.cohort(wildcards)
        return {name: path for name, path in (("bridge", cohort.id_bridge), ("withdrawn", cohort.withdrawn)) if path}

    def consent_flags(self, wildcards: Any) -> str:
        """Flags for these files."""
        return flags(self.consent_files(wildcards))

    def withdrawn_flag(self, wildcards: Any) -> str:
        """Flag for the list of withdrawn people."""
        return flag("withdrawn", self.cohort(wildcards).withdrawn)

    def consent_counts(self, wildcards: Any) -> dict[str, str]:
        """Named inputs: what each door by which people come in reports of the list; no id is in it."""
        doors = {"people": self.with_people, "recordings": list(self.checked.cohorts), "samples": self.genotyped}
        doors = [name for name, cohorts in doors.items() if wildcards.cohort in cohorts]
        return {name: tables.CONSENT_COUNTS.of(counted=name).format(cohort=wildcards.cohort) for name in doors}

    def consent_doors(self, wildcards: Any) -> str:
        """The same as JSON."""
        return json.dumps(self.consent_counts(wildcards))

    # The numbers that become traits.

    def values(self, wildcards: Any) -> str:
        """By kind of model an embedding, the intervals, the people table, or the user's table."""
        return self._values(wildcards.cohort, wildcards.model)

    def values_of_cohorts(self, wildcards: Any) -> list[str]:
        """The same of every cohort."""
        return [self._values(cohort, wildcards.model) for cohort in self.checked.cohorts]

    def _values(self, cohort: str, name: str) -> str:
        model = self.checked.models[name]
        if model.kind == "table":
            return model.path.format(cohort=cohort)
        if model.kind in ENCODERS:
            return tables.EMBEDDINGS.of(cohort=cohort, model=name)
        return (tables.INTERVALS if model.kind == "intervals" else tables.PEOPLE).of(cohort=cohort)

    def consent_files_of_values(self, wildcards: Any) -> dict[str, Path]:
        """`consent_files` where the numbers are the user's, who may hold more people than the results."""
        return self.consent_files(wildcards) if self.model(wildcards).kind == "table" else {}

    def consent_flags_of_values(self, wildcards: Any) -> str:
        """Flags for these files."""
        return flags(self.consent_files_of_values(wildcards))

    def is_embedding(self, wildcards: Any) -> str:
        """Whether the numbers are an embedding, whose axes mean nothing by themselves, as a flag takes it."""
        model = self.model(wildcards)
        whitened = model.whiten if model.kind == "table" else model.kind not in ("intervals", "outcomes")
        return str(whitened).lower()

    def is_intervals(self, wildcards: Any) -> str:
        """Whether the numbers are the classical measurements, as a flag takes it."""
        return str(self.model(wildcards).kind == "intervals").lower()

    def outcomes(self, wildcards: Any) -> str:
        """Columns of the people table that are the traits of model `outcomes`, as JSON; none for other models."""
        return json.dumps(self.cohort(wildcards).outcomes if self.model(wildcards).kind == "outcomes" else [])

    # Recordings and signals.

    @property
    def signals(self) -> dict[str, list[str]]:
        """What a shard is in: strips by their length, and beats, of longer recordings also those of windows."""
        buckets = self.checked.settings.ingest.buckets
        windows = [kind.of(bucket=k) for k in buckets[1:] for kind in (tables.WINDOW_BEATS, tables.WINDOW_RR)]
        return {"strips": [tables.STRIPS.of(bucket=k) for k in buckets], "beats": [tables.BEATS.path, *windows]}

    def signals_of(self, *cohorts: str) -> dict[str, list[str]]:
        """Named inputs: recordings and signals of one cohort or several, `{cohort}` for that of the job."""
        shards = numbered(self.checked.settings.ingest.shards)
        named = {"recordings": [tables.RECORDINGS.of(cohort=cohort) for cohort in cohorts]}
        for name, paths in self.signals.items():
            named[name] = [
                path.replace("{cohort}", cohort).replace("{shard}", shard)
                for cohort in cohorts
                for shard in shards
                for path in paths
            ]
        return named


@functools.cache
def _listed() -> Callable[[config.EcgSource], str]:
    from ecgwas.ingest.listing import fingerprint

    known: dict[str, str] = {}

    def cached(source: config.EcgSource) -> str:
        key = source.model_dump_json()
        known[key] = known[key] if key in known else fingerprint(source)
        return known[key]

    return cached


def _fingerprint(source: config.EcgSource) -> str:
    return _listed()(source)
