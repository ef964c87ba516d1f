"""Recordings -> the same as another recorder writes them: gain, band and noise of its own."""

from dataclasses import dataclass

import numpy as np
from scipy import signal

from ecgwas.simulate.ecg import twelve_leads
from ecgwas.simulate.ecg_noise import RAIL_UV

INDEPENDENT = [0, 1, 6, 7, 8, 9, 10, 11]  # I, II, V1..V6 among the twelve


@dataclass(frozen=True)
class Device:
    """What a recorder does to the signal."""

    gain: float
    lowpass_hz: float  # zero-phase Butterworth of the second order, applied forwards and backwards
    mains_hz: float
    mains_uv: float  # RMS
    noise_uv: float  # RMS, white


# Device a is the simulation itself. Device b: a monitor of narrow band, 3 % gain error and 60-Hz mains.
DEVICES = {"b": Device(gain=1.03, lowpass_hz=25.0, mains_hz=60.0, mains_uv=10.0, noise_uv=12.0)}


def as_recorded(recordings: np.ndarray, device: str, rng: np.random.Generator, rate_hz: float) -> np.ndarray:
    """Recordings [n, 12, samples] int16 in microvolts by `device`; leads that are flat stay flat."""
    if device == "a":
        return recordings
    made, leads = DEVICES[device], recordings[:, INDEPENDENT].astype(np.float64)
    alive = leads.std(axis=-1, keepdims=True) > 0
    out = signal.sosfiltfilt(signal.butter(2, made.lowpass_hz, fs=rate_hz, output="sos"), leads) * made.gain
    phase = rng.uniform(0, 2 * np.pi, (*leads.shape[:2], 1))
    angle = 2 * np.pi * made.mains_hz * np.arange(leads.shape[-1]) / rate_hz
    noise = made.mains_uv * 2**0.5 * np.sin(angle + phase) + made.noise_uv * rng.standard_normal(leads.shape)
    out = np.where(alive, out + noise, leads)
    return twelve_leads(np.rint(np.clip(out, -RAIL_UV, RAIL_UV)).astype(np.int16))
