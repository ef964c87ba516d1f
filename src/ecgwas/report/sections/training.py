"""History of a training run -> the section on training, as plain values for the template."""

import polars as pl

from ecgwas.report import format
from ecgwas.report.figures import training


def section(history: pl.DataFrame | None) -> dict[str, str] | None:
    """Loss curve and its summary; None for a model that was not trained."""
    picture = "" if history is None else training.loss(history)
    return {"picture": picture, "words": history_words(history)} if picture else None


def history_words(history: pl.DataFrame | None) -> str:
    """Mean loss at the start and at the end of training, in words."""
    if history is None or "loss" not in history.columns or history.is_empty():
        return ""
    values = history["loss"].drop_nulls()
    part = max(1, len(values) // 20)
    first, last = (format.significant(float(v.mean())) for v in (values.head(part), values.tail(part)))
    return f"Mean over the first 5 % of steps {first}, over the last 5 % {last}."
