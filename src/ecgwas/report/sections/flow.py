"""Tables of inclusions and exclusions -> flow diagram: numbers entered, excluded by reason, and kept."""

from dataclasses import dataclass, field

import polars as pl

from ecgwas import tables
from ecgwas.report import format
from ecgwas.report.inputs import ResultTables


@dataclass(frozen=True)
class Drop:
    """One reason of exclusion and its count."""

    reason: str
    word: str
    number: int
    share: str


@dataclass(frozen=True)
class Lane:
    """One lane of the flow diagram: from `entered` of `what` to `left`, by `drops`."""

    what: str
    entered: int
    left: int
    left_words: str
    drops: list[Drop] = field(default_factory=list)
    note: str = ""


def lanes(inputs: ResultTables, analysed: int | None) -> list[Lane]:
    """Lanes of recordings, genotyped samples, variants and people, each where its tables exist."""
    made = [_recordings(inputs), _samples(inputs), _variants(inputs), _people(inputs, analysed)]
    return [lane for lane in made if lane is not None]


CONSENT = {"people": ("person", "people"), "recordings": ("recording",), "samples": ("genotyped sample",)}


def consent_words(inputs: ResultTables) -> str:
    """Numbers excluded before anything was counted because consent was withdrawn; empty without a list."""
    consent = inputs.consent
    if not consent or not consent["entries"]:
        return ""
    counts = consent["excluded"]
    parts = [format.plural(counts[door]["withdrawn"], *form) for door, form in CONSENT.items() if door in counts]
    unmatched = format.count(len(consent["lines_that_match_nobody"]))
    listed = format.plural(consent["entries"], "entry", "entries")
    return f"{', '.join(parts)} ({listed} in the list, {unmatched} of them matching nobody here)"


def _recordings(inputs: ResultTables) -> Lane | None:
    if inputs[tables.RECORDINGS] is None:
        return None
    excluded = inputs.rows(tables.RECORDINGS_EXCLUDED)
    kept, dropped = inputs.rows(tables.RECORDINGS), excluded["recording_id"].n_unique()
    people = format.plural(kept["person_id"].n_unique(), "person", "people")
    entered = kept.height + dropped
    return Lane(
        "ECG recordings read",
        entered,
        kept.height,
        f"recordings kept, from {people}",
        _drops(excluded, "recording_id", entered),
    )


def _samples(inputs: ResultTables) -> Lane | None:
    if inputs[tables.SAMPLES] is None:
        return None
    samples = inputs.rows(tables.SAMPLES)
    excluded = inputs.rows(tables.GENOTYPES_EXCLUDED).filter(pl.col("kind") == "sample")
    kept = int(samples["keep"].sum())
    unrelated = int(samples["unrelated"].sum())
    note = f"{format.count(unrelated)} of them are unrelated."
    drops = _drops(excluded.filter(~_stays(excluded, samples)), "id", samples.height, "sample")
    return Lane("genotyped samples", samples.height, kept, "samples kept", drops, note)


def _stays(excluded: pl.DataFrame, samples: pl.DataFrame) -> pl.Series:
    """Rows of samples that were kept: relatives, which are excluded from the scan but not from the cohort."""
    return excluded["id"].is_in(samples.filter(pl.col("keep"))["sample_id"].implode())


def _variants(inputs: ResultTables) -> Lane | None:
    if inputs[tables.VARIANTS] is None:
        return None
    excluded = inputs.rows(tables.GENOTYPES_EXCLUDED).filter(pl.col("kind") == "variant")
    kept = inputs.rows(tables.VARIANTS)
    entered = kept.height + excluded["id"].n_unique()
    note = (
        f"{format.count(int(kept['pruned'].sum()))} LD-pruned variants are used for kinship and principal components."
    )
    return Lane(
        "variants read", entered, kept.height, "variants kept", _drops(excluded, "id", entered, "variant"), note
    )


def _people(inputs: ResultTables, analysed: int | None) -> Lane | None:
    if inputs[tables.TRAITS_EXCLUDED] is None or analysed is None:
        return None
    excluded = inputs.rows(tables.TRAITS_EXCLUDED).filter(pl.col("kind") == "person")
    entered = analysed + excluded["id"].n_unique()
    drops = _drops(excluded, "id", entered)
    return Lane("people with an ECG or genotypes", entered, analysed, "people analysed", drops)


def _drops(excluded: pl.DataFrame, key: str, entered: int, kind: str = "") -> list[Drop]:
    """Distinct ids per reason, most frequent first; an id with two reasons counts under both."""
    counts = (
        excluded.group_by("reason")
        .agg(pl.col(key).n_unique().alias("n"))
        .sort(["n", "reason"], descending=[True, False])
    )
    return [Drop(format.reason(r, kind), r, n, format.percent(n, entered)) for r, n in counts.rows()]
