"""Recordings -> noisier recordings: background that every recording has, and labelled artefacts."""

import numpy as np

ARTEFACTS = ("none", "wander", "mains", "muscle", "flat_lead", "saturation", "swapped_electrodes")

# Microvolts RMS; the range a recording's level is drawn from, and the factor of the artefact of that name.
LEVELS = {"wander": ((25.0, 70.0), 9.0), "mains": ((1.5, 5.0), 30.0), "muscle": ((8.0, 15.0), 7.0)}
WANDER_HZ = (0.06, 0.11, 0.17, 0.23, 0.29, 0.37, 0.48)
MAINS_HZ = 50.0
RAIL_UV = 5000.0  # where the amplifier saturates


def background(artefact: np.ndarray, rng: np.random.Generator, rate_hz: float, samples: int) -> np.ndarray:
    """Noise [n, 8, samples] float32 in microvolts: electrode drift and breathing, mains, muscle.

    The artefacts `wander`, `mains` and `muscle` are the same noise, stronger.
    """
    n, time = len(artefact), np.arange(samples) / rate_hz
    level = {
        name: (rng.uniform(low, high, n) * np.where(artefact == name, factor, 1.0))[:, None]
        for name, ((low, high), factor) in LEVELS.items()
    }
    angle = 2 * np.pi * np.array([*WANDER_HZ, MAINS_HZ])[:, None] * time
    basis = np.concatenate([np.sin(angle), np.cos(angle)]).astype(np.float32)
    drift = np.tile(level["wander"] / len(WANDER_HZ) ** 0.5, len(WANDER_HZ))
    size = np.tile(np.concatenate([drift, level["mains"]], 1), 2)[:, None, :]
    weight = (rng.standard_normal((n, 8, basis.shape[0])) * size).astype(np.float32)
    return np.matmul(weight, basis) + _muscle(level["muscle"][:, None], rng, samples)


def _muscle(level: np.ndarray, rng: np.random.Generator, samples: int) -> np.ndarray:
    """Noise [n, 8, samples] of RMS `level` [n, 1, 1], flat up to half the band and falling above."""
    white = rng.standard_normal((len(level), 8, samples + 1), np.float32)
    out = white[..., 1:] + white[..., :-1]
    out *= (level / 2**0.5).astype(np.float32)
    return out


def add_artefacts(leads: np.ndarray, artefact: np.ndarray, rng: np.random.Generator, rate_hz: float) -> np.ndarray:
    """Leads [n, 8, samples] (I, II, V1..V6; microvolts) with the artefacts that are not noise; altered in place."""
    for row in np.flatnonzero(artefact == "flat_lead"):
        leads[row, rng.integers(8)] = 0.0
    for row in np.flatnonzero(artefact == "saturation"):
        _saturate(leads[row], rng, rate_hz)
    swapped = artefact == "swapped_electrodes"
    # Left and right arm exchanged: I is reversed, II and III change places, the chest leads stay.
    leads[swapped, 1] -= leads[swapped, 0]
    leads[swapped, 0] *= -1
    return np.clip(leads, -RAIL_UV, RAIL_UV, out=leads)


def _saturate(leads: np.ndarray, rng: np.random.Generator, rate_hz: float) -> None:
    """Push two of the leads [8, samples] beyond the rail for some seconds, decaying like a coupling capacitor."""
    samples = leads.shape[-1]
    for lead in rng.choice(np.arange(2, 8), 2, replace=False):
        start = rng.integers(0, samples // 2)
        age = np.arange(samples - start) / rate_hz
        leads[lead, start:] += rng.choice([-1, 1]) * 4 * RAIL_UV * np.exp(-age / 1.5)
