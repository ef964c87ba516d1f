"""What each door found of the list of withdrawn people -> consent.json: counts by reason, lines that match nobody."""

from pathlib import Path

from ecgwas.cli import run
from ecgwas.files import write_json
from ecgwas.people.consent import read_withdrawn


def main(consent: Path, doors: dict[str, Path], withdrawn: Path | None = None) -> None:
    """Join what the doors of a cohort found; no id is written.

    Args:
        consent: Written: entries of the list, how many people, recordings and samples were excluded, and the numbers
            of the lines that match nobody, JSON.
        doors: What was found, by what is counted: people, recordings, samples, as a JSON object of files.
        withdrawn: The list.
    """
    import json

    gone = read_withdrawn(withdrawn)
    found = {name: json.loads(path.read_text()) for name, path in doors.items()}
    matched = {line for report in found.values() for line in report["matched_lines"]}
    unmatched = sorted({line for line, _ in gone.entries} - matched)
    excluded = {name: {"withdrawn": report["excluded"]} for name, report in found.items()}
    write_json({"entries": len(gone.entries), "excluded": excluded, "lines_that_match_nobody": unmatched}, consent)
    if unmatched:
        lines = ", ".join(map(str, unmatched[:20]))
        print(f"{withdrawn}: {len(unmatched)} entries match no person and no sample: lines {lines}", flush=True)


if __name__ == "__main__":
    run(main)
