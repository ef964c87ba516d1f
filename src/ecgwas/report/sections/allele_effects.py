"""Effects of lead variants on the ECG -> the median beat per allele, and the measurements changed most."""

from pathlib import Path

from ecgwas import tables
from ecgwas.report import format, inputs
from ecgwas.report.figures.allele_effects import beat_change

LOCI = {
    "beats": ("cohorts/{cohort}/interpret/{model}/allele_beats.parquet", tables.ALLELE_BEATS),
    "traits": ("cohorts/{cohort}/interpret/{model}/allele_traits.parquet", tables.ALLELE_TRAITS),
}


def locus_effects(root: Path, cohort: str, model: str, limit: int) -> list[dict]:
    """Effects of each locus on the ECG: on the median beat, and on the measurements with the smallest p."""
    found = {
        name: inputs.read(root / path.format(cohort=cohort, model=model), schema)
        for name, (path, schema) in LOCI.items()
    }
    if found["beats"] is None or found["traits"] is None:
        return []
    made = []
    for locus in found["beats"]["locus"].unique(maintain_order=True).to_list()[:limit]:
        strongest = found["traits"].filter(locus=locus).sort("neg_log10_p", descending=True, nulls_last=True).head(3)
        traits = [
            f"{format.parameter(row['trait'])} {format.estimate(row['beta'], row['se'])},"
            f" p = {format.p_value(row['neg_log10_p'])}"
            for row in strongest.iter_rows(named=True)
        ]
        made.append({"locus": locus, "picture": beat_change(found["beats"], locus), "traits": traits})
    return made
