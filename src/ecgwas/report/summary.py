"""A finished study -> a summary for the terminal: loci, recovery, genomic control, path of the report."""

import json
from pathlib import Path

import polars as pl

from ecgwas import tables
from ecgwas.cli import run
from ecgwas.errors import UserError
from ecgwas.report import format, inputs
from ecgwas.report.sections import recovery


def lines(root: Path, cohort: str, models: list[str], model: str, labels: dict[str, str]) -> list[str]:
    """Results of one cohort: of the main model, then of every model the planted loci found."""
    found = inputs.read_cohort(root, cohort, model)
    if found[tables.SAMPLES] is None and found[tables.RECORDINGS] is not None:
        return [f"cohort {cohort}: {_recordings(found)}, no genotypes"]
    people = None if found.traits is None or found.traits.is_empty() else int(found.traits["n"].max())
    sets = found.rows(tables.CREDIBLE_SETS)
    said = [f"cohort {cohort}: {_plain(format.count(people))} people, {_loci(found.rows(tables.LOCI))}"]
    said += _wider(found.rows(tables.LOCI_ANY_TRAIT), found.rows(tables.MULTIPLICITY))
    for kind, where in (("all", "all variants"), ("null", "null chromosomes")):
        values = found.rows(tables.CALIBRATION).filter((pl.col("trait") == "mean") & (pl.col("variants") == kind))
        if values["lambda_gc"].count():
            said.append(f"  λGC, mean of traits, {where}: {values['lambda_gc'][0]:.3f}")
    if sets.height:
        said.append(f"  credible sets: {sets.height}, median size {sets['size'].median():g} variants")
    truth = recovery.read_recovery(root, cohort, models, model)
    for name, summary in truth.summaries.items() if truth else ():
        said.append(f"  planted loci found by {labels.get(name, name)}: {recovery.found_words(summary)}")
    return said


def _recordings(found: inputs.ResultTables) -> str:
    kept, excluded = found.rows(tables.RECORDINGS), found.rows(tables.RECORDINGS_EXCLUDED)["recording_id"].n_unique()
    people = format.plural(kept["person_id"].n_unique(), "person", "people")
    return _plain(
        f"{format.count(kept.height)} of {format.count(kept.height + excluded)} recordings kept, from {people}"
    )


def _loci(loci: pl.DataFrame) -> str:
    names = ", ".join(loci["locus"].head(12)) + (", …" if loci.height > 12 else "")
    return _plain(format.plural(loci.height, "study-wide locus", "study-wide loci")) + (f" ({names})" if names else "")


def _wider(loci: pl.DataFrame, numbers: pl.DataFrame) -> list[str]:
    """Loci without correction for the number of traits, and the number expected by chance."""
    if numbers.is_empty():
        return []
    chance = format.significant(numbers["expected_any_trait"][0], 2)
    listed = _plain(format.plural(loci.height, "locus", "loci"))
    return [f"  {listed} at p < {numbers['p_threshold'][0]:.0e} in any test, uncorrected; {chance} expected by chance"]


def _plain(written: str) -> str:
    """Thin spaces as commas: terminals differ in the width of a thin space."""
    return written.replace("\u202f", ",")


def main(root: Path, report: str = "report/index.html") -> None:
    """Print the summary of the study in `root`, as described by the provenance beside its report.

    Args:
        root: results folder of the study.
        report: the page, relative to `root`.
    """
    page = root / report
    source = page.with_name("provenance.json")
    if not source.is_file():
        raise UserError(f"{source}: missing; run the study first, its report is the last step")
    settings = json.loads(source.read_text())["settings"]
    model = settings["report"]["model"] or settings["models"][0]
    for cohort in settings["cohorts"]:
        print("\n".join(lines(root, cohort, settings["models"], model, settings["report"]["labels"])))
    print(f"report: {page}")


if __name__ == "__main__":
    run(main)
