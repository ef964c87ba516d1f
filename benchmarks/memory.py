"""Benchmark files of finished studies -> memory that jobs used, beside what workflow/resources.yaml asks for.

`python benchmarks/memory.py results/demo results/tiny`; status 1 where a job used more than it asked for.
"""

import functools
import json
import operator
import re
import sys
from pathlib import Path

import polars as pl

from ecgwas import memory, tables
from ecgwas.memory import Size

PROJECT = Path(__file__).resolve().parents[1]


def patterns() -> dict[str, re.Pattern[str]]:
    """Rule -> pattern of its benchmark files."""
    found = {}
    for file in sorted((PROJECT / "workflow/rules").glob("*.smk")):
        for rule, path in re.findall(r'\nrule (\w+):.*?\n    benchmark:\n        "([^"]+)"', file.read_text(), re.S):
            found[rule] = re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path)))
    return found


def size(results: Path, cohort: str) -> Size:
    """Size of a cohort, of its results."""
    known = {"people": 0, "variants": 0} | memory.manifest(tables.MANIFEST.at(results, cohort=cohort))
    recordings = tables.RECORDINGS.at(results, cohort=cohort)
    count = pl.scan_parquet(recordings).select(pl.len()).collect().item() if recordings.is_file() else 0
    return Size(known["people"], count, known["variants"])


def used(path: Path) -> float:
    """Largest resident set of a job and its children, MB."""
    return max(float(row["max_rss"]) for row in pl.read_csv(path, separator="\t", null_values=["-", "NA"]).to_dicts())


def jobs(results: Path) -> list[dict]:
    """Rule, file, size and memory of every job with a benchmark file."""
    known, rules = memory.coefficients(PROJECT / "workflow/resources.yaml"), patterns()
    sizes = {path.name: size(results, path.name) for path in sorted((results / "cohorts").iterdir())}
    found = []
    for path in sorted((results / "benchmarks").rglob("*.tsv")):
        name = str(path.relative_to(results))
        fits = [(rule, match) for rule, pattern in rules.items() if (match := pattern.fullmatch(name))]
        if not fits:
            continue
        # Of patterns that fit, the one with most fixed text: {model}-step1.tsv, not {model}-{part}.tsv.
        rule, match = min(fits, key=lambda fit: sum(map(len, fit[1].groups())))
        own = match.groupdict().get("cohort")
        whole = functools.reduce(operator.add, [sizes[own]] if own else list(sizes.values()))
        asked = memory.megabytes(known[rule], whole)
        found.append({"rule": rule, "file": name, "people": whole.people, "used": used(path), "asked": asked})
    return found


def main(folders: list[str]) -> int:
    found = [job for folder in folders for job in jobs(Path(folder))]
    table = pl.DataFrame(found).with_columns(share=pl.col("used") / pl.col("asked"))
    most = table.sort("share", descending=True).unique("rule", keep="first", maintain_order=True)
    for row in most.iter_rows(named=True):
        print("{rule:<22}{people:>8} people  {used:8.0f} of {asked:6d} MB  {file}".format(**row))
    summary = {"jobs": table.height, "rules": most.height, "largest_share": round(table["share"].max(), 3)}
    print(json.dumps(summary))
    return int(table["share"].max() > 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
