"""labels.parquet and signals -> labelled recordings in one order, and draws of the people whose labels are kept."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from ecgwas import config
from ecgwas.errors import UserError

LEAST_POSITIVES = 3  # of each outcome in a draw of few labels
DRAWS = 11  # stream of random numbers


@dataclass(frozen=True)
class Examples:
    """Recordings that count, n of them, with what is known of each; rows of `table` are those of the arrays."""

    table: pl.DataFrame  # recording_id, person_id, split, …
    y: np.ndarray  # [n, outcome] 0, 1, or NaN without a label
    outcomes: list[str]

    def of(self, split: str) -> np.ndarray:
        """Which recordings are in a split: bool [n]."""
        return (self.table["split"] == split).to_numpy()

    def rows_in(self, table: pl.DataFrame) -> np.ndarray:
        """Row of each recording in another table with recording_id; raises `UserError` where it has none."""
        place = {name: row for row, name in enumerate(table["recording_id"])}
        missing = [name for name in self.table["recording_id"] if name not in place]
        if missing:
            raise UserError(
                f"{len(missing)} labelled recordings, such as {missing[0]!r}, are not in the recordings table"
            )
        return np.array([place[name] for name in self.table["recording_id"]], dtype=int)


def prevalent(settings: config.Predict) -> list[str]:
    """Names of the outcomes that are there at the recording, in the order of the settings."""
    return [name for name, outcome in settings.outcomes.items() if outcome.kind == "prevalent"]


def read(path: Path, settings: config.Predict) -> Examples:
    """The examples of labels.parquet with the prevalent outcomes of `settings`."""
    table, outcomes = pl.read_parquet(path), prevalent(settings)
    missing = [name for name in outcomes if f"y:{name}" not in table.columns]
    if missing:
        raise UserError(f"{path}: no column y:{missing[0]}; make the labels again with these outcomes")
    y = table.select(pl.col(f"y:{name}").cast(pl.Float64) for name in outcomes).to_numpy()
    return Examples(table, np.where(np.isnan(y), np.nan, y), outcomes)


def with_labels(examples: Examples, share: float, draw: int, seed: int) -> Examples:
    """The examples with the labels of a share of the training people; the others of them lose theirs.

    The same people for every method: a draw depends on seed, share and its number alone. First `LEAST_POSITIVES` people
    of each class of each outcome, the rarest outcome first; the rest is drawn at random.
    """
    if share >= 1:
        return examples
    train = examples.of("train")
    person = examples.table["person_id"].to_numpy()
    people, code = np.unique(person[train], return_inverse=True)
    y = np.zeros((len(people), len(examples.outcomes)))
    np.maximum.at(y, code, np.nan_to_num(examples.y[train]))
    rng = np.random.default_rng([seed, DRAWS, round(1e6 * share), draw])
    kept = people[labelled(y, share, rng)]
    lost = train & ~np.isin(person, kept)
    return replace(examples, y=np.where(lost[:, None], np.nan, examples.y))


def labelled(y: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Rows of y [n, class] (0/1) that keep their labels: sorted, a `share` of n, more where classes ask for more."""
    n, chosen = len(y), np.zeros(len(y), bool)

    def add(candidates: np.ndarray, count: int) -> None:
        chosen[rng.permutation(np.flatnonzero(candidates & ~chosen))[: max(count, 0)]] = True

    for k in np.argsort(y.sum(0), kind="stable"):
        for value in (1, 0):
            add(y[:, k] == value, LEAST_POSITIVES - int((y[chosen, k] == value).sum()))
    add(np.ones(n, bool), round(share * n) - int(chosen.sum()))
    return np.flatnonzero(chosen)
