"""Summary statistics of one cohort -> its section on the genome scan, as plain values for the template."""

import math
from typing import Any

import polars as pl

from ecgwas import tables
from ecgwas.report import format
from ecgwas.report.figures import manhattan, qq
from ecgwas.report.figures.genome import Mark
from ecgwas.report.inputs import ResultTables
from ecgwas.report.sections import calibration
from ecgwas.report.sections.loci import trait_threshold
from ecgwas.report.sections.recovery import Recovery


def section(
    found: ResultTables, associations: pl.DataFrame, truth: Recovery | None, threshold: float
) -> dict[str, Any]:
    """Manhattan and QQ plots, and calibration; `threshold`: genome-wide significance, −log10 p."""
    n_traits = 0 if found.traits is None else found.traits.height
    marks = scan_marks(found.rows(tables.LOCI), truth)
    lambdas = found.rows(tables.CALIBRATION)
    pictures = {
        "joint": manhattan.manhattan(associations, "joint", threshold, marks, "Manhattan plot of the joint test"),
        "axis": manhattan.manhattan(
            associations,
            "axis",
            trait_threshold(found, threshold + math.log10(max(n_traits, 1))),
            [],
            "Manhattan plot of the axis-wise minimum",
            230,
        ),
    }
    rows = calibration.calibration_rows(lambdas)
    return {
        "n_traits": n_traits,
        "manhattan": pictures if any(pictures.values()) else None,
        "qq": qq.qq(
            associations["joint"].to_numpy(), calibration.lambda_words(lambdas, "joint"), "QQ plot, joint test"
        ),
        "scan_words": scan_words(associations, found.traits),
        "calibration": rows,
        "calibration_counts": calibration.count_rows(lambdas),
        "calibration_kinds": calibration.calibration_kinds(lambdas),
    }


def scan_marks(loci: pl.DataFrame, recovery: Recovery | None) -> list[Mark]:
    """Lead variants, and planted variants where the cohort is simulated."""
    marks = [
        Mark(row["contig"], row["lead_position"], f"lead {row['lead_rsid']} at {row['locus']}", "lead")
        for row in loci.iter_rows(named=True)
    ]
    if recovery is None:
        return marks
    for row in next(iter(recovery.tables.values())).iter_rows(named=True):
        contig, _, rest = str(row["locus"]).partition(":")
        position = rest.split(":")[0].replace(",", "")
        if position.isdigit():
            known = "found" if row["found"] else "not found"
            marks.append(
                Mark(
                    contig,
                    int(position),
                    f"planted: {row['parameter']}, {known}",
                    f"planted {'hit' if row['found'] else 'miss'}",
                )
            )
    return marks


def scan_words(scan: pl.DataFrame, traits: pl.DataFrame | None) -> str:
    """Number of variants, people and traits tested."""
    if scan.is_empty() or traits is None or traits.is_empty():
        return ""
    variants, contigs = format.plural(scan.height, "variant"), format.plural(scan["contig"].n_unique(), "chromosome")
    low, high = int(traits["n"].min()), int(traits["n"].max())
    people = format.count(high) if low == high else f"{format.count(low)} to {format.count(high)}"
    return (
        f"{variants} on {contigs} were tested on {format.plural(traits.height, 'trait')} in {people} unrelated people,"
        " by linear regression, adjusted for covariates."
    )


def crosscheck_words(crosscheck: pl.DataFrame | None) -> str:
    """Largest difference between the scan and Hail's linear regression on the same variants, in standard errors."""
    if crosscheck is None or crosscheck.is_empty():
        return ""
    worst = format.significant(crosscheck["beta_difference"].max(), 2)
    variants = format.plural(crosscheck.height, "variant")
    return f"{variants} retested with Hail's linear regression: β differs by at most {worst} standard errors."
