"""Calibration plots, decision curves, and cumulative incidence by risk group -> SVG."""

import polars as pl

from ecgwas.report import format
from ecgwas.report.figures import svg

LEFT, RIGHT, TOP, BOTTOM = 60, 400, 16, 300
WIDTH, HEIGHT = 420, 346


def reliability(table: pl.DataFrame) -> str:
    """Observed against mean predicted risk with Wilson intervals, one line per outcome; empty without bins."""
    table = table.filter(pl.col("predicted").is_not_null() & pl.col("observed").is_not_null())
    if table.is_empty():
        return ""
    top = max(float(table["predicted"].max()), float(table["high"].fill_null(0).max()), 0.05)
    x, y = svg.Scale(0, top, LEFT, RIGHT), svg.Scale(0, top, BOTTOM, TOP)
    parts = [svg.y_axis(y, LEFT, RIGHT, "observed proportion"), svg.x_axis(x, BOTTOM, "predicted risk", about=4)]
    parts.append(svg.line(x(0), y(0), x(top), y(top), "rule"))
    for k, (name, rows) in enumerate(_lines(table)):
        parts.append(svg.path(x(rows["predicted"].to_numpy()), y(rows["observed"].to_numpy()), f"curve c{k % 4}"))
        for row in rows.iter_rows(named=True):
            predicted, observed = (format.decimal(row[c], 3) for c in ("predicted", "observed"))
            title = f"{name}: predicted {predicted}, observed {observed}"
            parts.append(svg.line(x(row["predicted"]), y(row["low"]), x(row["predicted"]), y(row["high"]), "axis"))
            parts.append(svg.dot(x(row["predicted"]), y(row["observed"]), 2.5, f"curve c{k % 4}", title))
        parts.append(_key(name, k))
    return svg.figure(WIDTH, HEIGHT, parts, "Predicted risk and observed proportion of cases")


def decision(table: pl.DataFrame) -> str:
    """Net benefit relative to the better of treating all and treating none, by threshold probability."""
    table = table.filter(pl.col("value").is_not_null(), strategy="advantage")
    if table.is_empty():
        return ""
    low, high = min(float(table["value"].min()), 0.0), max(float(table["value"].max()), 1e-3)
    x, y = svg.Scale(0, float(table["risk"].max()), LEFT, RIGHT), svg.Scale(low, high * 1.05, BOTTOM, TOP)
    parts = [
        svg.y_axis(y, LEFT, RIGHT, "difference in net benefit"),
        svg.x_axis(x, BOTTOM, "threshold probability", about=5),
    ]
    for k, (name, rows) in enumerate(_lines(table)):
        parts.append(svg.path(x(rows["risk"].to_numpy()), y(rows["value"].to_numpy()), f"curve c{k % 4}"))
        parts.append(_key(name, k))
    return svg.figure(WIDTH, HEIGHT, parts, "Net benefit by threshold probability")


def survival(table: pl.DataFrame) -> list[dict]:
    """Cumulative incidence of each outcome by third of risk of the Cox model with the embedding, test split."""
    table = table.filter(split="test", head="cox", method="embedding").filter(pl.col("incidence").is_not_null())
    made = []
    for (cohort, outcome), rows in table.group_by("cohort", "outcome", maintain_order=True):
        top = float(rows["incidence_high"].fill_null(0).max()) or 0.01
        x, y = svg.Scale(0, float(rows["years"].max()), LEFT, RIGHT), svg.Scale(0, top, BOTTOM, TOP)
        parts = [svg.y_axis(y, LEFT, RIGHT, "cumulative incidence"), svg.x_axis(x, BOTTOM, "years", about=5)]
        for k, (group, one) in enumerate(sorted(rows.partition_by("group", as_dict=True).items())):
            years = one["years"].to_numpy()
            band = one.filter(pl.col("incidence_low").is_not_null() & pl.col("incidence_high").is_not_null())
            if band.height:
                t = x(band["years"].to_numpy())
                low, high = (y(band[f"incidence_{end}"].to_numpy()) for end in ("low", "high"))
                parts.append(svg.path([*t, *t[::-1]], [*low, *high[::-1]], "band", closed=True))
            parts.append(svg.path(x(years), y(one["incidence"].to_numpy()), f"curve c{k % 4}"))
            parts.append(_key(f"risk group {group[0]}", k))
        p = rows["p_log_rank"].drop_nulls()
        title = f"Cumulative incidence of {outcome} in {cohort} by risk group"
        log_rank = f"log-rank p = {format.significant(float(p[0]), 2)}" if len(p) else ""
        made.append(
            {"cohort": cohort, "outcome": outcome, "picture": svg.figure(WIDTH, HEIGHT, parts, title), "p": log_rank}
        )
    return made


def _lines(table: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """One line per outcome, of the first cohort."""
    first = table.filter(pl.col("cohort") == table["cohort"][0])
    return [(str(name[0]), rows) for name, rows in first.group_by("outcome", maintain_order=True)]


def _key(name: str, k: int) -> str:
    return svg.text(LEFT + 8, TOP + 12 + 16 * k, name, f"tick key c{k % 4}")
