"""A fitted predictor and a cohort -> the logit of every outcome for every recording."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ecgwas.cli import run
from ecgwas.errors import UserError
from ecgwas.predict.fit import module_of
from ecgwas.predict.inputs import CohortFiles, Logits
from ecgwas.tables import LABELS, RECORDINGS, SCORES

BATCH = 128


def to_table(ids: pl.DataFrame, scores: Logits, predictor: dict[str, Any]) -> pl.DataFrame:
    """tables.SCORES, and a logit per outcome; null where it cannot be scored, or the outcome was not fitted."""
    outcomes, unfitted = predictor["outcomes"], predictor["unfitted"]
    logits = np.where(np.isfinite(scores.logits), scores.logits, np.nan)
    columns = [pl.Series(name, logits[:, k], dtype=pl.Float64).fill_nan(None) for k, name in enumerate(outcomes)]
    columns += [pl.Series(name, [None] * ids.height, dtype=pl.Float64) for name in unfitted]
    about = {"method": pl.lit(predictor["method"]), "reason": pl.Series(scores.reasons, dtype=pl.String)}
    about |= {"share": pl.lit(predictor["label_share"]), "draw": pl.lit(predictor["label_draw"])}
    return SCORES.typed(ids.with_columns(*columns, **about))


def main(
    predictor: Path,
    recordings: Path,
    scores: Path,
    strips: list[Path] | None = None,
    beats: list[Path] | None = None,
    intervals: Path | None = None,
    people: Path | None = None,
    labels: Path | None = None,
    batch: int = BATCH,
    threads: int = 1,
) -> None:
    """Score the recordings of a cohort; the batch size changes nothing.

    A long recording has the mean of the logits of its windows: with a linear head, the logit of its mean embedding.

    Args:
        predictor: What `fit` wrote, of any method.
        recordings: The cohort's recordings.parquet.
        scores: Written: recording_id, person_id, a logit per outcome, and the reason of a missing one.
        strips: Shards of rhythm strips; for networks.
        beats: Shards of median beats, and of windows where recordings are longer; for networks.
        intervals: intervals.parquet; for intervals and combined.
        people: The people table; for intervals and demographics.
        labels: labels.parquet: only its recordings are scored; without it all are.
        batch: Windows scored at once.
        threads: CPU threads.
    """
    from ecgwas.checkpoints import checkpoint as files

    fitted = files.load(predictor)
    if fitted.get("kind") != "predictor":
        raise UserError(f"{predictor}: of kind {fitted.get('kind')}, no predictor; give what predict.fit wrote")
    names = ["recording_id", "person_id"]
    ids = LABELS.read(labels, names) if labels else RECORDINGS.read(recordings, names)
    cohort = CohortFiles(recordings, strips or (), beats or (), intervals, people)
    found = module_of(fitted["method"]).score(fitted, cohort, ids["recording_id"], threads=threads, batch=batch)
    table = to_table(ids, found, fitted)
    lost = table.filter(pl.col("reason").is_not_null()).height
    print(f"{table.height} recordings, {lost} of them without a score", flush=True)
    SCORES.write(table, scores)


if __name__ == "__main__":
    run(main)
