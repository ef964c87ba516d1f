"""Tables of the shards -> recordings, intervals, quality and excluded recordings of the cohort, copies marked."""

from pathlib import Path
from typing import Literal, NamedTuple

import polars as pl

from ecgwas.cli import run
from ecgwas.config import LEADS
from ecgwas.ecg.canonical import SD
from ecgwas.ecg.exchanged import PREFIX
from ecgwas.ecg.leads import lead_row
from ecgwas.errors import UserError
from ecgwas.tables import INTERVALS, QUALITY, RECORDINGS, RECORDINGS_EXCLUDED, Table

NOTHING_LEFT = "excluded.nothing-left.parquet"
TYPICAL_QRS_MV = (0.7, 6.0)  # median over a cohort of the largest peak-to-peak QRS of any lead


class Tables(NamedTuple):
    """The joined tables of a cohort."""

    recordings: pl.DataFrame
    intervals: pl.DataFrame
    excluded: pl.DataFrame
    quality: pl.DataFrame


def joined(paths: list[Path], table: Table) -> pl.DataFrame:
    """The parts below each other, sorted by recording_id."""
    return pl.concat([table.read(path) for path in paths]).sort("recording_id")


def reasons(excluded: pl.DataFrame) -> str:
    """'12 flat_lead, 3 no_qrs', the commonest first."""
    counts = excluded.group_by("reason").len().sort(["len", "reason"], descending=[True, False])
    return ", ".join(f"{n} {reason}" for reason, n in counts.iter_rows()) or "none"


def check_ids(recordings: pl.DataFrame, excluded: pl.DataFrame) -> None:
    """Raise `UserError` where a recording appears twice."""
    ids = pl.concat([recordings["recording_id"], excluded["recording_id"]])
    repeated = ids.filter(ids.is_duplicated()).unique().sort()
    if len(repeated):
        raise UserError(
            f"{len(repeated)} recording_id values come twice, the first is {repeated[0]!r}; make them unique"
        )


def check_left(recordings: pl.DataFrame, excluded: pl.DataFrame, path: Path) -> None:
    """Raise `UserError` where nothing is left, the reasons in a table beside `path`, the table of excluded recordings.

    Snakemake removes the outputs of a job that fails; this table is none, and goes with the first recording kept.
    """
    beside = path.with_name(NOTHING_LEFT)
    if not recordings.is_empty():
        beside.unlink(missing_ok=True)
        return
    RECORDINGS_EXCLUDED.write(excluded, beside)
    raise UserError(
        f"no recording is left: all {excluded.height} were excluded ({reasons(excluded)}); each with its reason is in"
        f" {beside.resolve()}; check ecg.format, ecg.unit, ecg.leads and ingest.min_leads"
    )


def later_copies(quality: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    """recording_id, person_id, and of the kept recording of the same samples with the smallest id `first` both."""
    hashed = quality.filter(pl.col("sample_hash").is_not_null()).select("recording_id", "person_id", "sample_hash")
    known = hashed.join(kept.select("recording_id"), on="recording_id", how="semi")
    firsts = [pl.col(name).first().over("sample_hash") for name in ("recording_id", "person_id")]
    first = known.sort("recording_id").with_columns(first=firsts[0], first_person=firsts[1])
    return first.filter(pl.col("recording_id") != pl.col("first")).sort("recording_id")


def without_copies(tables: Tables) -> Tables:
    """The tables, later copies of a recording among the excluded, with the reason duplicate and the id of the first."""
    copies = later_copies(tables.quality, tables.recordings)
    other = pl.col("person_id") != pl.col("first_person")
    who = pl.when(other).then(pl.format(" of another person, {}", "first_person")).otherwise(pl.lit(""))
    lost = copies.with_columns(reason=pl.lit("duplicate"), detail=pl.format("duplicate_of {}", "first") + who)
    excluded = pl.concat([tables.excluded, RECORDINGS_EXCLUDED.typed(lost).select(*RECORDINGS_EXCLUDED.columns)])
    again = pl.col("recording_id").is_in(copies["recording_id"].implode())
    reason = pl.when(again).then(pl.lit("duplicate")).otherwise(pl.col("reason"))
    return Tables(
        tables.recordings.filter(~again),
        tables.intervals.filter(~again),
        excluded.sort("recording_id"),
        tables.quality.with_columns(reason=reason),
    )


def warn_of_unit(quality: pl.DataFrame, recordings: pl.DataFrame) -> pl.DataFrame:
    """`quality`; where the typical largest QRS of the cohort is not that of hearts, kept recordings warn of `unit`.

    The unit is then likely wrong; one recording alone cannot tell. Z-scored recordings have no size.
    """
    sized = recordings.filter(pl.col("unit") != SD)["recording_id"]
    kept = pl.col("reason").is_null() & pl.col("qrs_mv").is_not_null() & pl.col("recording_id").is_in(sized.implode())
    typical = quality.filter(kept)["qrs_mv"].median()
    low, high = TYPICAL_QRS_MV
    if typical is not None and not low <= typical <= high:
        print(
            f"the typical largest QRS is {typical:.2f} mV, not {low} to {high}: check the unit of the source"
            " (counts of 5 µV read as 1 µV give a fifth)",
            flush=True,
        )
        warned = pl.col("warnings").fill_null([]).list.concat(pl.lit(["unit"]))
        return quality.with_columns(warnings=pl.when(kept).then(warned).otherwise(pl.col("warnings")))
    return quality


def exchanged_names(tables: Tables) -> list[str]:
    """A line for each exchange of limb leads' names that recordings warn of: how many, and what to write."""
    words = tables.quality.select("recording_id", word="warnings").explode("word")
    words = words.filter(pl.col("word").str.starts_with(PREFIX))
    lines = []
    for word, n in words.group_by("word").len().sort("word").iter_rows():
        names = word.removeprefix(PREFIX).split("_")
        some = words.filter(pl.col("word") == word)["recording_id"]
        found = tables.recordings.filter(pl.col("recording_id").is_in(some.implode()))["leads"].to_list()
        order = f" [{', '.join(renamed(found[0], names))}]" if found and len(names) == 2 else ""
        lines.append(
            f"{n} of {tables.quality.height} recordings: the limb leads add up (aVL = I - II/2, aVF = II - I/2, …) only"
            f" with the names {' and '.join(names)} exchanged; if they are, set ecg.leads of the cohort{order}"
        )
    return lines


def renamed(leads: list[str], pair: list[str]) -> list[str]:
    """The names of a file's channels, the two of `pair` exchanged; others as they are."""
    rows = {lead_row(name): lead_row(other) for name, other in (pair, pair[::-1])}
    return [LEADS[rows[row]] if (row := lead_row(name)) in rows else name for name in leads]


def main(
    recordings_parts: list[Path],
    intervals_parts: list[Path],
    excluded_parts: list[Path],
    quality_parts: list[Path],
    recordings: Path,
    intervals: Path,
    excluded: Path,
    quality: Path,
    duplicates: Literal["first", "all"] = "first",
) -> None:
    """Join the shards' tables.

    Args:
        recordings_parts: recordings tables of the shards, as a JSON list.
        intervals_parts: intervals tables of the shards.
        excluded_parts: tables of excluded recordings of the shards.
        quality_parts: tables of the measures of quality of the shards.
        recordings: joined recordings, written.
        intervals: joined intervals, written.
        excluded: joined excluded recordings, written first, so that it is there to read where nothing is left.
        quality: joined measures of quality, written.
        duplicates: which of the recordings of the same samples are kept.
    """
    parts = (recordings_parts, intervals_parts, excluded_parts, quality_parts)
    kinds = (RECORDINGS, INTERVALS, RECORDINGS_EXCLUDED, QUALITY)
    tables = Tables(*(joined(paths, kind) for paths, kind in zip(parts, kinds, strict=True)))
    check_ids(tables.recordings, tables.excluded)
    tables = without_copies(tables) if duplicates == "first" else tables
    tables = tables._replace(quality=warn_of_unit(tables.quality, tables.recordings))
    for line in exchanged_names(tables):
        print(line, flush=True)
    RECORDINGS_EXCLUDED.write(tables.excluded, excluded)
    QUALITY.write(tables.quality, quality)
    check_left(tables.recordings, tables.excluded, excluded)
    RECORDINGS.write(tables.recordings, recordings)
    INTERVALS.write(tables.intervals, intervals)
    people = tables.recordings["person_id"].n_unique()
    print(f"{tables.recordings.height} recordings of {people} people; excluded: {reasons(tables.excluded)}", flush=True)


if __name__ == "__main__":
    run(main)
