"""Samples -> filtered and resampled samples: zero-phase, the same response at every sampling rate."""

import math
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import scipy.fft
import scipy.signal

HIGHPASS_ORDER = 2
LOWPASS_ORDER = 4
PAD_S = 3.0
MAINS_HZ = (50.0, 60.0)


def highpass_gain(frequency_hz: np.ndarray, corner_hz: float) -> np.ndarray:
    """Gain of a Butterworth high-pass of order 2 run forward and backward: |H|² = 1 / (1 + (fc/f)⁴)."""
    ratio = np.divide(corner_hz, frequency_hz, out=np.full(len(frequency_hz), np.inf), where=frequency_hz > 0)
    return 1 / (1 + ratio ** (2 * HIGHPASS_ORDER))


def lowpass_gain(frequency_hz: np.ndarray, corner_hz: float) -> np.ndarray:
    """Gain of a Butterworth low-pass of order 4 run forward and backward: |H|² = 1 / (1 + (f/fc)⁸)."""
    return 1 / (1 + (frequency_hz / corner_hz) ** (2 * LOWPASS_ORDER))


@lru_cache(maxsize=64)
def gain(
    length: int, rate_hz: float, highpass_hz: float | None, lowpass_hz: float | None, derivative: bool
) -> np.ndarray:
    """What multiplies the spectrum of a real signal of `length` samples; `derivative` gives the change per second."""
    frequency_hz = scipy.fft.rfftfreq(length, 1 / rate_hz)
    out = np.ones(len(frequency_hz))
    if highpass_hz:
        out = out * highpass_gain(frequency_hz, highpass_hz)
    if lowpass_hz:
        out = out * lowpass_gain(frequency_hz, lowpass_hz)
    return (out * 2j * np.pi * frequency_hz).astype(np.complex64) if derivative else out.astype(np.float32)


@lru_cache(maxsize=64)
def resampling_gain(
    length: int, rate_hz: float, highpass_hz: float | None, lowpass_hz: float | None, new_length: int
) -> np.ndarray:
    """`gain` over the bins that a transform of `new_length` has too, its tapered end and the change of length in it."""
    bins = min(length, new_length) // 2 + 1
    weights = gain(length, rate_hz, highpass_hz, lowpass_hz, False)[:bins] * np.float32(new_length / length)
    if new_length < length:
        place = np.arange(bins) / (new_length / 2)
        weights = weights * np.float32(0.5 + 0.5 * np.cos(np.pi * np.clip((place - 0.9) / 0.1, 0, 1)))
    return weights.astype(np.float32)


class Mains(NamedTuple):
    """Where mains lines lie in a spectrum: the bins of all, and in these those of each line."""

    band: slice
    inside: np.ndarray  # [line, bin] within 1.5 Hz
    around: np.ndarray  # [line, bin] from there to 5 Hz away


@lru_cache(maxsize=16)
def mains_bins(length: int, rate_hz: float) -> tuple[Mains, ...]:
    """The lines that a spectrum has, those with as many bins together so that they are cut in one go."""
    frequency_hz, groups = scipy.fft.rfftfreq(length, 1 / rate_hz), {}
    for line_hz in MAINS_HZ:
        away = np.abs(frequency_hz - line_hz)
        inside, around = np.flatnonzero(away <= 1.5), np.flatnonzero((away > 1.5) & (away <= 5))
        if len(inside) and len(around):
            groups.setdefault((len(inside), len(around)), []).append((inside, around))
    return tuple(_mains(lines) for lines in groups.values())


def _mains(lines: list[tuple[np.ndarray, np.ndarray]]) -> Mains:
    inside, around = (np.stack(bins) for bins in zip(*lines, strict=True))
    first = min(inside.min(), around.min())
    return Mains(slice(first, max(inside.max(), around.max()) + 1), inside - first, around - first)


def root_medians(squares: np.ndarray) -> np.ndarray:
    """[…, 1] medians of the roots of […, value]: np.median without its checks, two roots a row."""
    n = squares.shape[-1]
    middle = np.sqrt(np.sort(squares, axis=-1)[..., (n - 1) // 2 : n // 2 + 1])
    return (middle[..., :1] + middle[..., -1:]) / 2


@lru_cache(maxsize=4)
def workspace(leads: int, length: int) -> np.ndarray:
    """Float32 [lead, length] to be written over: the same memory for one recording after the other."""
    return np.empty((leads, length), dtype=np.float32)


class Spectrum:
    """The transform of [lead, sample], from which any number of zero-phase filters are taken.

    The analogue gain multiplies the spectrum of the oddly reflected signal, so nothing is shifted in time and
    250 Hz and 1000 Hz copies of a recording are filtered alike.
    """

    def __init__(self, signal: np.ndarray, rate_hz: float, pad_s: float = PAD_S, new_rate_hz: float | None = None):
        """Transform of [lead, sample]; with `new_rate_hz`, of a length that `resampled` can go to that rate from."""
        self.n, self.rate_hz, self.mains_rms = signal.shape[-1], rate_hz, 0.0
        self.ratio = rate_ratio(rate_hz, new_rate_hz or rate_hz)
        multiple = self.ratio.denominator
        self.pad = pad = min(self.n - 1, round(pad_s * rate_hz)) // multiple * multiple
        self.length = multiple * scipy.fft.next_fast_len(-(-(self.n + 2 * pad) // multiple), real=True)
        padded = workspace(len(signal), self.length)
        np.subtract(2 * signal[..., :1], signal[..., pad:0:-1], out=padded[..., :pad])
        padded[..., pad : pad + self.n] = signal
        after = padded[..., pad + self.n : self.n + 2 * pad]
        np.subtract(2 * signal[..., -1:], signal[..., -2 : -pad - 2 : -1], out=after)
        padded[..., self.n + 2 * pad :] = padded[..., self.n + 2 * pad - 1, None]
        self.values = scipy.fft.rfft(padded, axis=-1)

    def without_mains(self) -> "Spectrum":
        """Self, the lines at 50 and 60 Hz cut down to the level of the frequencies around them, in each lead.

        `mains_rms` then is the RMS of what was cut from the worst lead.
        """
        for lines in mains_bins(self.length, self.rate_hz):
            band = self.values[..., lines.band]
            power = band.real**2 + band.imag**2
            size = np.sqrt(power[..., lines.inside])  # [lead, line, bin]
            share = np.minimum(1, 2 * root_medians(power[..., lines.around]) / np.maximum(size, 1e-12))
            band[..., lines.inside] *= share
            size *= 1 - share
            self.mains_rms = max(self.mains_rms, float(np.sqrt(2 * (size * size).sum(axis=-1).max())) / self.length)
        return self

    def filtered(
        self,
        highpass_hz: float | None = None,
        lowpass_hz: float | None = None,
        derivative: bool = False,
        rows: list[int] | None = None,
    ) -> np.ndarray:
        """[lead, sample] after the filters asked for, of `rows` or all leads."""
        values = (self.values if rows is None else self.values[rows]) * gain(
            self.length, self.rate_hz, highpass_hz, lowpass_hz, derivative
        )
        return scipy.fft.irfft(values, n=self.length, axis=-1)[..., self.pad : self.pad + self.n]

    def resampled(self, highpass_hz: float | None = None, lowpass_hz: float | None = None) -> np.ndarray:
        """[lead, sample at `new_rate_hz`] after the filters asked for: the spectrum cut or extended to the new rate.

        Band-limited interpolation; the last tenth below the new Nyquist frequency falls to 0 as a raised cosine, so
        that steep waves do not ring.
        """
        length = int(self.length * self.ratio)
        weights = resampling_gain(self.length, self.rate_hz, highpass_hz, lowpass_hz, length)
        values = self.values[..., : len(weights)] * weights
        first, n = int(self.pad * self.ratio), math.ceil(self.n * self.ratio)
        return scipy.fft.irfft(values, n=length, axis=-1)[..., first : first + n]


@lru_cache(maxsize=16)
def _polyphase(up: int, down: int) -> np.ndarray:
    """The default filter of scipy.signal.resample_poly (windowed sinc, Kaiser 5), designed once."""
    largest = max(up, down)
    return scipy.signal.firwin(20 * largest + 1, 1 / largest, window=("kaiser", 5.0)).astype(np.float32)


def rate_ratio(rate_hz: float, new_rate_hz: float) -> Fraction:
    """New over old rate, its denominator at most 1000."""
    return Fraction(new_rate_hz / rate_hz).limit_denominator(1000)


def resample(signal: np.ndarray, rate_hz: float, new_rate_hz: float) -> np.ndarray:
    """[lead, sample] at another rate by polyphase filtering."""
    ratio = rate_ratio(rate_hz, new_rate_hz)
    if ratio == 1:
        return signal
    up, down = ratio.numerator, ratio.denominator
    window = _polyphase(up, down)
    return scipy.signal.resample_poly(signal, up, down, axis=-1, window=window, padtype="line")


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
