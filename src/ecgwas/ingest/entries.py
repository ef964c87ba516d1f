"""EcgSource -> entries.parquet: the recordings of a cohort, listed once for all shards."""

from pathlib import Path

from ecgwas.cli import run
from ecgwas.config import EcgSource
from ecgwas.files import write_parquet
from ecgwas.ingest.readers import open_source


def main(ecg: EcgSource, entries: Path) -> None:
    """List the recordings of `ecg`.

    Args:
        ecg: where the recordings are, as JSON.
        entries: table of recording_id, person_id and key (file or row), written, sorted by recording_id.
    """
    found = open_source(ecg, 0.0).entries
    write_parquet(found, entries)
    print(f"{found.height} recordings of {found['person_id'].n_unique()} people listed", flush=True)


if __name__ == "__main__":
    run(main)
