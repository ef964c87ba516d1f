"""A user's table of people, id bridge, list of withdrawn people -> people.parquet, which every stage reads."""

from pathlib import Path

import polars as pl

from ecgwas import tables
from ecgwas.cli import run
from ecgwas.errors import UserError
from ecgwas.files import write_json
from ecgwas.people.consent import read_bridge, read_withdrawn
from ecgwas.people.table import read


def with_samples(table: pl.DataFrame, bridge: Path | None, genotyped: bool) -> pl.DataFrame:
    """`table` with each person's sample: of the bridge, else of the person's own name where there are genotypes."""
    if bridge is not None:
        pairs = read_bridge(bridge)
        joined = table.drop("sample_id").join(pairs, on="person_id", how="left", maintain_order="left")
        return joined.select(table.columns)
    return table.with_columns(sample_id="person_id") if genotyped else table


def main(
    people: Path,
    table: Path,
    consent: Path,
    bridge: Path | None = None,
    withdrawn: Path | None = None,
    genotyped: bool = False,
) -> None:
    """Read the people of a cohort once, without those who withdrew.

    Args:
        people: The user's table: person_id, sex, age and columns of the user's own.
        table: Written: tables.PEOPLE and the user's columns, in the order of the table.
        consent: Written: how many people withdrew, and the lines of the list that match one, JSON without ids.
        bridge: Table of person_id and sample_id.
        withdrawn: List of person or sample ids of people who withdrew consent.
        genotyped: Whether the cohort has genotypes, whose samples are called as people where there is no bridge.
    """
    known = read(people, ("sex",) if genotyped else ())
    if known["sample_id"].is_not_null().any():
        raise UserError(
            f"{people}: column sample_id has a name that ecgwas gives to a column of its own; name a table of person_id"
            " and sample_id in the cohort's `id_bridge`, and take the column out"
        )
    known = with_samples(known, bridge, genotyped)
    gone = read_withdrawn(withdrawn, bridge)
    kept = gone.without(known, "person_id", "sample_id")
    write_json(gone.found(known["person_id"].to_list()) | {"excluded": known.height - kept.height}, consent)
    tables.PEOPLE.write(kept, table)
    print(f"{kept.height} people; {known.height - kept.height} withdrew consent", flush=True)


if __name__ == "__main__":
    run(main)
