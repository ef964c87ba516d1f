"""Recorded leads -> leads visible to an encoder: sums of others excluded, in training random reduced sets."""

from collections.abc import Sequence

import numpy as np

LIMB_SUMS = ("III", "aVR", "aVL", "aVF")  # of I and II

# Reduced sets, named by the leads a device has, as the PhysioNet/CinC Challenge 2021 has them: with I and II the other
# limb leads are sums, so that six leads are two here, and four are three. The single leads are those of wearables.
SETS: dict[str, tuple[str, ...]] = {
    "12": ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"),
    "6": ("I", "II"),
    "4": ("I", "II", "V2"),
    "3": ("I", "II", "V2"),
    "2": ("I", "II"),
    "I": ("I",),
    "II": ("II",),
    "V1": ("V1",),
    "V5": ("V5",),
}
UNKNOWN = "unknown"


def independent(there: np.ndarray, channels: Sequence[str]) -> np.ndarray:
    """Visible leads: all recorded ones, but no sums of I and II where both are; bool [recording, lead] -> the same."""
    if not {"I", "II"} <= set(channels):
        return there
    sums = np.isin(channels, LIMB_SUMS)
    both = there[:, channels.index("I")] & there[:, channels.index("II")]
    return there & ~(sums & both[:, None])


def draw(there: np.ndarray, recorded: np.ndarray, channels: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """A reduced set of leads of one recording: bool [lead].

    there: leads seen in full [lead]. recorded: those recorded, sums among them. One of `SETS` whose leads are all
    there, or any one lead alone, each as likely; so that every lead is met alone.
    """
    sets = [np.isin(channels, names) for label, names in SETS.items() if label != "12"]
    sets = [chosen for chosen in sets if chosen.any() and not (chosen & ~there).any()]
    pick = rng.integers(len(sets) + 2)
    if pick < len(sets):
        return sets[pick]
    alone = np.zeros(len(there), bool)
    alone[rng.choice(np.flatnonzero(recorded))] = True
    return alone


def named_subset(label: str, channels: Sequence[str]) -> np.ndarray:
    """Channels of the set `label` of `SETS`, bool [lead]."""
    return np.isin(channels, SETS[label])
