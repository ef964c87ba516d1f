"""Results of every model in one cohort -> the comparison of models, as plain values for the template."""

from ecgwas import tables
from ecgwas.report import format
from ecgwas.report.inputs import ResultTables
from ecgwas.report.sections import calibration
from ecgwas.report.sections.recovery import Recovery


def compared_rows(compared: dict[str, ResultTables], recovery: Recovery | None, labels: dict[str, str]) -> list[dict]:
    """One row per model: loci, recovery, credible sets, λGC."""
    rows = []
    for model, found in compared.items():
        loci, lambdas, sets = (found[one] for one in (tables.LOCI, tables.CALIBRATION, tables.CREDIBLE_SETS))
        if loci is None and lambdas is None and sets is None:
            continue
        summary = recovery.summaries.get(model) if recovery else None
        size = None if sets is None or sets.is_empty() else sets["size"].median()
        rows.append(
            {
                "model": labels.get(model, model),
                "loci": format.count(None if loci is None else loci.height),
                "found": f"{summary['n_found']} of {summary['n_planted']}" if summary else "–",
                "false": format.count((summary or {}).get("false_loci_null_chromosomes")),
                "holding": _holding(summary or {}),
                "sets": format.count(None if sets is None else sets.height),
                "size": "–" if size is None else f"{size:g}",
                "joint": calibration.one_lambda(lambdas, "joint", "all"),
                "mean": calibration.one_lambda(lambdas, "mean", "null"),
            }
        )
    return rows


def _holding(summary: dict) -> str:
    """Number of credible sets near planted variants that contain one."""
    holding, total = summary.get("n_credible_sets_holding"), summary.get("n_credible_sets")
    return f"{holding} of {total}" if total else "–"
