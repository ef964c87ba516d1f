"""Traits that are axes in degrees -> deviations from the cohort's mean direction, of people and of their recordings."""

from dataclasses import replace

import numpy as np

from ecgwas import tables
from ecgwas.phenotypes.analysed_people import Recordings
from ecgwas.stats import circular


def cuts(means: np.ndarray, names: list[str]) -> np.ndarray:
    """[column] mean direction of the people `means` [person, column], degrees; NaN of columns that are no axes.

    0 where the people's axes have no mean direction.
    """
    directions = np.full(len(names), np.nan)
    for j in tables.circular(names):
        direction = circular.mean(means[:, j])
        directions[j] = direction if np.isfinite(direction) else 0.0
    return directions


def deviations(means: np.ndarray, cut: np.ndarray) -> np.ndarray:
    """`means` [person, column] with axes as deviations from `cut` [column], within 180 degrees."""
    return np.where(np.isnan(cut), means, circular.wrap(means - cut))


def of_recordings(recorded: Recordings, ids: np.ndarray, means: np.ndarray, cut: np.ndarray) -> Recordings:
    """`recorded` with axes near the deviation of their person: `ids` [person], sorted, whose `means` are given.

    A person's recordings on both sides of the cut stay neighbours.
    """
    if np.isnan(cut).all():
        return recorded
    own = means[np.searchsorted(ids, recorded.person.astype(str))]
    near = circular.wrap(own - cut) + circular.wrap(recorded.values - own)
    return replace(recorded, values=np.where(np.isnan(cut), recorded.values, near))
