"""Effects of lead variants on the ECG -> the median beat per allele, and the measurements changed most."""

from pathlib import Path

from ecgwas import tables
from ecgwas.report import format, inputs
from ecgwas.report.figures.allele_effects import beat_change


def locus_effects(root: Path, cohort: str, model: str, limit: int) -> list[dict]:
    """Effects of each locus on the ECG: on the median beat, and on the measurements with the smallest p."""
    found = inputs.ResultTables(root, {"cohort": cohort, "model": model})
    beats, effects = found[tables.ALLELE_BEATS], found[tables.ALLELE_TRAITS]
    if beats is None or effects is None:
        return []
    made = []
    for locus in beats["locus"].unique(maintain_order=True).to_list()[:limit]:
        strongest = effects.filter(locus=locus).sort("neg_log10_p", descending=True, nulls_last=True).head(3)
        traits = [
            f"{format.parameter(row['trait'])} {format.estimate(row['beta'], row['se'])},"
            f" p = {format.p_value(row['neg_log10_p'])}"
            for row in strongest.iter_rows(named=True)
        ]
        made.append({"locus": locus, "picture": beat_change(beats, locus), "traits": traits})
    return made
