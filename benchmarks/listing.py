"""Fingerprint of the files of a large cohort, as Snakemake's main process computes it -> seconds and memory.

XML files in 100 folders and WFDB records in one, each as a folder and by a table of recordings; files are made first.
Usage: python -m benchmarks.listing --recordings 100000. The last line is JSON.
"""

import json
import resource
import tempfile
import time
from pathlib import Path

from ecgwas.cli import run
from ecgwas.config import EcgSource
from ecgwas.ingest.listing import fingerprint


def make(folder: Path, recordings: int) -> dict[str, EcgSource]:
    """Empty files and tables; sources by name."""
    tables = {}
    for kind, suffixes, parts in (("xml", (".xml",), 100), ("wfdb", (".hea", ".dat"), 1)):
        rows = ["recording_id,person_id,path"]
        for part in range(parts):
            (folder / kind / f"{part:03d}").mkdir(parents=True)
        for k in range(recordings):
            name = f"{k % parts:03d}/r{k:06d}"
            for suffix in suffixes:
                (folder / kind / f"{name}{suffix}").touch()
            rows.append(f"r{k:06d},{k},{name}{suffixes[0] if kind == 'xml' else ''}")
        tables[kind] = folder / f"{kind}.csv"
        tables[kind].write_text("\n".join(rows) + "\n")
    formats = {"xml": "muse", "wfdb": "wfdb"}
    sources = {kind: EcgSource(format=formats[kind], path=folder / kind) for kind in formats}
    listed = {f"{kind}_table": one.model_copy(update={"recordings": tables[kind]}) for kind, one in sources.items()}
    return sources | listed


def main(recordings: int = 100_000) -> None:
    """Time the fingerprints of made cohorts.

    Args:
        recordings: files of XML, and records of WFDB with two files each.
    """
    found: dict[str, float] = {"recordings": recordings}
    with tempfile.TemporaryDirectory() as folder:
        for name, source in make(Path(folder), recordings).items():
            fingerprint(source)  # the names are now in the system's cache, as after a look at the folder
            clock, cpu = time.perf_counter(), time.process_time()
            assert fingerprint(source)
            found[f"{name}_s"] = round(time.perf_counter() - clock, 2)
            found[f"{name}_cpu_s"] = round(time.process_time() - cpu, 2)
            print(f"{name}: {found[f'{name}_s']} s, {found[f'{name}_cpu_s']} s of CPU", flush=True)
    found["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps(found))


if __name__ == "__main__":
    run(main)
