"""Tables of the shards -> recordings, intervals and excluded recordings of the cohort, sorted by recording."""

from pathlib import Path

import polars as pl

from ecgwas.cli import run
from ecgwas.errors import UserError
from ecgwas.files import write_parquet
from ecgwas.tables import INTERVALS, RECORDINGS, RECORDINGS_EXCLUDED, Schema, typed


def joined(paths: list[Path], schema: Schema) -> pl.DataFrame:
    """The parts below each other, sorted by recording_id."""
    return pl.concat([typed(pl.read_parquet(path), schema) for path in paths]).sort("recording_id")


def reasons(excluded: pl.DataFrame) -> str:
    """'12 flat_lead, 3 no_qrs', the commonest first."""
    counts = excluded.group_by("reason").len().sort(["len", "reason"], descending=[True, False])
    return ", ".join(f"{n} {reason}" for reason, n in counts.iter_rows()) or "none"


def check(recordings: pl.DataFrame, excluded: pl.DataFrame) -> None:
    """Raise `UserError` where nothing is left or a recording appears twice."""
    ids = pl.concat([recordings["recording_id"], excluded["recording_id"]])
    repeated = ids.filter(ids.is_duplicated()).unique().sort()
    if len(repeated):
        raise UserError(
            f"{len(repeated)} recording_id values come twice, the first is {repeated[0]!r}; make them unique"
        )
    if recordings.is_empty():
        raise UserError(
            f"no recording is left: all {excluded.height} were excluded ({reasons(excluded)});"
            " see excluded.parquet, and check ecg.format, the unit and ingest.min_leads"
        )


def main(
    recordings_parts: list[Path],
    intervals_parts: list[Path],
    excluded_parts: list[Path],
    recordings: Path,
    intervals: Path,
    excluded: Path,
) -> None:
    """Join the shards' tables.

    Args:
        recordings_parts: recordings tables of the shards, as a JSON list.
        intervals_parts: intervals tables of the shards.
        excluded_parts: tables of excluded recordings of the shards.
        recordings: joined recordings, written.
        intervals: joined intervals, written.
        excluded: joined excluded recordings, written first, so that it is there to read where nothing is left.
    """
    kept, dropped = joined(recordings_parts, RECORDINGS), joined(excluded_parts, RECORDINGS_EXCLUDED)
    write_parquet(dropped, excluded)
    check(kept, dropped)
    write_parquet(kept, recordings)
    write_parquet(joined(intervals_parts, INTERVALS), intervals)
    print(
        f"{kept.height} recordings of {kept['person_id'].n_unique()} people; excluded: {reasons(dropped)}", flush=True
    )


if __name__ == "__main__":
    run(main)
