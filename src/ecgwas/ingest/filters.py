"""Samples -> filtered and resampled samples: zero-phase, the same response at every sampling rate."""

from fractions import Fraction

import numpy as np
import scipy.fft
import scipy.signal

HIGHPASS_ORDER = 2
LOWPASS_ORDER = 4
PAD_S = 3.0


def highpass_gain(frequency_hz: np.ndarray, corner_hz: float) -> np.ndarray:
    """Gain of a Butterworth high-pass of order 2 run forward and backward: |H|² = 1 / (1 + (fc/f)⁴)."""
    ratio = np.divide(corner_hz, frequency_hz, out=np.full(len(frequency_hz), np.inf), where=frequency_hz > 0)
    return 1 / (1 + ratio ** (2 * HIGHPASS_ORDER))


def lowpass_gain(frequency_hz: np.ndarray, corner_hz: float) -> np.ndarray:
    """Gain of a Butterworth low-pass of order 4 run forward and backward: |H|² = 1 / (1 + (f/fc)⁸)."""
    return 1 / (1 + (frequency_hz / corner_hz) ** (2 * LOWPASS_ORDER))


class Spectrum:
    """The transform of [lead, sample], from which any number of zero-phase filters are taken.

    The analogue gain multiplies the spectrum of the oddly reflected signal, so nothing is shifted in time and
    250 Hz and 1000 Hz copies of a recording are filtered alike.
    """

    def __init__(self, signal: np.ndarray, rate_hz: float):
        self.n = signal.shape[-1]
        pad = min(self.n - 1, round(PAD_S * rate_hz))
        self.left = pad
        self.length = scipy.fft.next_fast_len(self.n + 2 * pad, real=True)
        padded = np.concatenate(
            [
                2 * signal[..., :1] - signal[..., pad:0:-1],
                signal,
                2 * signal[..., -1:] - signal[..., -2 : -pad - 2 : -1],
            ],
            axis=-1,
        )
        fill = np.repeat(padded[..., -1:], self.length - padded.shape[-1], axis=-1)
        self.values = scipy.fft.rfft(np.concatenate([padded, fill], axis=-1), axis=-1)
        self.frequency_hz = scipy.fft.rfftfreq(self.length, 1 / rate_hz)

    def filtered(self, highpass_hz: float | None = None, lowpass_hz: float | None = None, derivative: bool = False):
        """[lead, sample] after the filters asked for; `derivative` gives the change per second."""
        gain = np.ones(len(self.frequency_hz))
        if highpass_hz:
            gain = gain * highpass_gain(self.frequency_hz, highpass_hz)
        if lowpass_hz:
            gain = gain * lowpass_gain(self.frequency_hz, lowpass_hz)
        if derivative:
            gain = gain * (2j * np.pi * self.frequency_hz)
        dtype = np.complex64 if derivative else np.float32
        back = scipy.fft.irfft(self.values * gain.astype(dtype), n=self.length, axis=-1)
        return back[..., self.left : self.left + self.n]


def resample(signal: np.ndarray, rate_hz: float, new_rate_hz: float) -> np.ndarray:
    """[lead, sample] at another rate by polyphase filtering (scipy.signal.resample_poly, Kaiser 5 window)."""
    if rate_hz == new_rate_hz:
        return signal
    ratio = Fraction(new_rate_hz / rate_hz).limit_denominator(1000)
    return scipy.signal.resample_poly(signal, ratio.numerator, ratio.denominator, axis=-1, padtype="line")


def at_samples(signal: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """[lead, sample] read at fractional `positions` [...] -> [lead, ...]: cubic Lagrange interpolation."""
    base = np.clip(np.floor(positions).astype(np.intp), 1, signal.shape[-1] - 3)
    x = (positions - base).astype(np.float32)
    weights = (
        -x * (x - 1) * (x - 2) / 6,
        (x + 1) * (x - 1) * (x - 2) / 2,
        -(x + 1) * x * (x - 2) / 2,
        (x + 1) * x * (x - 1) / 6,
    )
    return sum(w * signal[:, base + shift] for shift, w in zip((-1, 0, 1, 2), weights, strict=True))
