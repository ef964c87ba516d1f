"""EcgSource -> entries.parquet: the recordings of a cohort, listed once for all shards."""

from pathlib import Path

from ecgwas import tables
from ecgwas.cli import run
from ecgwas.config import EcgSource
from ecgwas.errors import UserError
from ecgwas.files import write_json
from ecgwas.ingest.readers import open_source
from ecgwas.people import read_withdrawn


def main(
    ecg: EcgSource,
    entries: Path,
    withdrawn: Path | None = None,
    bridge: Path | None = None,
    consent: Path | None = None,
) -> None:
    """List the recordings of `ecg`: what is not listed here is never read, and is in no table or signal file.

    Args:
        ecg: where the recordings are, as JSON.
        entries: table of recording_id, person_id and key (file or row), written, sorted by recording_id.
        withdrawn: list of person or sample ids of people who withdrew consent, whose recordings are not listed.
        bridge: table of person_id and sample_id.
        consent: how many recordings that excluded, and the lines of the list that match one, written, JSON without ids.
    """
    everyone, gone = open_source(ecg, 0.0).entries, read_withdrawn(withdrawn, bridge)
    found = gone.without(everyone, "person_id")
    if found.is_empty():
        raise UserError(f"{withdrawn}: the people of all {everyone.height} recordings withdrew consent; none is left")
    if consent is not None:
        report = gone.found(everyone["person_id"].unique().to_list())
        write_json(report | {"excluded": everyone.height - found.height}, consent)
    tables.ENTRIES.write(found, entries)
    if gone.entries:
        print(f"{everyone.height - found.height} recordings of people who withdrew consent are not read", flush=True)
    print(f"{found.height} recordings of {found['person_id'].n_unique()} people listed", flush=True)


if __name__ == "__main__":
    run(main)
