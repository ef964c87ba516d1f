"""Limb leads -> which of their names are exchanged: those under which Einthoven's and Goldberger's sums hold.

II = I + III and aVR = -(I + II)/2, aVL = I - II/2, aVF = II - I/2 hold for the leads of a machine up to rounding.
Where they fail by the names of a file, and hold after one exchange of names, the names are wrong. Electrodes on the
wrong limb are another matter: the machine then computes leads that still add up.
"""

import functools
import itertools

import numpy as np

from ecgwas.config import LEADS
from ecgwas.ecg.canonical import LIMB, SD, SUMS, apart, limb_leads
from ecgwas.signals.recording import Recording

HOLDS = 0.05  # RMS of what is left of the sums, over the RMS of the limb leads, where the names are right
TENTH = 0.1  # and over what is left by the names of the file
PREFIX = "exchanged_"


def exchanged(recording: Recording) -> tuple[str, ...]:
    """Limb leads whose names have to change places for the sums to hold; none where they hold, or never do.

    Of the exchanges that make them hold it is that of the fewest leads; none where there are several.
    """
    limb, unit = limb_leads(recording)
    rows = tuple(np.flatnonzero(np.isfinite(limb).any(axis=1)).tolist())
    orders, weights = exchanges(rows)
    if unit == SD or not recording.simultaneous or not len(orders) or apart(limb):
        return ()
    products = mean_products(limb[list(rows)])
    left = weights @ products.ravel()  # [order] mean square of the sums
    holding = left <= min(TENTH**2 * left[0], HOLDS**2 * np.trace(products) / len(rows))
    if left[0] <= 0 or not holding.any():
        return ()
    places = orders[holding] != np.arange(len(rows))
    fewest = places[places.sum(axis=1) == places.sum(axis=1).min()]
    return tuple(LEADS[rows[k]] for k in np.flatnonzero(fewest[0])) if len(fewest) == 1 else ()


def mean_products(waves: np.ndarray) -> np.ndarray:
    """[lead, lead] mean products of [lead, sample] less its means, over samples present in all leads."""
    waves = waves[:, np.isfinite(waves).all(axis=0)].astype(np.float64)
    waves -= waves.mean(axis=1, keepdims=True) if waves.size else 0
    return waves @ waves.T / max(waves.shape[1], 1)


@functools.cache
def exchanges(rows: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """[order, lead] permutations of the limb leads `rows`, the first changes nothing; what makes products sums.

    The mean square of the sums that can be checked is [order, lead * lead] times the products of the leads.
    """
    absent = [row for row in range(LIMB.stop) if row not in rows]
    sums = SUMS[[not one[absent].any() for one in SUMS]][:, rows].astype(np.float64)
    if not len(sums):
        return np.empty((0, len(rows)), int), np.empty((0, len(rows) ** 2))
    orders = np.array(list(itertools.permutations(range(len(rows)))))
    turned = sums[:, orders]  # [sum, order, lead]
    return orders, np.einsum("soi,soj->oij", turned, turned).reshape(len(orders), -1) / len(sums)


def word(names: tuple[str, ...]) -> str:
    """The warning of a recording: exchanged_aVL_aVF."""
    return PREFIX + "_".join(names)
